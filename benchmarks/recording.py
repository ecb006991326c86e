"""What recording an event adds to the transaction of an order, by the number of channels that hear of it.

The fact is a change of an order's tracking: one event, whose body holds the whole order. It is done with and without
`notifications` listening, in turn. No worker runs; the doorbell rings.
"""

import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from django.db import connection
from django.test.utils import CaptureQueriesContext

from benchmarks import installation, table
from benchmarks.receiver import Receiver
from notifications import services as notifications
from notifications.events import EVENT_TYPES
from orders import services, signals
from orders.inputs import ContactInput, ItemInput, TrackingInput
from orders.models import Order, Product

TITLE = "What recording an event adds to an order's transaction"
EVENT_TYPE = EVENT_TYPES["shipping.tracking_updated"]
CHANNELS = (0, 1, 20, 100)
CHANGES = 40


def run(rounds: int) -> None:
    order = _order()
    rows = [("channels", "statements", "of them savepoint", "ms more", "the transaction without, ms")]
    with Receiver() as receiver:
        for count in CHANNELS:
            installation.empty()
            _attach(receiver, count)
            without, with_ = _statements(order)
            added = with_ - without
            ((base, more),) = table.measure(rounds, lambda: _times(order))
            rows.append(
                (str(count), str(added["data"]), str(added["savepoint"]), more.text(), base.text()),
            )
    table.show(TITLE, rows)


def _order() -> Order:
    Product.objects.get_or_create(
        sku="BENCH", defaults={"title": "Mug", "kind": "physical", "unit_price": Decimal("14.50")}
    )
    contact = ContactInput(email="ada@example.com", first_name="Ada", last_name="Byron")
    return services.create_order(source="shop", contact=contact, items=[ItemInput(sku="BENCH", quantity=1)])


def _attach(receiver: Receiver, count: int) -> None:
    notifications.set_event_type_enabled(event_type=EVENT_TYPE, enabled=True, by="bench")
    for channel in installation.make_channels(receiver, count):
        notifications.attach_channel(
            event_type=EVENT_TYPE, channel_id=channel.pk, sources=["admin", "shop", "funnel"], by="bench"
        )


_changes = iter(range(10**9))


def _change(order: Order) -> None:
    tracking = TrackingInput(carrier="UPS", number=f"1Z{next(_changes)}")
    services.set_tracking(number=order.number, tracking=tracking)


@contextmanager
def _nobody_listening() -> Iterator[None]:
    signal = signals.tracking_updated
    receivers, signal.receivers = signal.receivers, []
    signal.sender_receivers_cache.clear()
    try:
        yield
    finally:
        signal.receivers = receivers


def _statements(order: Order) -> tuple[Counter[str], Counter[str]]:
    """The statements of one change, by kind, without and with notifications."""
    _change(order)
    with _nobody_listening(), CaptureQueriesContext(connection) as without:
        _change(order)
    with CaptureQueriesContext(connection) as with_:
        _change(order)
    return _kinds(without), _kinds(with_)


def _kinds(captured: CaptureQueriesContext) -> Counter[str]:
    return Counter(
        "savepoint" if "SAVEPOINT" in query["sql"].upper()[:20] else "data"
        for query in captured.captured_queries
        if query["sql"] not in {"BEGIN", "COMMIT"}
    )


def _times(order: Order) -> tuple[float, float]:
    """How long a change takes without notifications, and how much longer with them; medians in ms."""
    with_, without = [], []
    for _ in range(CHANGES):
        began = time.monotonic()
        with _nobody_listening():
            _change(order)
        between = time.monotonic()
        _change(order)
        without.append(between - began)
        with_.append(time.monotonic() - between)
    base = statistics.median(without)
    return 1000 * base, 1000 * (statistics.median(with_) - base)
