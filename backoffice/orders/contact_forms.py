"""The form of a contact, checked with the types of `orders.inputs`."""

from collections.abc import Mapping, Sequence
from typing import Any

import pydantic
from django import forms
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from backoffice.orders.form_fields import sentence
from orders.inputs import StaffContactInput
from orders.models import Contact

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
# More than a person reads; each tag may have one.
MOST_ERRORS = 100
_COUNTRY_HELP = "Two letters, like US."


class ContactForm(forms.Form):
    """A contact, new or known (`contact`), whose e-mail stays where the form was sent without one."""

    belong_together = [
        ("phone_number", "phone_country"),
        *([f"{address}_{name}" for name in _ADDRESS_LABELS] for address in ADDRESSES),
    ]

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
        if contact and self.is_bound and self.add_prefix("email") not in self.data:
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
            "email": values.get("email") if "email" in self.fields or not self._contact else self._contact.email,
            "first_name": values.get("first_name", ""),
            "last_name": values.get("last_name", ""),
            "tags": [tag for line in values.get("tags", "").splitlines() if (tag := line.strip())],
            "phone": self._part("phone", ("country", "number")),
            **{address: self._part(address, _ADDRESS_LABELS) for address in ADDRESSES},
        }
        if self.errors:
            return values
        try:
            values["contact"] = StaffContactInput.model_validate(members)
        except pydantic.ValidationError as refusal:
            for error in refusal.errors(include_url=False, include_input=False)[:MOST_ERRORS]:
                field = "_".join(part for part in error["loc"] if isinstance(part, str))
                self.add_error(field if field in self.fields else None, sentence(error))
        return values

    def _part(self, name: str, members: Sequence[str] | Mapping[str, str]) -> dict[str, str] | None:
        """A phone number or an address; None where nothing of it is given."""
        part = {member: self.cleaned_data.get(f"{name}_{member}", "") for member in members}
        part["country"] = part["country"].upper()
        return part if any(part.values()) else None


def _initial(contact: Contact) -> dict[str, Any]:
    parts = {"phone": contact.phone, "billing_address": contact.billing_address}
    parts["shipping_address"] = contact.shipping_address
    return {
        "email": contact.email,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "tags": "\n".join(contact.tags),
        **{f"{part}_{name}": value for part, members in parts.items() for name, value in (members or {}).items()},
    }
