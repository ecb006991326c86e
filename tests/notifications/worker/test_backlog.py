"""With a real worker: what beat asks for takes neither all of its threads nor its end from it, however much is due."""

import time
from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from celery import current_app
from django.db.models.functions import Now
from redis import Redis

from notifications import doorbell, services
from notifications.events import EVENT_TYPES
from notifications.models import Delivery, Event, Heartbeat
from orders.models import Contact, Funnel, Order, OrderItem, Product, Transaction
from tests.notifications.deliveries import make_delivery
from tests.orders.shop import contact_input
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(300)]

ORDERS = 1_500
SWEEP = "orders.tasks.complete_stale_funnel_orders"
BEATS_TASKS = (
    *(SWEEP, "notifications.tasks.record_beat", "notifications.tasks.send_alerts", "notifications.tasks.purge"),
    "config.api.tasks.purge_idempotency_records",
    "config.submitting.tasks.purge_submissions",
)
# Far less than a sweep of all takes, far more than what is in hand.
SOON_SECONDS = 15


@pytest.fixture
def backlog(catalogue) -> None:
    """Paid funnel orders, all of them due."""
    contact = Contact.objects.create(source="funnel", **contact_input().model_dump())
    funnel, mug = Funnel.objects.get(), Product.objects.get()
    price = Decimal("12.50")
    money = {"subtotal": price, "total": price, "paid_total": price, "currency": "USD"}
    orders = Order.objects.bulk_create(
        Order(
            contact=contact,
            source="funnel",
            origin="funnel",
            funnel=funnel,
            status="paid",
            first_paid_at=Now() - timedelta(hours=1),
            **money,
        )
        for _ in range(ORDERS)
    )
    purchases = Transaction.objects.bulk_create(
        Transaction(
            order=order, status="approved", amount=price, currency="USD", gateway="card", reference=str(order.pk)
        )
        for order in orders
    )
    OrderItem.objects.bulk_create(
        OrderItem(
            order=order,
            product=mug,
            paid_by=purchase,
            sku=mug.sku,
            title=mug.title,
            kind=mug.kind,
            quantity=1,
            unit_price=price,
            total=price,
        )
        for order, purchase in zip(orders, purchases, strict=True)
    )


def left() -> int:
    return Order.objects.filter(status="paid").count()


def test_a_backlog_of_due_orders_leaves_threads_to_the_doorbell_and_ends_with_its_worker(
    start, receiver, channel, backlog
):
    services.detach_channel(event_type=EVENT_TYPES["order.completed"], channel_id=channel.pk, by="test")
    worker = start("worker", SWEEP_INTERVAL_SECONDS="60")
    for _ in range(20):
        current_app.send_task(SWEEP)
    wait_until(lambda: left() < ORDERS, timeout=60)
    delivery = make_delivery(channel, event_type="contact.created")
    doorbell.ring()
    wait_until(lambda: Delivery.objects.get(pk=delivery.pk).status == "succeeded", timeout=30)
    began = time.monotonic()
    assert left() > 0
    assert worker.terminate() == 0
    assert time.monotonic() - began < SOON_SECONDS
    assert left() > 0

    start("worker")
    start("worker")
    for _ in range(4):
        current_app.send_task(SWEEP)
    wait_until(lambda: left() == 0, timeout=200, interval=0.5)
    completed = Counter(Event.objects.filter(type="order.completed").values_list("order_id", flat=True))
    assert completed == dict.fromkeys(Order.objects.values_list("pk", flat=True), 1)


def test_what_beat_sent_while_no_worker_ran_is_soon_over(start, receiver, channel, settings):
    """A worker was away for two hours. None of the messages is refused as too old, and none takes long."""
    for _ in range(720):
        for task in BEATS_TASKS[:3]:
            current_app.send_task(task)
    for task in BEATS_TASKS[3:]:
        current_app.send_task(task)
    broker = Redis.from_url(settings.REDIS_URL)
    queue = f"{settings.REDIS_KEY_PREFIX}{current_app.conf.task_default_queue}"
    assert broker.llen(queue) >= 2162
    worker = start("worker")
    wait_until(lambda: broker.llen(queue) == 0, timeout=60)
    assert Heartbeat.objects.filter(name="beat").exists()
    assert worker.terminate() == 0
