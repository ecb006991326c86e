"""Fields of the forms of the shop, which check with the types of `orders.inputs`, and how refusals are shown.

Amounts are read as people type them: with a decimal comma, and with thousands set apart. What can be read in one way
only is taken; what can be read in two, or in none, is refused with an example. Callers of the API have one way to write
an amount (`orders.inputs.Money`).
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

import pydantic
from django import forms
from django.core.exceptions import ValidationError
from pydantic import TypeAdapter
from unfold.widgets import UnfoldAdminTextInputWidget

from orders.errors import Conflict
from orders.inputs import ONE_LINE, Money
from orders.text import Text, clean

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


LONGEST_LINE = 200


def add_refusal(form: forms.Form, refusal: ValidationError | Conflict) -> None:
    """Show why a service refused: beside the field that it names, else above the form."""
    if isinstance(refusal, Conflict):
        form.add_error(None, str(refusal))
        return
    for name, reasons in refusal.message_dict.items():
        field = name.removesuffix(".id")
        form.add_error(field if field in form.fields else None, reasons)


class CheckedField(forms.CharField):
    """One line of text (or `widget`) that must be what `kind`, a type of `orders.inputs`, takes."""

    widget = UnfoldAdminTextInputWidget

    def __init__(self, kind: Any, *, upper: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._adapter: TypeAdapter[Any] = TypeAdapter(kind)
        self._upper = upper

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return text
        return self.checked(text.upper() if self._upper else text)

    def checked(self, text: str) -> Any:
        """Validate a text that is not empty as `kind`. Raises `ValidationError`."""
        try:
            return self._adapter.validate_python(text)
        except pydantic.ValidationError as refusal:
            raise ValidationError([sentence(error) for error in refusal.errors()]) from None


class LineField(CheckedField):
    """A line of text as a model's `CharField` keeps it."""

    def __init__(self, *, max_length: int | None = None, **options: Any) -> None:
        super().__init__(Annotated[str, Text(max_length or LONGEST_LINE), ONE_LINE], **options)


class MoneyField(CheckedField):
    """An amount as people type it (`backoffice.orders.form_fields`); `None` where it may be left out and is.

    What a person types is shown again as it was typed.
    """

    def __init__(self, **options: Any) -> None:
        options.setdefault("widget", UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"}))
        super().__init__(Money, empty_value=None, **options)

    def clean(self, value: Any) -> Decimal | None:
        """Drop the zeros of 12.50 and 12.00, whatever the currency has; 1.000 may be meant as a thousand."""
        amount: Decimal | None = super().clean(value)
        if amount is None or amount.as_tuple().exponent not in (-1, -2):
            return amount
        whole = amount.to_integral_value()
        return whole if whole == amount else amount

    def checked(self, text: str) -> Any:
        try:
            typed = plain_amount(clean(text).strip())
        except ValueError as two_ways:
            raise ValidationError(str(two_ways)) from None
        try:
            return super().checked(typed)
        except ValidationError:
            raise ValidationError(EXAMPLE) from None


def sentence(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors as staff read it."""
    context = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context["error"])
    if error["type"] == "string_too_long":
        return f"Give at most {context['max_length']} characters."
    if error["type"] == "string_too_short":
        return "This field is required."
    if error["type"] == "too_long":
        return f"Give at most {context['max_length']}."
    return str(error["msg"])
