"""What staff say of an order or a subscription that goes on."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldAdminURLInputWidget

from backoffice.orders.forms.fields import CheckedField
from orders.inputs import Explanation, Link, ParcelName, TrackingInput
from orders.models import Order


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
        """What `services.set_tracking` takes, of a form that is valid."""
        values = self.cleaned_data
        return TrackingInput(carrier=values["carrier"], number=values["number"], url=values["url"] or None)


class CancelForm(forms.Form):
    """Why a subscription ends."""

    reason = CheckedField(Explanation, required=False, help_text="The contact does not see it; channels do.")
