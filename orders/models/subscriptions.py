"""Subscriptions."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from typeid import TypeID

from orders.models.catalogue import Product
from orders.models.contacts import Contact
from orders.models.fields import TOTAL_DIGITS, Source, money_field
from orders.models.orders import Order, OrderItem
from orders.models.payments import Transaction


def new_subscription_id() -> str:
    return str(TypeID("sub"))


class Subscription(models.Model):
    """A recurring payment of a contact: one for each line of an order that sells a subscription.

    It starts when the purchase that pays the line is approved, and is active until it is canceled, which is final.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        CANCELED = "canceled", "Canceled"

    id = models.CharField(primary_key=True, max_length=40, default=new_subscription_id, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="subscriptions")
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="subscriptions")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="subscriptions")
    item = models.OneToOneField(OrderItem, on_delete=models.PROTECT, related_name="subscription")
    transaction = models.ForeignKey(Transaction, on_delete=models.PROTECT, related_name="subscriptions")
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    amount = money_field(TOTAL_DIGITS)
    currency = models.CharField(max_length=3)
    interval = models.CharField(max_length=5, choices=Product.Interval)
    source = models.CharField(max_length=10, choices=Source)
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    canceled_at = models.DateTimeField(null=True, blank=True, editable=False)
    cancel_reason = models.CharField(max_length=500, null=True, blank=True)  # noqa: DJ001 (null outside, too)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status="active", canceled_at__isnull=True, cancel_reason__isnull=True)
                | Q(status="canceled", canceled_at__isnull=False),
                name="subscription_status_and_end_agree",
            ),
            models.CheckConstraint(
                condition=Q(interval__in=["week", "month", "year"]), name="subscription_interval_known"
            ),
            models.CheckConstraint(
                condition=Q(source__in=["admin", "shop", "funnel"]), name="subscription_source_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item.title} of {self.contact}"

    def cancel(self, *, reason: str) -> None:
        """End it, at the database's now. `orders.services` holds the order's lock, saves, and reads the time again."""
        self.status = self.Status.CANCELED
        self.canceled_at = Now()
        self.cancel_reason = reason or None
