"""The check of decimals, for all services that take amounts."""

from decimal import Decimal

from django.core.exceptions import ValidationError

from orders.currencies import too_precise


def refuse_decimals(currency: str, **amounts: Decimal | None) -> None:
    """Raises `ValidationError` on the amounts, by their names, that have more decimals than the currency."""
    refused = {
        name: [sentence]
        for name, amount in amounts.items()
        if amount is not None and (sentence := too_precise(amount, currency))
    }
    if refused:
        raise ValidationError(refused)
