"""The currencies of ISO 4217, and how many decimals an amount in each of them has."""

from decimal import Decimal

import pycountry

CURRENCIES = frozenset(currency.alpha_3 for currency in pycountry.currencies)
MOST_DECIMALS = 4
# The minor units of ISO 4217 where they are not two. Not those of the Unicode CLDR, which counts the decimals that
# people write and changes with its versions: gateways go on charging HUF 12.50.
_DECIMALS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}


def decimals_of(currency: str) -> int:
    """How many decimals amounts in it have at most; two of what is no currency."""
    return _DECIMALS.get(currency, 2)


def money_text(amount: Decimal, currency: str, *, grouped: bool = False) -> str:
    """`1234.50`, with as many decimals as the currency has; `grouped`: `1,234.50`.

    An amount that was recorded with more, before that was refused, is not rounded: it would be another amount.
    """
    places = max(decimals_of(currency), _decimals_needed(amount))
    return f"{amount:{',' if grouped else ''}.{places}f}"


def too_precise(amount: Decimal, currency: str) -> str | None:
    """Why an amount has too many decimals for its currency, in a sentence; None where it has not.

    All that are written count: a caller that sends 100.00 JPY may mean another currency.
    """
    exponent = amount.as_tuple().exponent
    return _too_many(-exponent if isinstance(exponent, int) else 0, currency)


def too_precise_value(amount: Decimal, currency: str) -> str | None:
    """As `too_precise`, of an amount from the database, where zeros mean nothing."""
    return _too_many(_decimals_needed(amount), currency)


def _too_many(decimals: int, currency: str) -> str | None:
    most = decimals_of(currency)
    if decimals <= most:
        return None
    return (
        f"Give an amount with at most {most} decimals: {currency} has no more."
        if most
        else (f"Give an amount without decimals: {currency} has none.")
    )


def _decimals_needed(amount: Decimal) -> int:
    exponent = amount.normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0
