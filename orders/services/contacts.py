"""Creating, reactivating and editing contacts."""

from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from orders import signals
from orders.email_keys import idna_key
from orders.inputs import ContactInput
from orders.models import Contact, Funnel, Source
from orders.services.lookups import find_funnel

_NAMES = ("first_name", "last_name")
_REPLACED_WHEN_GIVEN = (*_NAMES, "phone", "billing_address", "shipping_address")
MOST_TAGS = 500


def create_contact(*, source: str, data: ContactInput, funnel: str | None = None) -> tuple[Contact, bool]:
    """Take a contact that a shop or a funnel sends, and announce it. Returns it, and whether it is new.

    A known e-mail is a reactivation: given fields replace, tags are added, the rest stays, and so do names that are
    given empty. `funnel` is a slug, required with the source funnel only. Raises `ValidationError` on `funnel`, and on
    `tags` where the contact would have too many of them.
    """
    with transaction.atomic():
        contact, created = save_sent_contact(source=source, data=data, funnel=find_funnel(source=source, slug=funnel))
        signals.contact_created.send(sender=Contact, contact=contact, source=source, reactivated=not created)
    return contact, created


def create_contact_by_staff(*, data: ContactInput) -> Contact:
    """Enter a new contact and announce it. Raises `ValidationError` on `email` that is known, and on `tags`."""
    with transaction.atomic():
        _refuse_too_many_tags(data.tags, ())
        contact = save_new_contact(data=data)
        signals.contact_created.send(sender=Contact, contact=contact, source=Source.ADMIN, reactivated=False)
    return contact


def edit_contact_by_staff(*, contact: Contact, data: ContactInput) -> Contact:
    """Correct a contact: given fields replace, tags and e-mail included. Announces nothing.

    Returns the contact as saved. Raises `ValidationError` on `email` for that of another contact, and on `tags` for
    too many, unless it has them all already.
    """
    with transaction.atomic():
        stored = Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
        had = (stored.email, set(stored.tags))
        _replace_given(stored, data, also=("email", "tags"))
        _refuse_too_many_tags(stored.tags, had[1])
        if stored.email != had[0]:
            stored.idna_key = idna_key(stored.email)
        try:
            with transaction.atomic():
                stored.save()
        except IntegrityError:
            if with_email(data.email).exclude(pk=contact.pk).exists():
                raise _known_email() from None
            raise
    return stored


def save_sent_contact(*, source: str, data: ContactInput, funnel: Funnel | None) -> tuple[Contact, bool]:
    """Create or reactivate without announcing it; two calls at once make one contact. In a transaction only.

    Raises `ValidationError` on `tags`.
    """
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
    names_left_empty = {name for name in _NAMES if not getattr(data, name)}
    _replace_given(contact, data, never=names_left_empty)
    tags = list(dict.fromkeys([*contact.tags, *data.tags]))
    _refuse_too_many_tags(tags, set(contact.tags))
    contact.tags = tags
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


def _replace_given(
    contact: Contact, data: ContactInput, *, also: Collection[str] = (), never: Collection[str] = ()
) -> None:
    given = data.model_fields_set.intersection((*_REPLACED_WHEN_GIVEN, *also)).difference(never)
    values: dict[str, Any] = data.model_dump(include=given)
    for name, value in values.items():
        setattr(contact, name, value)


def _refuse_too_many_tags(tags: Collection[str], known: Collection[str]) -> None:
    """Raise `ValidationError` for more `tags` than a contact may have, unless all of them are `known` already."""
    if len(tags) > MOST_TAGS and not set(tags) <= set(known):
        raise ValidationError({"tags": [f"A contact has at most {MOST_TAGS} tags; this would make {len(tags)}."]})


def with_email(email: str) -> QuerySet[Contact]:
    """As `ContactQuerySet.with_email`."""
    return Contact.objects.with_email(email)


def _known_email() -> ValidationError:
    return ValidationError({"email": ["This e-mail is known."]})
