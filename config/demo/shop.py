"""A small coffee roaster's last orders: what the demo's back office shows. All of it goes through the services."""

from decimal import Decimal
from typing import Any

from orders.inputs import ContactInput, ItemInput
from orders.models import Funnel, Order, Product, Refund, Source, Transaction
from orders.services import (
    apply_refund,
    create_contact,
    create_contact_by_staff,
    create_order,
    reach_thank_you,
    record_transaction,
)

STARTER, TASTING = "barista-starter", "summer-tasting"


def load_shop() -> None:
    """Products, funnels, contacts from the three sources, and orders in every status. For an empty database."""
    _stock()
    _visitors()
    _admin_orders()
    _shop_orders()
    _funnel_orders()
    _given_back()


def _stock() -> None:
    physical, digital, subscription = Product.Kind.PHYSICAL, Product.Kind.DIGITAL, Product.Kind.SUBSCRIPTION
    for sku, title, kind, price, interval in (
        ("KIT-01", "Pour-over coffee kit", physical, "64.00", None),
        ("MUG-02", "Stoneware mug", physical, "14.50", None),
        ("BEANS-1KG", "House blend, 1 kg", physical, "22.00", None),
        ("COURSE-01", "Home barista course", digital, "49.00", None),
        ("BOOK-01", "Forty brewing recipes (PDF)", digital, "12.00", None),
        ("CLUB-MONTH", "Coffee of the month", subscription, "19.90", Product.Interval.MONTH),
        ("CLUB-YEAR", "Tasting club", subscription, "180.00", Product.Interval.YEAR),
    ):
        Product.objects.create(sku=sku, title=title, kind=kind, unit_price=Decimal(price), interval=interval)
    Funnel.objects.create(name="Barista starter", slug=STARTER)
    Funnel.objects.create(name="Summer tasting", slug=TASTING)


def _visitors() -> None:
    """Leads who have bought nothing yet; one of them leaves her address a second time."""
    create_contact_by_staff(data=_person("Grace", "Liu", "grace.liu@example.org", tags=["trade fair"]))
    olivia = _person("Olivia", "Brown", "olivia.brown@example.com", tags=["newsletter"])
    create_contact(source=Source.SHOP, data=olivia)
    samuel = _person("Samuel", "Adeyemi", "samuel.adeyemi@example.org")
    create_contact(source=Source.FUNNEL, funnel=TASTING, data=samuel)
    again = _person("Olivia", "Brown", "olivia.brown@example.com", tags=["tasting"])
    create_contact(source=Source.FUNNEL, funnel=TASTING, data=again)


def _admin_orders() -> None:
    margaret = _person(
        "Margaret", "Osei", "margaret.osei@example.org", phone={"country": "GB", "number": "+44 20 7946 0102"}
    )
    order = _order(Source.ADMIN, margaret, ("BEANS-1KG", 6), ("MUG-02", 12), shipping="18.00", tax="64.80")
    _pay(order, "bank-1001", gateway="bank transfer")
    _order(Source.ADMIN, _person("Petr", "Novák", "petr.novak@example.com"), ("KIT-01", 2), shipping="9.00")


def _shop_orders() -> None:
    priya = _person(
        *("Priya", "Raman", "priya.raman@example.com"),
        shipping_address={
            **{"first_name": "Priya", "last_name": "Raman", "line1": "18 Alder Street", "city": "Portland"},
            **{"state": "OR", "zip_code": "97205", "country": "US"},
        },
    )
    _pay(_order(Source.SHOP, priya, ("KIT-01", 1), ("MUG-02", 2), shipping="5.90"), "pay-2001")

    jonas = _person("Jonas", "Weber", "jonas.weber@example.org")
    order = _order(Source.SHOP, jonas, ("CLUB-MONTH", 1), ("BEANS-1KG", 1), shipping="4.90")
    _decline(order, "pay-2002", "card_declined", "The bank declined the card.")
    _pay(order, "pay-2003")

    _order(Source.SHOP, _person("Lucía", "Fernández", "lucia.fernandez@example.com"), ("COURSE-01", 1))


def _funnel_orders() -> None:
    tom = _person("Tom", "Nguyen", "tom.nguyen@example.com", tags=["barista"])
    order = _order(Source.FUNNEL, tom, ("COURSE-01", 1), funnel=STARTER)
    _pay(order, "pay-3001")
    record_transaction(
        number=order.number,
        status=Transaction.Status.APPROVED,
        amount=Decimal("12.00"),
        gateway="card",
        reference="pay-3002",
        is_upsell=True,
        items=[_item("BOOK-01", 1)],
    )
    reach_thank_you(number=order.number)

    aisha = _person("Aisha", "Karim", "aisha.karim@example.org")
    _pay(_order(Source.FUNNEL, aisha, ("CLUB-YEAR", 1), funnel=TASTING), "pay-3003")  # has not left the funnel yet

    daniel = _person("Daniel", "Rossi", "daniel.rossi@example.com")
    order = _order(Source.FUNNEL, daniel, ("COURSE-01", 1), ("KIT-01", 1), funnel=STARTER)
    _decline(order, "pay-3004", "insufficient_funds", "The account has not enough money.")


def _given_back() -> None:
    hannah = _person("Hannah", "Lindqvist", "hannah.lindqvist@example.org")
    order = _order(Source.SHOP, hannah, ("MUG-02", 4), shipping="6.50")
    _pay(order, "pay-4001")
    apply_refund(number=order.number, kind=Refund.Kind.REFUND, amount=Decimal("14.50"), reason="One mug arrived broken")

    order = _order(Source.SHOP, _person("Kenji", "Sato", "kenji.sato@example.com"), ("BOOK-01", 1))
    _pay(order, "pay-4002")
    apply_refund(number=order.number, kind=Refund.Kind.VOID, reason="Bought by mistake")

    chloe = _person("Chloé", "Martin", "chloe.martin@example.org")
    order = _order(Source.FUNNEL, chloe, ("CLUB-YEAR", 1), funnel=TASTING)
    _pay(order, "pay-4003")
    reach_thank_you(number=order.number)
    apply_refund(number=order.number, kind=Refund.Kind.REFUND, amount=order.total, reason="Moved abroad")


def _person(first_name: str, last_name: str, email: str, **members: Any) -> ContactInput:
    return ContactInput.model_validate({"first_name": first_name, "last_name": last_name, "email": email, **members})


def _item(sku: str, quantity: int) -> ItemInput:
    return ItemInput(sku=sku, quantity=quantity)


def _order(
    source: Source,
    contact: ContactInput,
    *items: tuple[str, int],
    shipping: str = "0.00",
    tax: str = "0.00",
    funnel: str | None = None,
) -> Order:
    return create_order(
        source=source,
        contact=contact,
        items=[_item(sku, quantity) for sku, quantity in items],
        shipping=Decimal(shipping),
        tax=Decimal(tax),
        funnel=funnel,
        shipping_address=contact.shipping_address,
    )


def _pay(order: Order, reference: str, gateway: str = "card") -> None:
    approved = Transaction.Status.APPROVED
    record_transaction(number=order.number, status=approved, amount=order.total, gateway=gateway, reference=reference)


def _decline(order: Order, reference: str, code: str, message: str) -> None:
    record_transaction(
        number=order.number,
        status=Transaction.Status.DECLINED,
        amount=order.total,
        gateway="card",
        reference=reference,
        decline_code=code,
        decline_message=message,
    )
