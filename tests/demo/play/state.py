"""What the rules know of contacts, orders and what belongs to them, and the essentials of how these look outside."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.demo.play.expectation import ANYTHING, Essentials, OneOf
from tests.demo.play.reading import ADDRESS

Body = dict[str, Any]


def money(amount: Decimal) -> str:
    return str(amount.quantize(Decimal("0.01")))


@dataclass(frozen=True)
class Product:
    sku: str
    title: str
    kind: str
    unit_price: Decimal
    interval: str | None


@dataclass(frozen=True)
class Catalogue:
    """What is sold, where, and what is asked: slug to title for surveys. Everything is in one currency."""

    products: dict[str, Product]
    funnels: tuple[str, ...]
    surveys: dict[str, str]
    currency: str = "USD"


@dataclass(eq=False)
class Contact:
    id: str
    email: str
    source: str
    first_name: str = ""
    last_name: str = ""
    status: str = "lead"
    phone: Body | None = None
    tags: list[str] = field(default_factory=list)
    billing_address: Body | None = None
    shipping_address: Body | None = None

    @property
    def essentials(self) -> Essentials:
        members = {name: value for name, value in vars(self).items() if name != "id"}
        return {**members, "tags": sorted(self.tags)}

    @property
    def in_short(self) -> Essentials:
        """As far as an event about something else is compared."""
        return {"email": self.email, "status": self.status, "source": self.source}


@dataclass(frozen=True)
class Item:
    product: Product
    quantity: int
    unit_price: Decimal
    is_upsell: bool = False
    paid: bool = False

    @property
    def total(self) -> Decimal:
        return self.quantity * self.unit_price

    @property
    def essentials(self) -> list[Any]:
        product = self.product
        price, total = money(self.unit_price), money(self.total)
        return [product.sku, product.title, product.kind, self.quantity, price, total, self.is_upsell, self.paid]


@dataclass(eq=False)
class Transaction:
    id: str
    order: "Order"
    status: str
    amount: Decimal
    gateway: str
    reference: str
    is_upsell: bool
    decline_code: str | None
    decline_message: str | None
    paid_for: list[Item] = field(default_factory=list)
    given_back: Decimal = Decimal(0)
    voided: bool = False

    @property
    def wholly_given_back(self) -> bool:
        return self.voided or 0 < self.amount == self.given_back

    @property
    def essentials(self) -> Essentials:
        return {
            "kind": "purchase",
            "status": self.status,
            "amount": money(self.amount),
            "currency": self.order.currency,
            "gateway": self.gateway,
            "reference": self.reference,
            "is_upsell": self.is_upsell,
            "decline_code": self.decline_code,
            "decline_message": self.decline_message,
        }


@dataclass(eq=False)
class Subscription:
    order: "Order"
    product: Product
    amount: Decimal
    id: str = ""  # learned from an answer
    status: str = "active"
    cancel_reason: Any = None

    @property
    def essentials(self) -> Essentials:
        return {
            "status": self.status,
            "product": {"sku": self.product.sku, "title": self.product.title},
            "amount": money(self.amount),
            "currency": self.order.currency,
            "interval": self.product.interval,
            "source": self.order.source,
            "cancel_reason": self.cancel_reason,
        }


@dataclass(eq=False)
class Order:
    number: str
    source: str
    funnel: str | None
    contact: Contact
    items: list[Item]
    shipping: Decimal
    tax: Decimal
    shipping_address: Body | None
    currency: str
    purchases: list[Transaction] = field(default_factory=list)  # the approved ones, oldest first
    subscriptions: list[Subscription] = field(default_factory=list)
    tracking: Body | None = None
    refunded: bool = False
    closed: bool = False
    ripe_at: float = 0.0  # from then on the clock of the server may have completed it
    snapshots: list[Essentials] = field(default_factory=list)  # as which it may have been completed

    @property
    def awaits_completion(self) -> bool:
        return bool(self.purchases) and not self.closed and not self.refunded

    @property
    def total(self) -> Decimal:
        return sum((item.total for item in self.items), self.shipping + self.tax)

    @property
    def all_given_back(self) -> bool:
        paid = sum(purchase.amount for purchase in self.purchases)
        if paid > 0:
            return sum(purchase.given_back for purchase in self.purchases) == paid
        return all(purchase.voided for purchase in self.purchases)

    def may_be_completed(self, now: float) -> bool:
        return now >= self.ripe_at

    def status(self, now: float) -> Any:
        if self.refunded:
            return "refunded"
        if not self.purchases:
            return "open"
        if self.closed:
            return "completed"
        return OneOf(("paid", "completed")) if self.may_be_completed(now) else "paid"

    def essentials(self, now: float) -> Essentials:
        address = self.shipping_address
        return {
            "number": self.number,
            "source": self.source,
            "origin": self.source,
            "status": self.status(now),
            "currency": self.currency,
            "subtotal": money(self.total - self.shipping - self.tax),
            "shipping": money(self.shipping),
            "tax": money(self.tax),
            "total": money(self.total),
            "paid_total": money(sum((purchase.amount for purchase in self.purchases), Decimal(0))),
            "refunded_total": money(sum((purchase.given_back for purchase in self.purchases), Decimal(0))),
            "funnel": self.funnel,
            "contact": {"email": self.contact.email, "status": self.contact.status},
            "items": sorted((item.essentials for item in self.items), key=repr),
            "subscriptions": sorted([part.product.sku, part.status] for part in self.subscriptions),
            # Whether an order without one takes its contact's is not said.
            "shipping_address": {part: address.get(part, "") for part in ADDRESS} if address else ANYTHING,
            "tracking": self.tracking,
        }
