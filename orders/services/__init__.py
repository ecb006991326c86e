"""The rules of the shop floor. One function is one business fact in one transaction.

Each function changes what the fact changes, reads the result once, and ends by announcing it (`orders.signals`),
so that every receiver sees the same, final order. Lock order: the quote's row, the order's, then the
contact's.

Refusals: `ValidationError({field: [sentence]})` for what the caller got wrong, with the field's name as the API
shows it; `orders.errors.Conflict` for what the state does not allow; `Model.DoesNotExist` for an unknown name.
A refusal leaves nothing behind.
"""

from orders.services.completion import complete_stale_funnel_orders, reach_thank_you
from orders.services.contacts import create_contact, create_contact_by_staff, edit_contact_by_staff
from orders.services.lookups import get_order
from orders.services.ordering import create_order
from orders.services.payments import record_transaction
from orders.services.quotes import create_quote, sell_quote
from orders.services.refunds import apply_refund
from orders.services.subscriptions import cancel_subscription
from orders.services.surveys import complete_survey
from orders.services.tracking import clear_tracking, set_tracking

__all__ = [
    "apply_refund",
    "cancel_subscription",
    "clear_tracking",
    "complete_stale_funnel_orders",
    "complete_survey",
    "create_contact",
    "create_contact_by_staff",
    "create_order",
    "create_quote",
    "edit_contact_by_staff",
    "get_order",
    "reach_thank_you",
    "record_transaction",
    "sell_quote",
    "set_tracking",
]
