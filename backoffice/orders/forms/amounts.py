"""Amounts as people type them: with a decimal comma, and with thousands set apart.

What can be read in one way only is taken; what can be read in two, or in none, is refused with an example. Callers of
the API have one way to write an amount (`orders.inputs.Money`).
"""

import re

EXAMPLE = "Give an amount from 0 to 9999999999.99, like 1234.50 or 1234,50, without a currency sign."
_WHOLE = r"[1-9]\d{0,2}"
# Spaces of any width, or the apostrophes of Switzerland: between all thousands the same one.
_APART = "(?P<apart>[ \u00a0\u2007\u2009\u202f'\u2019])"
_READINGS = [
    re.compile(reading, re.ASCII)
    for reading in (
        r"(?P<whole>\d*),(?P<decimals>\d+)",
        r"(?P<whole>)\.(?P<decimals>\d+)",
        rf"(?P<whole>{_WHOLE}(?:,\d{{3}})+)\.(?P<decimals>\d+)",
        rf"(?P<whole>{_WHOLE}(?:\.\d{{3}})+),(?P<decimals>\d+)",
        rf"(?P<whole>{_WHOLE}{_APART}\d{{3}}(?:(?P=apart)\d{{3}})*)(?:[.,](?P<decimals>\d+))?",
        rf"(?P<whole>{_WHOLE}(?:,\d{{3}}){{2,}})(?P<decimals>)",
        rf"(?P<whole>{_WHOLE}(?:\.\d{{3}}){{2,}})(?P<decimals>)",
    )
]
_TWO_WAYS = re.compile(rf"({_WHOLE}),(\d{{3}})", re.ASCII)


def plain_amount(typed: str) -> str:
    """The amount as `Money` takes it: `1234.50` of `1.234,50`. What is no amount comes back as it is.

    Raises `ValueError` for `1,234`, which is a thousand and more to some, and little more than one to others.
    """
    if two := _TWO_WAYS.fullmatch(typed):
        whole, rest = two.groups()
        raise ValueError(f"{typed} can be read in two ways: write {whole}{rest} or {whole}.{rest}.")
    for reading in _READINGS:
        if found := reading.fullmatch(typed):
            whole = re.sub(r"\D", "", found["whole"]) or "0"
            return f"{whole}.{found['decimals']}" if found["decimals"] else whole
    return typed
