"""The back office of the shop floor: pages that show, and actions that call `orders.services`."""

from backoffice.orders.catalogue import FunnelAdmin, ProductAdmin
from backoffice.orders.contacts import ContactAdmin
from backoffice.orders.orders import OrderAdmin
from backoffice.orders.payments import RefundAdmin, TransactionAdmin
from backoffice.orders.quotes import QuoteAdmin
from backoffice.orders.subscriptions import SubscriptionAdmin
from backoffice.orders.surveys import SurveyAdmin, SurveyResponseAdmin

__all__ = [
    "ContactAdmin",
    "FunnelAdmin",
    "OrderAdmin",
    "ProductAdmin",
    "QuoteAdmin",
    "RefundAdmin",
    "SubscriptionAdmin",
    "SurveyAdmin",
    "SurveyResponseAdmin",
    "TransactionAdmin",
]
