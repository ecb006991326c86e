"""Contacts, leads and customers, unique by e-mail address."""

from typing import Any, cast

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Case, Func, Q, Value, When
from django.db.models.functions import Coalesce, Lower, Now
from typeid import TypeID

from orders.email_keys import idna_key
from orders.models.fields import Source


def new_contact_id() -> str:
    return str(TypeID("con"))


class IdnaKeyField(models.TextField):  # type: ignore[type-arg]
    """Filled in when the contact is made. Code that changes its e-mail address sets it anew."""

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        if add:
            setattr(model_instance, self.attname, idna_key(cast(Contact, model_instance).email))
        return super().pre_save(model_instance, add)

    def deconstruct(self) -> Any:
        name, _, arguments, options = super().deconstruct()
        return name, "django.db.models.TextField", arguments, options


class Grams(Func):
    """Of three texts in lower case, all sequences of three characters and the beginnings of words.

    A function of ours in the database: `pg_trgm` takes a role that may install extensions.
    """

    function = "orders_grams"
    output_field = ArrayField(models.TextField())


class ContactQuerySet(models.QuerySet["Contact"]):
    """Contacts, as they are looked up by address."""

    def with_email(self, email: str) -> "ContactQuerySet":
        """The contacts with this address, compared without case and by the ASCII form of the domain: one, or none.

        Several of them only where they were made before domains were compared so; that of the same spelling is first.
        """
        # PostgreSQL lowers both sides, so that what is found is what the unique index compares.
        spelled, key = Lower(Value(email)), idna_key(email)
        keys = [spelled] if key is None else [spelled, Value(key)]
        found = self.alias(address=Coalesce("idna_key", "email_key")).filter(address__in=keys)
        return found.order_by(Case(When(email_key=spelled, then=0), default=1), "pk")


class Contact(models.Model):
    """A person known to the back office: a lead until the first approved purchase, then a customer."""

    class Status(models.TextChoices):
        LEAD = "lead", "Lead"
        CUSTOMER = "customer", "Customer"

    id = models.CharField(primary_key=True, max_length=40, default=new_contact_id, editable=False)
    email = models.EmailField(max_length=254)
    email_key = models.GeneratedField(expression=Lower("email"), output_field=models.TextField(), db_persist=True)
    # Lower case, the domain in its ASCII form, where that is not `email_key`: PostgreSQL knows no IDNA.
    idna_key = IdnaKeyField(null=True, blank=True, editable=False)
    first_name = models.CharField(max_length=150, blank=True)
    last_name = models.CharField(max_length=150, blank=True)
    phone = models.JSONField(null=True, blank=True)
    tags = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    billing_address = models.JSONField(null=True, blank=True)
    shipping_address = models.JSONField(null=True, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.LEAD)
    source = models.CharField(max_length=10, choices=Source)
    funnel = models.ForeignKey("Funnel", null=True, blank=True, on_delete=models.PROTECT, related_name="contacts")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = ContactQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            # searching.contacts_meant: parts of names and e-mail addresses.
            GinIndex(Grams("first_name", "last_name", "email"), name="contact_searched"),
        ]
        constraints = [
            models.UniqueConstraint(
                "email_key", name="contact_email_once", violation_error_message="This e-mail is known."
            ),
            models.UniqueConstraint(
                Coalesce("idna_key", "email_key"),
                name="contact_address_once",
                violation_error_message="This e-mail is known.",
            ),
            models.CheckConstraint(condition=Q(status__in=["lead", "customer"]), name="contact_status_known"),
            models.CheckConstraint(condition=Q(source__in=["admin", "shop", "funnel"]), name="contact_source_known"),
        ]

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}".strip() or self.email
