"""A small coffee roaster: what it sells, and the calls of its story (`demo.story`)."""

from decimal import Decimal
from typing import Any

from django.conf import settings

from orders.currencies import decimals_of
from orders.inputs import AddressInput, ContactInput, ItemInput, TrackingInput
from orders.models import Contact, Funnel, Order, Product, Source, Survey, Transaction
from orders.services import create_order, record_transaction, set_tracking

STARTER, TASTING = "barista-starter", "summer-tasting"
SURVEY = "how-was-your-coffee"


def price(amount: str | Decimal) -> Decimal:
    """Rounded to what the shop's currency has of decimals; the story's own has two."""
    return Decimal(amount).quantize(Decimal(1).scaleb(-decimals_of(settings.DEFAULT_CURRENCY)))


def stock_shop() -> None:
    """Products of every kind, two funnels and a survey."""
    physical, digital, subscription = Product.Kind.PHYSICAL, Product.Kind.DIGITAL, Product.Kind.SUBSCRIPTION
    for sku, title, kind, amount, interval in (
        ("KIT-01", "Pour-over coffee kit", physical, "64.00", None),
        ("MUG-02", "Stoneware mug", physical, "14.50", None),
        ("BEANS-1KG", "House blend, 1 kg", physical, "22.00", None),
        ("COURSE-01", "Home barista course", digital, "49.00", None),
        ("BOOK-01", "Forty brewing recipes (PDF)", digital, "12.00", None),
        ("CLUB-MONTH", "Coffee of the month", subscription, "19.90", Product.Interval.MONTH),
        ("CLUB-YEAR", "Tasting club", subscription, "180.00", Product.Interval.YEAR),
    ):
        Product.objects.create(sku=sku, title=title, kind=kind, unit_price=price(amount), interval=interval)
    Funnel.objects.create(name="Barista starter", slug=STARTER)
    Funnel.objects.create(name="Summer tasting", slug=TASTING)
    Survey.objects.create(title="How was your coffee?", slug=SURVEY)


def person(first_name: str, last_name: str, email: str, **members: Any) -> ContactInput:
    """Contact details; `members` are further ones of `ContactInput`."""
    return ContactInput.model_validate({"first_name": first_name, "last_name": last_name, "email": email, **members})


def lines(*items: tuple[str, int] | tuple[str, int, str]) -> list[ItemInput]:
    """Items, of each the sku, the quantity and, where it is not the product's own, the price."""
    return [
        ItemInput(sku=sku, quantity=quantity, unit_price=price(given[0]) if given else None)
        for sku, quantity, *given in items
    ]


def order(
    source: Source,
    contact: ContactInput | Contact,
    *items: tuple[str, int],
    shipping: str = "0.00",
    tax: str = "0.00",
    funnel: str | None = None,
) -> Order:
    """Open an order, with the details of a contact or with a known one."""
    address = contact.shipping_address
    return create_order(
        source=source,
        contact=contact.pk if isinstance(contact, Contact) else contact,
        items=lines(*items),
        shipping=price(shipping),
        tax=price(tax),
        funnel=funnel,
        shipping_address=AddressInput.model_validate(address) if isinstance(address, dict) else address,
    )


def pay(order: Order, reference: str, gateway: str = "card") -> None:
    """Record an approved purchase of the order's whole total."""
    approved = Transaction.Status.APPROVED
    record_transaction(
        number=order.number, status=approved, amount=price(order.total), gateway=gateway, reference=reference
    )


def add_upsell(order: Order, reference: str, sku: str, amount: str) -> None:
    """Record an approved upsell of one item by card."""
    record_transaction(
        number=order.number,
        status=Transaction.Status.APPROVED,
        amount=price(amount),
        gateway="card",
        reference=reference,
        is_upsell=True,
        items=lines((sku, 1)),
    )


def decline(order: Order, reference: str, code: str, message: str) -> None:
    """Record a declined purchase of the order's whole total by card."""
    record_transaction(
        number=order.number,
        status=Transaction.Status.DECLINED,
        amount=price(order.total),
        gateway="card",
        reference=reference,
        decline_code=code,
        decline_message=message,
    )


def send_parcel(order: Order, carrier: str, number: str, url: str | None = None) -> None:
    """Set the tracking of an order."""
    set_tracking(number=order.number, tracking=TrackingInput(carrier=carrier, number=number, url=url))


def latest_order_of(email: str) -> Order:
    """The newest order of the contact with this address. Raises `Order.DoesNotExist`."""
    return Order.objects.filter(contact__email=email).latest("pk")
