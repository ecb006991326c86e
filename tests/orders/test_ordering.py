from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from orders import services
from orders.inputs import AddressInput, ItemInput
from orders.models import HIGHEST_TOTAL, Contact, Funnel, Order, Product
from tests.orders.shop import NOTHING, Announcements, contact_input, counts, item, pay, place

pytestmark = pytest.mark.django_db


def test_an_order_opens_with_its_totals(lead: Contact, mug: Product, course: Product, announced: Announcements) -> None:
    order = services.create_order(
        source="shop",
        contact=lead.id,
        items=[item("mug", 3), item("course", 1, "40"), item("mug")],
        shipping=Decimal("4.90"),
        tax=Decimal("0.01"),
        shipping_address=AddressInput(line1="1 Main St", country="US"),
    )

    assert order == Order.objects.get()
    assert order.number == str(order.pk + 1000)
    assert (order.source, order.origin, order.status, order.currency) == ("shop", "shop", "open", "USD")
    assert (order.subtotal, order.shipping, order.tax) == (Decimal("90.00"), Decimal("4.90"), Decimal("0.01"))
    assert (order.total, order.paid_total, order.refunded_total) == (Decimal("94.91"), Decimal(0), Decimal(0))
    assert (order.contact, order.funnel, order.completed_at, order.first_paid_at) == (lead, None, None, None)
    assert order.shipping_address is not None and order.shipping_address["line1"] == "1 Main St"
    assert [(line.sku, line.title, line.kind, line.quantity) for line in order.items.all()] == [
        ("mug", "Mug", "physical", 3),
        ("course", "Course", "digital", 1),
        ("mug", "Mug", "physical", 1),
    ]
    assert [(line.unit_price, line.total) for line in order.items.all()] == [
        (Decimal("12.50"), Decimal("37.50")),
        (Decimal("40.00"), Decimal("40.00")),
        (Decimal("12.50"), Decimal("12.50")),
    ]
    assert [(line.is_upsell, line.paid_by) for line in order.items.all()] == [(False, None)] * 3
    assert announced.names == []


def test_lines_keep_title_and_price_of_the_day(lead: Contact, mug: Product) -> None:
    order = place(lead, item("mug"))
    Product.objects.update(title="Cup", unit_price="20.00")
    (line,) = services.get_order(number=order.number).items.all()
    assert (line.title, line.unit_price) == ("Mug", Decimal("12.50"))


def test_a_contact_sent_along_is_created_and_announced(mug: Product, announced: Announcements) -> None:
    order = place(contact_input(), item("mug"))
    announcement = announced.only("contact.created")
    assert announced.names == ["contact.created"]
    assert announcement.arguments == {"contact": order.contact, "source": "shop", "reactivated": False}
    assert (order.contact.email, order.contact.source) == ("ada@example.com", "shop")


def test_a_known_contact_sent_along_is_reactivated(
    lead: Contact, mug: Product, funnel: Funnel, announced: Announcements
) -> None:
    order = place(contact_input("ADA@example.com", tags=["spring"]), item("mug"), source="funnel")
    assert (order.contact, order.funnel, order.origin) == (lead, funnel, "funnel")
    assert (order.contact.source, order.contact.tags) == ("shop", ["spring"])
    announcement = announced.only("contact.created")
    assert announced.names == ["contact.created"]
    assert announcement.arguments == {"contact": lead, "source": "funnel", "reactivated": True}


def test_staff_open_an_order_of_a_known_contact(lead: Contact, mug: Product, announced: Announcements) -> None:
    order = place(lead, item("mug"), source="admin")
    assert (order.source, order.origin, order.funnel) == ("admin", "admin", None)
    assert announced.names == []


def test_staff_open_an_order_of_a_new_contact_only(mug: Product, announced: Announcements) -> None:
    order = place(contact_input(), item("mug"), source="admin")
    assert order.contact.source == "admin"
    assert announced.take() == ["contact.created"]
    with pytest.raises(ValidationError) as refusal:
        place(contact_input("ADA@example.com", first_name="Eve"), item("mug"), source="admin")
    assert refusal.value.message_dict == {"contact.email": ["This e-mail is known."]}
    assert Order.objects.count() == 1
    assert Contact.objects.get().first_name == "Ada"
    assert announced.names == []


