"""What staff fill in. A form checks with the types of `orders.inputs`, so that staff and callers of the API meet the
same rules in the same words, and hands over what `orders.services` takes.
"""

from backoffice.orders.forms.catalogue import ProductForm
from backoffice.orders.forms.changes import CancelForm, TrackingForm
from backoffice.orders.forms.contacts import ContactForm
from backoffice.orders.forms.fields import LineField, add_refusal
from backoffice.orders.forms.ordering import OrderForm, OrderItemFormSet
from backoffice.orders.forms.payments import PaymentForm, RefundForm, left_of

__all__ = [
    "CancelForm",
    "ContactForm",
    "LineField",
    "OrderForm",
    "OrderItemFormSet",
    "PaymentForm",
    "ProductForm",
    "RefundForm",
    "TrackingForm",
    "add_refusal",
    "left_of",
]
