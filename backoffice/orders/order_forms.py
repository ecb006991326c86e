"""The forms of products, orders and quotes, and of what becomes of an order: payments, refunds, tracking, an end."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from typeid import TypeID
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
    UnfoldBooleanWidget,
)

from backoffice.orders.form_fields import CheckedField, MoneyField
from orders.currencies import money_text, too_precise
from orders.inputs import (
    ZERO,
    Currency,
    DeclineCode,
    Explanation,
    GatewayName,
    GatewayReference,
    ItemInput,
    Link,
    ParcelName,
    Sku,
    TrackingInput,
)
from orders.models import Contact, Order, OrderItem, Product, Refund, Transaction


class ProductForm(forms.ModelForm):
    """A product; an interval goes with the kind subscription alone."""

    belong_together = [("unit_price", "currency", "kind", "interval")]

    sku = CheckedField(Sku, label="SKU")
    unit_price = MoneyField()
    currency = CheckedField(
        Currency, upper=True, initial=lambda: settings.DEFAULT_CURRENCY, help_text="Three letters, like USD."
    )

    class Meta:
        model = Product
        fields = ("sku", "title", "kind", "unit_price", "currency", "interval")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if self.instance.pk:
            self.initial["unit_price"] = money_text(self.instance.unit_price, self.instance.currency)

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        price, currency = values.get("unit_price"), values.get("currency")
        if price is not None and currency and (refusal := too_precise(price, currency)):
            self.add_error("unit_price", refusal)
        return values


ITEM_ROWS = 5


class _Select(AutocompleteSelect):
    """Takes a value with a NUL for none: the database cannot hold it, and would refuse to look for it."""

    def value_from_datadict(self, *args: Any) -> Any:
        value = super().value_from_datadict(*args)
        return None if isinstance(value, str) and "\0" in value else value


def _nothing() -> str:
    return money_text(ZERO, settings.DEFAULT_CURRENCY)


class OrderForm(forms.Form):
    """A new order or quote for a known contact. Its items are an `OrderItemFormSet`."""

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
    """A line of a new order or quote; without a price it has that of its product."""

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


class PaymentForm(forms.Form):
    """A purchase as staff report it, approved or declined.

    The page carries the reference that is used where none is given, so that a form sent twice is one purchase.
    """

    status = forms.ChoiceField(choices=Transaction.Status.choices, widget=UnfoldAdminSelectWidget)
    amount = MoneyField()
    gateway = CheckedField(GatewayName, initial="manual")
    reference = CheckedField(
        GatewayReference, required=False, help_text="The gateway's own. Left empty, one is generated."
    )
    generated_reference = CheckedField(GatewayReference, required=False, widget=forms.HiddenInput)
    decline_code = CheckedField(DeclineCode, required=False, help_text="Of a declined purchase only.")
    decline_message = CheckedField(Explanation, required=False, help_text="Of a declined purchase only.")
    is_upsell = forms.BooleanField(label="It is an upsell", required=False, widget=UnfoldBooleanWidget)

    prefix = "payment"

    def __init__(self, *, order: Order, **options: Any) -> None:
        # A further purchase of nothing is rarely meant, so where nothing is left the amount is to be typed.
        left = max(order.total - order.paid_total, ZERO)
        amount = money_text(left, order.currency) if left or order.status == Order.Status.OPEN else None
        super().__init__(initial={"amount": amount, "generated_reference": _new_reference()}, **options)
        if amount is None:
            self.fields["amount"].help_text = "Nothing is left to pay of the total: this would be a further purchase."

    def purchase(self) -> dict[str, Any]:
        """The arguments of `services.record_transaction`, but for the order's number."""
        values = dict(self.cleaned_data)
        generated = values.pop("generated_reference") or _new_reference()
        return {**values, "reference": values["reference"] or generated}

    def renew_reference(self) -> None:
        """Nothing was recorded: what is sent next is another purchase."""
        self.data = _replaced(self, "generated_reference", _new_reference())


class RefundForm(forms.Form):
    """Money given back of one of `purchases`; `kinds` are offered, each being possible for one of them at least.

    The page carries how much of the order was given back when it was shown, so that a form sent twice is one refund.
    """

    amount = MoneyField(required=False, help_text="A void takes the whole purchase: the amount may be left empty.")
    reason = CheckedField(Explanation, required=False)
    refunded_total = MoneyField(widget=forms.HiddenInput)

    prefix = "refund"

    def __init__(
        self,
        *,
        order: Order,
        purchases: Sequence[Transaction],
        kinds: Sequence[Refund.Kind] = tuple(Refund.Kind),
        **options: Any,
    ) -> None:
        initial: dict[str, Any] = {"refunded_total": money_text(order.refunded_total, order.currency)}
        if len(purchases) == 1:
            initial["amount"] = money_text(left_of(purchases[0]), order.currency)
        super().__init__(initial=initial, **options)
        choices = [(purchase.pk, _describe(purchase)) for purchase in purchases]
        purchase = forms.ChoiceField(label="Purchase", choices=choices, widget=UnfoldAdminSelectWidget)
        kind = forms.ChoiceField(choices=[(kind, kind.label) for kind in kinds], widget=UnfoldAdminSelectWidget)
        self.fields = {"transaction": purchase, "kind": kind, **self.fields}

    def follow(self, order: Order) -> None:
        """Nothing was recorded: what is sent next is meant for the order as it is shown now."""
        self.data = _replaced(self, "refunded_total", money_text(order.refunded_total, order.currency))


def left_of(purchase: Transaction) -> Decimal:
    """The amount of a purchase that is not given back yet."""
    return purchase.amount - purchase.refunded_total


def _describe(purchase: Transaction) -> str:
    def shown(amount: Decimal) -> str:
        return f"{money_text(amount, purchase.currency, grouped=True)} {purchase.currency}"

    left = ""
    if purchase.refunded_total:
        left = f", {shown(left_of(purchase)) if left_of(purchase) else 'nothing'} left"
    return f"{shown(purchase.amount)}{left} ({purchase.gateway} {purchase.reference})"


def _new_reference() -> str:
    return str(TypeID("manual"))


def _replaced(form: forms.Form, field: str, value: str) -> dict[str, Any]:
    # Name by name: to unpack a QueryDict would take its lists.
    return {**{name: form.data[name] for name in form.data}, form.add_prefix(field): value}


class TrackingForm(forms.Form):
    """Where the parcel of an order is; what is known is filled in."""

    carrier = CheckedField(ParcelName)
    number = CheckedField(
        ParcelName, label="Tracking number", widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"})
    )
    url = CheckedField(Link, label="Address to follow it", required=False, widget=UnfoldAdminURLInputWidget)

    prefix = "tracking"
    belong_together = [("carrier", "number", "url")]

    def __init__(self, *, order: Order, **options: Any) -> None:
        super().__init__(initial=order.tracking, **options)

    def tracking(self) -> TrackingInput:
        """The argument for `services.set_tracking`, of a valid form."""
        values = self.cleaned_data
        return TrackingInput(carrier=values["carrier"], number=values["number"], url=values["url"] or None)


class CancelForm(forms.Form):
    """Why a subscription ends."""

    reason = CheckedField(Explanation, required=False, help_text="The contact does not see it; channels do.")
