from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from typeid import TypeID

from orders.models.fields import Source


def new_contact_id() -> str:
    return str(TypeID("con"))


class Contact(models.Model):
    """A person known to the back office: a lead until the first approved purchase, then a customer."""

    class Status(models.TextChoices):
        LEAD = "lead", "Lead"
        CUSTOMER = "customer", "Customer"

    id = models.CharField(primary_key=True, max_length=40, default=new_contact_id, editable=False)
    email = models.EmailField(max_length=254)
    email_key = models.GeneratedField(expression=Lower("email"), output_field=models.TextField(), db_persist=True)
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

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                "email_key", name="contact_email_once", violation_error_message="This e-mail is known."
            ),
            models.CheckConstraint(condition=Q(status__in=["lead", "customer"]), name="contact_status_known"),
            models.CheckConstraint(condition=Q(source__in=["admin", "shop", "funnel"]), name="contact_source_known"),
        ]

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}".strip() or self.email
