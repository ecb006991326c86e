"""What staff fill in. A form checks with the types of `orders.inputs`, so that staff and callers of the API meet the
same rules in the same words, and hands over what `orders.services` takes.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import pydantic
from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from pydantic import TypeAdapter
from typeid import TypeID
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from orders.errors import Conflict
from orders.inputs import (
    ZERO,
    ContactInput,
    Currency,
    DeclineCode,
    Explanation,
    GatewayName,
    GatewayReference,
    ItemInput,
    Money,
    Sku,
)
from orders.models import Contact, Order, OrderItem, Product, Refund, Transaction

ITEM_ROWS = 5
ADDRESSES = ("billing_address", "shipping_address")
_ADDRESS_LABELS = {
    "first_name": "First name",
    "last_name": "Last name",
    "line1": "Address",
    "line2": "Address, second line",
    "city": "City",
    "state": "State",
    "zip_code": "ZIP code",
    "country": "Country",
}
_COUNTRY_HELP = "Two letters, like US."


def add_refusal(form: forms.Form, refusal: ValidationError | Conflict) -> None:
    """Show why a service refused: beside the field that it names, else above the form."""
    if isinstance(refusal, Conflict):
        form.add_error(None, str(refusal))
        return
    for name, sentences in refusal.message_dict.items():
        field = name.removesuffix(".id")
        form.add_error(field if field in form.fields else None, sentences)


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
        try:
            return self._adapter.validate_python(text.upper() if self._upper else text)
        except pydantic.ValidationError as refusal:
            raise ValidationError([_sentence(error) for error in refusal.errors()]) from None


class MoneyField(CheckedField):
    """An amount; `None` where it may be left out and is. What a person types is shown again as it was typed."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("widget", UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"}))
        super().__init__(Money, empty_value=None, **options)


class ContactForm(forms.Form):
    """A contact, new (with its e-mail) or known (`contact`: the e-mail stays)."""

    email = forms.CharField(label="E-mail", widget=UnfoldAdminEmailInputWidget)
    first_name = forms.CharField(required=False, widget=UnfoldAdminTextInputWidget)
    last_name = forms.CharField(required=False, widget=UnfoldAdminTextInputWidget)
    phone_number = forms.CharField(label="Phone", required=False, widget=UnfoldAdminTextInputWidget)
    phone_country = forms.CharField(
        label="Country of the phone", required=False, widget=UnfoldAdminTextInputWidget, help_text=_COUNTRY_HELP
    )
    tags = forms.CharField(
        required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}), help_text="One tag a line."
    )

    def __init__(self, *, contact: Contact | None = None, **options: Any) -> None:
        super().__init__(initial=_initial(contact) if contact else None, **options)
        for address in ADDRESSES:
            for name, label in _ADDRESS_LABELS.items():
                self.fields[f"{address}_{name}"] = forms.CharField(
                    label=label,
                    required=False,
                    widget=UnfoldAdminTextInputWidget,
                    help_text=_COUNTRY_HELP if name == "country" else "",
                )
        self._contact = contact
        if contact:
            del self.fields["email"]

    def addresses(self) -> list[tuple[str, list[forms.BoundField]]]:
        """(heading, fields) of each address."""
        return [
            (address.replace("_", " ").capitalize(), [self[f"{address}_{name}"] for name in _ADDRESS_LABELS])
            for address in ADDRESSES
        ]

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        members: dict[str, Any] = {
            "email": self._contact.email if self._contact else values.get("email"),
            "first_name": values.get("first_name", ""),
            "last_name": values.get("last_name", ""),
            "tags": [tag for line in values.get("tags", "").splitlines() if (tag := line.strip())],
            "phone": self._part("phone", ("country", "number")),
            **{address: self._part(address, _ADDRESS_LABELS) for address in ADDRESSES},
        }
        if self.errors:
            return values
        try:
            values["contact"] = ContactInput.model_validate(members)
        except pydantic.ValidationError as refusal:
            for error in refusal.errors():
                field = "_".join(part for part in error["loc"] if isinstance(part, str))
                self.add_error(field if field in self.fields else None, _sentence(error))
        return values

    def _part(self, name: str, members: Sequence[str] | Mapping[str, str]) -> dict[str, str] | None:
        """A phone number or an address; None where nothing of it is given."""
        part = {member: self.cleaned_data.get(f"{name}_{member}", "") for member in members}
        part["country"] = part["country"].upper()
        return part if any(part.values()) else None


class OrderForm(forms.Form):
    """An order that staff open for a known contact; its items are an `OrderItemFormSet`."""

    contact = forms.ModelChoiceField(
        Contact.objects.all(), widget=AutocompleteSelect(Order._meta.get_field("contact"), admin.site)
    )
    currency = CheckedField(
        Currency, upper=True, initial=lambda: settings.DEFAULT_CURRENCY, help_text="Three letters, like USD."
    )
    shipping = MoneyField(required=False, initial=ZERO)
    tax = MoneyField(required=False, initial=ZERO)


class OrderItemForm(forms.Form):
    product = forms.ModelChoiceField(
        Product.objects.all(), widget=AutocompleteSelect(OrderItem._meta.get_field("product"), admin.site)
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
        amount = left if left or order.status == Order.Status.OPEN else None
        super().__init__(initial={"amount": amount, "generated_reference": _new_reference()}, **options)

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
        initial: dict[str, Any] = {"refunded_total": order.refunded_total}
        if len(purchases) == 1:
            initial["amount"] = left_of(purchases[0])
        super().__init__(initial=initial, **options)
        choices = [(purchase.pk, _describe(purchase)) for purchase in purchases]
        purchase = forms.ChoiceField(label="Purchase", choices=choices, widget=UnfoldAdminSelectWidget)
        kind = forms.ChoiceField(choices=[(kind, kind.label) for kind in kinds], widget=UnfoldAdminSelectWidget)
        self.fields = {"transaction": purchase, "kind": kind, **self.fields}

    def follow(self, order: Order) -> None:
        """Nothing was recorded: what is sent next is meant for the order as it is shown now."""
        self.data = _replaced(self, "refunded_total", str(order.refunded_total))


class ProductForm(forms.ModelForm):
    sku = CheckedField(Sku, label="SKU")
    unit_price = MoneyField()
    currency = CheckedField(
        Currency, upper=True, initial=lambda: settings.DEFAULT_CURRENCY, help_text="Three letters, like USD."
    )

    class Meta:
        model = Product
        fields = ("sku", "title", "kind", "unit_price", "currency", "interval")


def left_of(purchase: Transaction) -> Decimal:
    """What of a purchase is not given back yet."""
    return purchase.amount - purchase.refunded_total


def _describe(purchase: Transaction) -> str:
    left = "" if not purchase.refunded_total else f", {left_of(purchase)} left"
    return f"{purchase.amount} {purchase.currency}{left} ({purchase.gateway} {purchase.reference})"


def _new_reference() -> str:
    return str(TypeID("manual"))


def _replaced(form: forms.Form, field: str, value: str) -> dict[str, Any]:
    # Name by name: to unpack a QueryDict would take its lists.
    return {**{name: form.data[name] for name in form.data}, form.add_prefix(field): value}


def _initial(contact: Contact) -> dict[str, Any]:
    parts = {"phone": contact.phone, "billing_address": contact.billing_address}
    parts["shipping_address"] = contact.shipping_address
    return {
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "tags": "\n".join(contact.tags),
        **{f"{part}_{name}": value for part, members in parts.items() for name, value in (members or {}).items()},
    }


def _sentence(error: Mapping[str, Any]) -> str:
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
