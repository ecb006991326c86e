"""Quotes and their items."""

from decimal import Decimal

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orders.models.catalogue import Product
from orders.models.contacts import Contact
from orders.models.fields import TOTAL_DIGITS, money_field
from orders.models.orders import Order


class Quote(models.Model):
    """An offer of staff to a contact, at these prices. Selling it, once, opens an order of the admin."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        SOLD = "sold", "Sold"

    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="quotes")
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    currency = models.CharField(max_length=3)
    subtotal = money_field(TOTAL_DIGITS)
    shipping = money_field()
    tax = money_field()
    total = money_field(TOTAL_DIGITS)
    order = models.OneToOneField(Order, null=True, blank=True, on_delete=models.PROTECT, related_name="quote")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status="open", order__isnull=True) | Q(status="sold", order__isnull=False),
                name="quote_sold_as_an_order",
            )
        ]

    def __str__(self) -> str:
        return f"Quote {self.pk}"

    def sell(self, order: Order) -> None:
        """Note the order that the quote became. `orders.services` holds the row's lock, and saves."""
        self.status = self.Status.SOLD
        self.order = order


class QuoteItem(models.Model):
    """One line of a quote, with the product's title, kind and interval as they were when it was offered.

    Where `title` is empty an older version made the quote: these three are the product's.
    """

    quote = models.ForeignKey(Quote, on_delete=models.PROTECT, related_name="items")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="quote_items")
    title = models.CharField(max_length=200, default="", db_default="")
    kind = models.CharField(max_length=12, choices=Product.Kind, default="", db_default="")
    interval = models.CharField(max_length=5, choices=Product.Interval, null=True, blank=True)  # noqa: DJ001
    quantity = models.PositiveIntegerField()
    unit_price = money_field()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(quantity__gte=1, quantity__lte=9999), name="quote_item_quantity_in_range"
            )
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.title or self.product.title}"

    @property
    def total(self) -> Decimal:
        return self.unit_price * self.quantity
