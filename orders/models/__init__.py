"""Commerce: contacts, the catalogue, orders and what becomes of them.

Nothing here is written from outside: `orders.services` holds the rules and is the only writer.
"""

from orders.models.catalogue import Funnel, Product
from orders.models.contacts import Contact
from orders.models.fields import HIGHEST_TOTAL, Source
from orders.models.orders import FIRST_ORDER_NUMBER, Order, OrderItem
from orders.models.payments import Refund, Transaction
from orders.models.quotes import Quote, QuoteItem
from orders.models.subscriptions import Subscription
from orders.models.surveys import Survey, SurveyResponse

__all__ = [
    "FIRST_ORDER_NUMBER",
    "HIGHEST_TOTAL",
    "Contact",
    "Funnel",
    "Order",
    "OrderItem",
    "Product",
    "Quote",
    "QuoteItem",
    "Refund",
    "Source",
    "Subscription",
    "Survey",
    "SurveyResponse",
    "Transaction",
]
