from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet, Value
from django.db.models.functions import Lower

from orders import signals
from orders.inputs import ContactInput
from orders.models import Contact, Funnel, Source
from orders.services.reading import find_funnel

_REPLACED_WHEN_GIVEN = ("first_name", "last_name", "phone", "billing_address", "shipping_address")


def create_contact(*, source: str, data: ContactInput, funnel: str | None = None) -> tuple[Contact, bool]:
    """Take a contact that a shop or a funnel sends, and announce it. Returns it, and whether it is new.

    A known e-mail (compared without case) is a reactivation: given fields replace, tags are added, the rest stays.
    `funnel` is a slug, required with the source funnel only (`ValidationError` on `funnel`).
    """
    with transaction.atomic():
        contact, created = save_sent_contact(source=source, data=data, funnel=find_funnel(source=source, slug=funnel))
        signals.contact_created.send(sender=Contact, contact=contact, source=source, reactivated=not created)
    return contact, created


def create_contact_by_staff(*, data: ContactInput) -> Contact:
    """Enter a new contact and announce it. A known e-mail is refused (`ValidationError` on `email`)."""
    with transaction.atomic():
        contact = save_new_contact(data=data)
        signals.contact_created.send(sender=Contact, contact=contact, source=Source.ADMIN, reactivated=False)
    return contact


def edit_contact_by_staff(*, contact: Contact, data: ContactInput) -> Contact:
    """Correct a contact: given fields replace, tags and e-mail included. Announces nothing.

    Returns the contact as saved. The e-mail of another contact is refused (`ValidationError` on `email`).
    """
    with transaction.atomic():
        stored = Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
        _replace_given(stored, data, also=("email", "tags"))
        try:
            with transaction.atomic():
                stored.save()
        except IntegrityError:
            if with_email(data.email).exclude(pk=contact.pk).exists():
                raise _known_email() from None
            raise
    return stored


def save_sent_contact(*, source: str, data: ContactInput, funnel: Funnel | None) -> tuple[Contact, bool]:
    """Create or reactivate without announcing it; two calls at once make one contact. In a transaction only."""
    known = with_email(data.email).select_for_update(no_key=True)
    contact = known.first()
    if contact is None:
        try:
            with transaction.atomic():
                return _insert(source=source, data=data, funnel=funnel), True
        except IntegrityError:
            # Another call inserted the same e-mail since we looked, and has committed it.
            contact = known.first()
            if contact is None:
                raise
    _replace_given(contact, data)
    contact.tags = list(dict.fromkeys([*contact.tags, *data.tags]))
    contact.save()
    return contact, False


def save_new_contact(*, data: ContactInput) -> Contact:
    """Create by staff without announcing it. In a transaction only."""
    if not with_email(data.email).exists():
        try:
            with transaction.atomic():
                return _insert(source=Source.ADMIN, data=data, funnel=None)
        except IntegrityError:
            if not with_email(data.email).exists():
                raise
    raise _known_email()


def _insert(*, source: str, data: ContactInput, funnel: Funnel | None) -> Contact:
    return Contact.objects.create(
        source=source, funnel=funnel, **data.model_dump(include=set(ContactInput.model_fields))
    )


def _replace_given(contact: Contact, data: ContactInput, *, also: tuple[str, ...] = ()) -> None:
    given = data.model_fields_set.intersection((*_REPLACED_WHEN_GIVEN, *also))
    values: dict[str, Any] = data.model_dump(include=given)
    for name, value in values.items():
        setattr(contact, name, value)


def with_email(email: str) -> QuerySet[Contact]:
    """PostgreSQL lowers both sides, so that what is found is what the unique index compares."""
    return Contact.objects.filter(email_key=Lower(Value(email)))


def _known_email() -> ValidationError:
    return ValidationError({"email": ["This e-mail is known."]})
