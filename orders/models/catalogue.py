"""Products and funnels: what is sold, and where."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orders.models.fields import default_currency, money_field


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
    created_at = models.DateTimeField(db_default=Now(), editable=False)

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
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
