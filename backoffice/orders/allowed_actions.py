from dataclasses import dataclass

from backoffice.orders.forms import left_of
from orders.models import Order, Refund, Transaction


@dataclass(frozen=True)
class Actions:
    """What the state of an order allows, and why not the rest."""

    order: Order
    transactions: list[Transaction]

    @property
    def no_payment_because(self) -> str | None:
        refunded = self.order.status == Order.Status.REFUNDED
        return "The order is refunded and takes no more purchases." if refunded else None

    @property
    def refundable(self) -> list[Transaction]:
        """The approved purchases of which something can be given back; one of 0.00 can be voided once."""
        return [
            purchase
            for purchase in self.transactions
            if purchase.status == Transaction.Status.APPROVED and (left_of(purchase) > 0 or self._voidable(purchase))
        ]

    @property
    def refund_kinds(self) -> list[Refund.Kind]:
        possible = {
            Refund.Kind.REFUND: any(left_of(purchase) > 0 for purchase in self.refundable),
            Refund.Kind.VOID: any(self._voidable(purchase) for purchase in self.refundable),
        }
        return [kind for kind, is_possible in possible.items() if is_possible]

    @property
    def no_refund_because(self) -> str | None:
        if self.refundable:
            return None
        if self.order.status == Order.Status.OPEN:
            return "There is no approved purchase yet."
        return "Everything that was paid has been given back."

    @property
    def no_thank_you_because(self) -> str | None:
        return {
            Order.Status.OPEN: "There is no approved purchase yet.",
            Order.Status.COMPLETED: "The order is completed.",
            Order.Status.REFUNDED: "The order is refunded.",
        }.get(Order.Status(self.order.status))

    @staticmethod
    def _voidable(purchase: Transaction) -> bool:
        return not purchase.refunds.all()  # prefetched
