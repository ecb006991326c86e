"""What a back office sells and to whom.

Nothing here is written from outside: `orders.services` holds the rules and is the only writer.
"""

from decimal import Decimal

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Lower, Now
from django.utils import timezone
from typeid import TypeID

# Wide enough for 100 items of 9999 pieces at 9999999999.99, many times over.
TOTAL_DIGITS = 20
HIGHEST_TOTAL = Decimal(10) ** (TOTAL_DIGITS - 2) - Decimal("0.01")
FIRST_ORDER_NUMBER = 1001


def new_contact_id() -> str:
    return str(TypeID("con"))


def new_transaction_id() -> str:
    return str(TypeID("txn"))


def new_refund_id() -> str:
    return str(TypeID("ref"))


def default_currency() -> str:
    return str(settings.DEFAULT_CURRENCY)


def money_field(digits: int = 12) -> "models.DecimalField[Decimal | Combinable, Decimal]":
    return models.DecimalField(max_digits=digits, decimal_places=2, default=0)


class Source(models.TextChoices):
    """Where the back office sells. Every contact and order has exactly one."""

    ADMIN = "admin", "Admin"
    SHOP = "shop", "Shop"
    FUNNEL = "funnel", "Funnel"


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
    created_at = models.DateTimeField(default=timezone.now, editable=False)

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


class Product(models.Model):
    """Something sold, known outside by its `sku`."""

    class Kind(models.TextChoices):
        PHYSICAL = "physical", "Physical"
        DIGITAL = "digital", "Digital"
        SUBSCRIPTION = "subscription", "Subscription"

    class Interval(models.TextChoices):
        WEEK = "week", "Week"
        MONTH = "month", "Month"
        YEAR = "year", "Year"

    sku = models.CharField(max_length=64, unique=True)
    title = models.CharField(max_length=200)
    kind = models.CharField(max_length=12, choices=Kind)
    unit_price = money_field()
    currency = models.CharField(max_length=3, default=default_currency)
    interval = models.CharField(max_length=5, choices=Interval, null=True, blank=True)  # noqa: DJ001
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["sku"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["physical", "digital", "subscription"]), name="product_kind_known"
            ),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="product_price_not_negative"),
            models.CheckConstraint(
                condition=Q(kind="subscription", interval__in=["week", "month", "year"])
                | (~Q(kind="subscription") & Q(interval__isnull=True)),
                name="product_interval_of_subscription",
                violation_error_message="A subscription has an interval; other products have none.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sku} · {self.title}"


class Funnel(models.Model):
    """A sales funnel, known outside by its `slug`."""

    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=100, unique=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Order(models.Model):
    """What a contact buys. `number` is its name outside; amounts and status follow from its transactions.

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
    created_at = models.DateTimeField(default=timezone.now, editable=False)

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
    """One line of an order, with the product's title and kind as they were when it was sold."""

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
    quantity = models.PositiveIntegerField()
    unit_price = money_field()
    total = money_field(TOTAL_DIGITS)
    is_upsell = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gte=1, quantity__lte=9999), name="item_quantity_in_range")
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.title}"


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
    created_at = models.DateTimeField(default=timezone.now, editable=False)

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
        return f"{self.get_status_display()} {self.amount} {self.currency} ({self.gateway} {self.reference})"


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
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["refund", "void"]), name="refund_kind_known"),
            # A purchase is voided once, also under two calls at once.
            models.UniqueConstraint(fields=["transaction"], condition=Q(kind="void"), name="refund_voids_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.amount} {self.currency}"
