"""The back office of the shop floor: pages that show, and actions that call `orders.services`."""

from orders.admin.catalogue import FunnelAdmin, ProductAdmin
from orders.admin.contacts import ContactAdmin
from orders.admin.money import RefundAdmin, TransactionAdmin
from orders.admin.orders import OrderAdmin

__all__ = ["ContactAdmin", "FunnelAdmin", "OrderAdmin", "ProductAdmin", "RefundAdmin", "TransactionAdmin"]
