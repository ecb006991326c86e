"""Tracking: any change is announced, the same again is not."""

import pytest

from orders import services
from orders.models import Contact, Order, Product
from orders.representations import OrderOut
from tests.orders.shop import Announcements, item, pay, place, refund, stored, track

pytestmark = pytest.mark.django_db
UPDATED = "shipping.tracking_updated"


@pytest.fixture
def order(lead: Contact, mug: Product, announced: Announcements) -> Order:
    return place(lead, item("mug"))


def test_the_first_setting_is_announced_with_the_order_as_it_is_then(order: Order, announced: Announcements) -> None:
    tracked = track(order, " UPS ", " 1Z999 ", " https://ups.example.com/?n=1Z999 ")
    shown = OrderOut.model_validate(tracked).tracking
    assert shown is not None
    assert shown.model_dump(exclude={"updated_at"}) == {
        "carrier": "UPS",
        "number": "1Z999",
        "url": "https://ups.example.com/?n=1Z999",
    }
    heard = announced.only(UPDATED)
    assert heard.in_transaction
    assert (
        heard.order
        == OrderOut.model_validate(tracked).model_dump()
        == OrderOut.model_validate(stored(order)).model_dump()
    )


@pytest.mark.parametrize(
    ("carrier", "number", "url"),
    [("DHL", "1Z999", None), ("UPS", "1Z998", None), ("UPS", "1Z999", "https://ups.example.com/")],
)
def test_every_change_is_announced_and_moves_the_time(
    carrier: str, number: str, url: str | None, order: Order, announced: Announcements
) -> None:
    before = OrderOut.model_validate(track(order)).tracking
    after = OrderOut.model_validate(track(order, carrier, number, url)).tracking
    assert announced.names == [UPDATED, UPDATED]
    assert before is not None and after is not None
    assert (after.carrier, after.number, after.url) == (carrier, number, url)
    assert after.updated_at > before.updated_at


def test_an_url_left_out_is_taken_away(order: Order, announced: Announcements) -> None:
    track(order, url="https://ups.example.com/")
    track(order)
    assert announced.names == [UPDATED, UPDATED]
    tracking = OrderOut.model_validate(stored(order)).tracking
    assert tracking is not None and tracking.url is None


def test_the_same_values_again_change_and_announce_nothing(order: Order, announced: Announcements) -> None:
    first = track(order, url="https://ups.example.com/")
    announced.take()
    again = track(order, " UPS", "1Z999 ", "https://ups.example.com/ ")
    assert OrderOut.model_validate(again) == OrderOut.model_validate(first)
    assert announced.names == []


def test_a_clearing_is_announced_where_something_was_known(order: Order, announced: Announcements) -> None:
    services.clear_tracking(number=order.number)
    assert announced.names == []
    track(order)
    cleared = services.clear_tracking(number=order.number)
    assert announced.names == [UPDATED, UPDATED]
    assert OrderOut.model_validate(cleared).tracking is None
    assert announced.heard[1].order is not None and announced.heard[1].order["tracking"] is None
    services.clear_tracking(number=order.number)
    assert len(announced.names) == 2


@pytest.mark.parametrize("status", ["open", "paid", "completed", "refunded"])
def test_the_order_may_have_any_status(
    status: str, lead: Contact, mug: Product, funnel: object, announced: Announcements
) -> None:
    order = place(lead, item("mug"), source="funnel" if status == "paid" else "shop")
    if status != "open":
        pay(order)
    if status == "refunded":
        refund(order, kind="void")
    announced.take()
    assert track(order).status == status
    assert announced.names == [UPDATED]


def test_an_unknown_order_is_not_found(order: Order, announced: Announcements) -> None:
    order.number = "999999"
    with pytest.raises(Order.DoesNotExist):
        track(order)
    assert announced.names == []
