"""What the models have in common: where things are sold, and how money is kept."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models.expressions import Combinable

# Wide enough for 100 items of 9999 pieces at 9999999999.99, many times over.
TOTAL_DIGITS = 20
HIGHEST_TOTAL = Decimal(10) ** (TOTAL_DIGITS - 2) - Decimal("0.01")


def default_currency() -> str:
    return str(settings.DEFAULT_CURRENCY)


def money_field(digits: int = 12) -> "models.DecimalField[Decimal | Combinable, Decimal]":
    return models.DecimalField(max_digits=digits, decimal_places=2, default=0)


class Source(models.TextChoices):
    """Where the back office sells. Every contact and order has exactly one."""

    ADMIN = "admin", "Admin"
    SHOP = "shop", "Shop"
    FUNNEL = "funnel", "Funnel"
