"""Purchases, refunds and voids."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from typeid import TypeID

from orders.currencies import money_text
from orders.models.fields import money_field
from orders.models.orders import Order


def new_transaction_id() -> str:
    return str(TypeID("txn"))


def new_refund_id() -> str:
    return str(TypeID("ref"))


class Transaction(models.Model):
    """A purchase as the payment gateway reported it."""

    class Kind(models.TextChoices):
        PURCHASE = "purchase", "Purchase"

    class Status(models.TextChoices):
        APPROVED = "approved", "Approved"
        DECLINED = "declined", "Declined"

    id = models.CharField(primary_key=True, max_length=40, default=new_transaction_id, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="transactions")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.PURCHASE)
    status = models.CharField(max_length=10, choices=Status)
    amount = money_field()
    refunded_total = money_field()
    currency = models.CharField(max_length=3)
    gateway = models.CharField(max_length=50)
    reference = models.CharField(max_length=200)
    is_upsell = models.BooleanField(default=False)
    decline_code = models.CharField(max_length=50, null=True, blank=True)  # noqa: DJ001 (null outside, too)
    decline_message = models.CharField(max_length=500, null=True, blank=True)  # noqa: DJ001
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["gateway", "reference"], name="transaction_reference_once"),
            models.CheckConstraint(condition=Q(status__in=["approved", "declined"]), name="transaction_status_known"),
            models.CheckConstraint(
                condition=Q(refunded_total__gte=0, refunded_total__lte=F("amount")),
                name="transaction_refunds_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(status="declined") | Q(decline_code__isnull=True, decline_message__isnull=True),
                name="transaction_reason_of_decline",
            ),
        ]

    def __str__(self) -> str:
        amount = money_text(self.amount, self.currency)
        return f"{self.get_status_display()} {amount} {self.currency} ({self.gateway} {self.reference})"


class Refund(models.Model):
    """Money given back: a part or the rest of a purchase (refund), or the whole of it (void)."""

    class Kind(models.TextChoices):
        REFUND = "refund", "Refund"
        VOID = "void", "Void"

    id = models.CharField(primary_key=True, max_length=40, default=new_refund_id, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="refunds")
    transaction = models.ForeignKey(Transaction, on_delete=models.PROTECT, related_name="refunds")
    kind = models.CharField(max_length=10, choices=Kind)
    amount = money_field()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["refund", "void"]), name="refund_kind_known"),
            # A purchase is voided once, also under two calls at once.
            models.UniqueConstraint(fields=["transaction"], condition=Q(kind="void"), name="refund_voids_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {money_text(self.amount, self.currency)} {self.currency}"
