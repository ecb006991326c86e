"""Orders, their items, and which status may follow which."""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Cast, Now

from orders.links import as_uri
from orders.models.catalogue import Funnel, Product
from orders.models.contacts import Contact
from orders.models.fields import TOTAL_DIGITS, Source, money_field

FIRST_ORDER_NUMBER = 1001


class Order(models.Model):
    """An order of a contact. `number` is its name outside; amounts and status follow from its transactions.

    ```
    open ── first approved purchase ──> paid ── thank-you page, or half an hour ──> completed
      paid is for funnel orders; every other order goes from open to completed at once
    paid, completed ── all that was paid is given back ──> refunded, which is final
    ```
    """

    class Origin(models.TextChoices):
        ADMIN = "admin", "Admin"
        QUOTE = "quote", "Quote"
        SHOP = "shop", "Shop"
        FUNNEL = "funnel", "Funnel"

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        PAID = "paid", "Paid"
        COMPLETED = "completed", "Completed"
        REFUNDED = "refunded", "Refunded"

    number = models.GeneratedField(
        expression=Cast(F("id") + (FIRST_ORDER_NUMBER - 1), models.CharField(max_length=20)),
        output_field=models.CharField(max_length=20),
        db_persist=True,
        unique=True,
    )
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="orders")
    source = models.CharField(max_length=10, choices=Source)
    origin = models.CharField(max_length=10, choices=Origin)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    funnel = models.ForeignKey(Funnel, null=True, blank=True, on_delete=models.PROTECT, related_name="orders")
    currency = models.CharField(max_length=3)
    subtotal = money_field(TOTAL_DIGITS)
    shipping = money_field()
    tax = money_field()
    total = money_field(TOTAL_DIGITS)
    paid_total = money_field(TOTAL_DIGITS)
    refunded_total = money_field(TOTAL_DIGITS)
    shipping_address = models.JSONField(null=True, blank=True)
    tracking = models.JSONField(null=True, blank=True)
    first_paid_at = models.DateTimeField(null=True, blank=True, editable=False)
    completed_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-id"]
        indexes = [
            # services.complete_stale_funnel_orders: paid orders whose buyer never reached the thank-you page.
            models.Index(fields=["first_paid_at"], condition=Q(status="paid"), name="order_waiting_to_complete"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["open", "paid", "completed", "refunded"]), name="order_status_known"
            ),
            models.CheckConstraint(
                condition=Q(source="admin", origin__in=["admin", "quote"], funnel__isnull=True)
                | Q(source="shop", origin="shop", funnel__isnull=True)
                | Q(source="funnel", origin="funnel", funnel__isnull=False),
                name="order_source_origin_funnel_agree",
            ),
            models.CheckConstraint(
                condition=Q(refunded_total__gte=0, refunded_total__lte=F("paid_total")),
                name="order_refunds_within_payments",
            ),
            models.CheckConstraint(
                condition=Q(total=F("subtotal") + F("shipping") + F("tax")), name="order_total_is_the_sum"
            ),
            models.CheckConstraint(
                condition=Q(status="open", first_paid_at__isnull=True, completed_at__isnull=True)
                | Q(status="paid", source="funnel", first_paid_at__isnull=False, completed_at__isnull=True)
                | Q(status="completed", first_paid_at__isnull=False, completed_at__isnull=False)
                | Q(status="refunded", first_paid_at__isnull=False),
                name="order_status_and_times_agree",
            ),
        ]

    def __str__(self) -> str:
        return f"Order {self.number}"

    @property
    def tracking_url(self) -> str | None:
        """The carrier's page as a URI, also where an earlier version has stored it as it was typed."""
        url: str | None = self.tracking and self.tracking.get("url")
        try:
            return url and as_uri(url)
        except ValueError:
            return url

    # These change the instance; `orders.services` holds the row's lock, saves, and reads the order again.

    def charge(self, amount: Decimal) -> None:
        """Add what items cost."""
        self.subtotal += amount
        self.total = self.subtotal + self.shipping + self.tax

    def take_payment(self, amount: Decimal) -> None:
        """Count an approved purchase. The first one makes the order `paid`."""
        self.paid_total += amount
        if self.status == self.Status.OPEN:
            self.status = self.Status.PAID
            self.first_paid_at = Now()

    def complete(self) -> None:
        """Close a paid order successfully, at the database's now."""
        self.status = self.Status.COMPLETED
        self.completed_at = Now()

    def give_back(self, amount: Decimal, *, wholly: bool) -> None:
        """Count a refund or a void. `wholly`: nothing is left of what was paid, so the order ends here."""
        self.refunded_total += amount
        if wholly:
            self.status = self.Status.REFUNDED


class OrderItem(models.Model):
    """One line of an order, with the product's title, kind and interval as they were when it was sold."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="items")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="order_items")
    paid_by = models.ForeignKey(
        "Transaction",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="items",
        help_text="The approved purchase that paid this item.",
    )
    sku = models.CharField(max_length=64)
    title = models.CharField(max_length=200)
    kind = models.CharField(max_length=12, choices=Product.Kind)
    interval = models.CharField(max_length=5, choices=Product.Interval, null=True, blank=True)  # noqa: DJ001
    quantity = models.PositiveIntegerField()
    unit_price = money_field()
    total = money_field(TOTAL_DIGITS)
    is_upsell = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gte=1, quantity__lte=9999), name="item_quantity_in_range"),
            models.CheckConstraint(
                condition=Q(kind="subscription", interval__isnull=False)
                | (~Q(kind="subscription") & Q(interval__isnull=True)),
                name="item_interval_of_subscription",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.title}"

    @property
    def is_paid(self) -> bool:
        """Whether it belongs to an approved purchase, however much of that was given back."""
        return self.paid_by_id is not None
