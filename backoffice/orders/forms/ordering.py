"""Orders and quotes: who buys what, for how much."""

from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from backoffice.orders.forms.fields import CheckedField, MoneyField
from orders.currencies import money_text
from orders.inputs import ZERO, Currency, ItemInput
from orders.models import Contact, Order, OrderItem, Product

ITEM_ROWS = 5


class _Select(AutocompleteSelect):
    """Takes a value with a NUL for none: the database cannot hold it, and would refuse to look for it."""

    def value_from_datadict(self, *args: Any) -> Any:
        value = super().value_from_datadict(*args)
        return None if isinstance(value, str) and "\0" in value else value


def _nothing() -> str:
    return money_text(ZERO, settings.DEFAULT_CURRENCY)


class OrderForm(forms.Form):
    """What a known contact is to buy: an order or a quote. Its items are an `OrderItemFormSet`."""

    contact = forms.ModelChoiceField(
        Contact.objects.all(), widget=_Select(Order._meta.get_field("contact"), admin.site)
    )
    currency = CheckedField(
        Currency, upper=True, initial=lambda: settings.DEFAULT_CURRENCY, help_text="Three letters, like USD."
    )
    shipping = MoneyField(required=False, initial=_nothing)
    tax = MoneyField(required=False, initial=_nothing)

    def terms(self) -> dict[str, Any]:
        """The arguments of `services.create_order` and `create_quote`, but for source and items."""
        values = self.cleaned_data
        return {
            "contact": values["contact"].pk,
            "currency": values["currency"],
            "shipping": values["shipping"] or ZERO,
            "tax": values["tax"] or ZERO,
        }


class OrderItemForm(forms.Form):
    product = forms.ModelChoiceField(
        Product.objects.all(), widget=_Select(OrderItem._meta.get_field("product"), admin.site)
    )
    quantity = forms.IntegerField(min_value=1, max_value=9999, initial=1, widget=UnfoldAdminIntegerFieldWidget)
    unit_price = MoneyField(required=False)

    def item(self) -> ItemInput:
        values = self.cleaned_data
        return ItemInput(sku=values["product"].sku, quantity=values["quantity"], unit_price=values["unit_price"])


class _ItemFormSet(forms.BaseFormSet):
    def filled(self) -> list[OrderItemForm]:
        """The rows that hold an item, in their order: what the services call `items[0]` is the first of them."""
        return [form for form in self.forms if form.has_changed()]

    def clean(self) -> None:
        if not self.filled():
            raise ValidationError("Give at least one item.")

    def add_refusal(self, refusal: ValidationError) -> ValidationError:
        """Show what concerns an item beside it; returns the rest."""
        rest: dict[str, list[str]] = {}
        for name, sentences in refusal.message_dict.items():
            row, _, field = name.removeprefix("items[").partition("].")
            if field:
                self.filled()[int(row)].add_error("product" if field == "sku" else field, sentences)
            else:
                rest[name] = sentences
        return ValidationError(rest)


OrderItemFormSet = cast(
    type[_ItemFormSet],
    forms.formset_factory(OrderItemForm, formset=_ItemFormSet, extra=ITEM_ROWS, max_num=100, absolute_max=100),
)
