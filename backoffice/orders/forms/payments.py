from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from typeid import TypeID
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanWidget

from backoffice.orders.forms.fields import CheckedField, MoneyField
from orders.currencies import money_text
from orders.inputs import ZERO, DeclineCode, Explanation, GatewayName, GatewayReference
from orders.models import Order, Refund, Transaction


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
    """What of a purchase is not given back yet."""
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
