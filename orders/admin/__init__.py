"""The back office of the shop floor: pages that show, and actions that call `orders.services`."""

from orders.admin.catalogue import FunnelAdmin, ProductAdmin
from orders.admin.contacts import ContactAdmin
from orders.admin.money import RefundAdmin, TransactionAdmin
from orders.admin.orders import OrderAdmin
from orders.admin.quotes import QuoteAdmin
from orders.admin.subscriptions import SubscriptionAdmin
from orders.admin.surveys import SurveyAdmin, SurveyResponseAdmin

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