def test_unknown_products_are_named_and_leave_nothing(mug: Product, poster: Product, announced: Announcements) -> None:
    with pytest.raises(ValidationError) as refusal:
        place(contact_input(), item("mug"), item("cup"), item("poster"), item("MUG", 1, "1"))
    assert refusal.value.message_dict == {
        "items[1].sku": ["There is no product with this sku."],
        "items[2].unit_price": ["Give the price in USD: the product is priced in EUR."],
        "items[3].sku": ["There is no product with this sku."],
    }
    assert counts() == NOTHING
    assert announced.names == []


def test_a_product_of_another_currency_is_sold_at_a_given_price(lead: Contact, poster: Product) -> None:
    assert place(lead, item("poster", 2, "11")).total == Decimal("22.00")
    in_euros = place(lead, item("poster", 2), currency="EUR")
    assert (in_euros.currency, in_euros.total) == ("EUR", Decimal("19.80"))
    assert place(lead, item("poster", 1, "0")).total == 0


def test_the_default_currency_is_the_settings(lead: Contact, poster: Product, settings: object) -> None:
    settings.DEFAULT_CURRENCY = "EUR"  # type: ignore[attr-defined]
    assert place(lead, item("poster")).currency == "EUR"


def test_an_unknown_contact_is_refused(mug: Product, announced: Announcements) -> None:
    for unknown in ("con_01h455vb4pex5vsknk084sn02q", "nobody", ""):
        with pytest.raises(ValidationError) as refusal:
            services.create_order(source="shop", contact=unknown, items=[item("mug")])
        assert list(refusal.value.message_dict) == ["contact.id"]
    assert counts() == NOTHING
    assert announced.names == []


@pytest.mark.parametrize(
    ("source", "slug"), [("funnel", None), ("funnel", "autumn"), ("shop", "spring"), ("admin", "spring")]
)
def test_an_order_of_a_funnel_names_a_known_one_and_no_other_order_does(
    source: str, slug: str | None, funnel: Funnel, mug: Product, announced: Announcements
) -> None:
    with pytest.raises(ValidationError) as refusal:
        services.create_order(source=source, contact=contact_input(), items=[item("mug")], funnel=slug)
    assert list(refusal.value.message_dict) == ["funnel"]
    assert counts() == NOTHING
    assert announced.names == []


def test_the_largest_order_can_be_recorded_and_a_larger_upsell_is_refused(
    lead: Contact, mug: Product, announced: Announcements
) -> None:
    largest: list[ItemInput] = [item("mug", 9999, "9999999999.99")] * 100
    order = place(lead, *largest)
    assert order.total == Decimal("9998999999990001.00")
    Order.objects.update(subtotal=HIGHEST_TOTAL, total=HIGHEST_TOTAL)
    before = counts()
    with pytest.raises(ValidationError) as refusal:
        pay(order, "1", is_upsell=True, items=[item("mug", 1, "0.01")])
    assert list(refusal.value.message_dict) == ["items"]
    assert counts() == before
    assert announced.names == []


@pytest.mark.parametrize(
    "number", ["", "0", "1000000", "abc", "1001x", " 1001", "-1", "١٠٠١", "\x00", "10\x0001", "9" * 20, "9" * 5000]
)
def test_what_names_no_order_is_not_found(number: str) -> None:
    calls = [
        lambda: services.get_order(number=number),
        lambda: services.reach_thank_you(number=number),
        lambda: services.apply_refund(number=number, kind="void"),
        lambda: services.record_transaction(
            number=number, status="approved", amount=Decimal(1), gateway="stripe", reference="r"
        ),
    ]
    for call in calls:
        with pytest.raises(Order.DoesNotExist):
            call()
