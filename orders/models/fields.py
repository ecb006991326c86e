"""Shared by the models: sources, currencies and columns of money."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.expressions import Combinable

from orders.currencies import MOST_DECIMALS

# Wide enough for 100 items of 9999 pieces at 9999999999.99, many times over, in a currency of four decimals.
AMOUNT_DIGITS = 10 + MOST_DECIMALS
TOTAL_DIGITS = 18 + MOST_DECIMALS
_TWO_DECIMALS = Decimal("0.01")
HIGHEST_TOTAL = Decimal(10) ** (TOTAL_DIGITS - MOST_DECIMALS) - _TWO_DECIMALS


def default_currency() -> str:
    """`DEFAULT_CURRENCY`; a function, so that migrations do not freeze it."""
    return str(settings.DEFAULT_CURRENCY)


class MoneyField(models.DecimalField):  # type: ignore[type-arg]
    """An amount in any currency. It is read with two decimals, and with more only where it has them."""

    def from_db_value(self, value: Decimal | None, *_: Any) -> Decimal | None:
        if value is None:
            return None
        short = value.quantize(_TWO_DECIMALS)
        return short if short == value else value.normalize()

    def deconstruct(self) -> Any:
        name, _, arguments, options = super().deconstruct()
        return name, "django.db.models.DecimalField", arguments, options


def money_field(digits: int = AMOUNT_DIGITS) -> "models.DecimalField[Decimal | Combinable, Decimal]":
    """A column of amounts with `digits` digits, as many decimals as any currency has, 0 by default."""
    return MoneyField(max_digits=digits, decimal_places=MOST_DECIMALS, default=0)


class Source(models.TextChoices):
    """Where the back office sells. Every contact and order has exactly one."""

    ADMIN = "admin", "Admin"
    SHOP = "shop", "Shop"
    FUNNEL = "funnel", "Funnel"
