"""What the forms have in common: fields that check with the types of `orders.inputs`, and how refusals are shown."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

import pydantic
from django import forms
from django.core.exceptions import ValidationError
from pydantic import TypeAdapter
from unfold.widgets import UnfoldAdminTextInputWidget

from backoffice.orders.forms.amounts import EXAMPLE, plain_amount
from orders.errors import Conflict
from orders.inputs import ONE_LINE, Money
from orders.text import Text, clean

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
        """What `kind` makes of a text that is not empty. Raises `ValidationError`."""
        try:
            return self._adapter.validate_python(text)
        except pydantic.ValidationError as refusal:
            raise ValidationError([sentence(error) for error in refusal.errors()]) from None


class LineField(CheckedField):
    """A line of text as a model's `CharField` keeps it."""

    def __init__(self, *, max_length: int | None = None, **options: Any) -> None:
        super().__init__(Annotated[str, Text(max_length or LONGEST_LINE), ONE_LINE], **options)


class MoneyField(CheckedField):
    """An amount as people type it (`backoffice.orders.forms.amounts`); `None` where it may be left out and is.

    What a person types is shown again as it was typed.
    """

    def __init__(self, **options: Any) -> None:
        options.setdefault("widget", UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"}))
        super().__init__(Money, empty_value=None, **options)

    def clean(self, value: Any) -> Decimal | None:
        """Of 12.50 and 12.00 the zeros mean nothing, whatever the currency has; 1.000 may be meant as a thousand."""
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
