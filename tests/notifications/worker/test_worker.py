"""With a real Celery worker and beat on real PostgreSQL and Valkey: from the call of a shop to the receiver."""

import json
import threading
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from redis import Redis
from standardwebhooks import Webhook

from api.keys import create_key
from channels_app.services import update_channel
from notifications.models import Delivery, DeliveryAttempt, Event, Heartbeat
from orders.models import Order
from tests.calling import Caller
from tests.notifications.deliveries import let_leases_run_out, make_delivery, story
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


class Shop:
    """Calls the API with a storefront key, as a shop or a funnel does."""

    def __init__(self) -> None:
        self._call = Caller(create_key(name="Shop", scopes=["storefront"])[1])

    def post(self, path: str, **body: object) -> dict[str, Any]:
        answer = self._call("POST", path, body or b"")
        assert answer.status_code in {200, 201}, answer.content
        parsed: dict[str, Any] = json.loads(answer.content)
        return parsed


def test_from_the_calls_of_a_funnel_to_the_receiver(start, receiver, channel, catalogue):
    update_channel(channel_id=channel.pk, headers={"X-Token": "a-token-of-the-receiver"})
    worker = start("worker")
    start("beat")
    shop = Shop()
    contact = shop.post(
        "/contacts", source="funnel", funnel="spring", email="ada@example.com", first_name="Ada", last_name="B"
    )
    ordered = {"source": "funnel", "funnel": "spring", "items": [{"sku": "mug", "quantity": 1}]}
    order = shop.post("/orders", contact={"id": contact["id"]}, **ordered)
    path = f"/orders/{order['number']}"
    purchase = {"amount": "12.50", "gateway": "stripe"}
    shop.post(f"{path}/transactions", status="declined", reference="d1", **purchase)
    shop.post(f"{path}/transactions", status="approved", reference="r1", **purchase)
    assert shop.post(f"{path}/thank-you")["status"] == "completed"
    shop.post(f"{path}/refunds", kind="refund", amount="2.50")

    left = shop.post("/orders", contact={"id": contact["id"]}, **ordered)
    shop.post(f"/orders/{left['number']}/transactions", status="approved", reference="r2", **purchase)

    # The second order's buyer never comes to the thank-you page: beat completes it.
    wait_until(lambda: Order.objects.filter(status="completed").count() == 2, timeout=60)
    wait_until(lambda: Delivery.objects.filter(status="succeeded").count() == 8, timeout=60)
    assert sorted(receiver.types) == [
        "contact.created",
        "customer.created",
        "order.completed",
        "order.completed",
        "refund.applied",
        "transaction.approved",
        "transaction.approved",
        "transaction.declined",
    ]
    bodies = {event.pk: event.body for event in Event.objects.all()}
    for request in receiver.received:
        Webhook(channel.secret).verify(request.body, request.headers)
        assert request.body == bodies[request.id].encode()
        assert request.headers["x-token"] == "a-token-of-the-receiver"
    assert Delivery.objects.count() == 8

    # One line an attempt, and no secret in any.
    lines = [line for line in worker.log().splitlines() if "event='attempt'" in line]
    assert len(lines) == 8
    assert all("outcome='succeeded'" in line and "duration_ms=" in line for line in lines)
    secrets = (channel.secret, channel.secret.removeprefix("whsec_"), "a-token-of-the-receiver")
    assert not any(secret in worker.log() for secret in secrets)

    wait_until(lambda: Heartbeat.objects.filter(name="beat").exists(), timeout=60)
    call_command("check_delivery", max_age=120)


def test_check_delivery_says_what_is_wrong(channel, capsys):
    with pytest.raises(CommandError) as refused:
        call_command("check_delivery", max_age=120)
    assert str(refused.value).splitlines() == [
        "No worker has claimed for as long as this database exists. Is a worker running?",
        "No beat has run for as long as this database exists. Is beat running?",
    ]


def test_a_killed_worker_loses_nothing_and_leaves_nothing_claimed(start, receiver, channel):
    made = [make_delivery(channel) for _ in range(30)]
    go_on = threading.Event()
    receiver.answer = lambda request: 200 if go_on.wait(60) else 500
    worker = start("worker")
    wait_until(lambda: len(receiver.received) == 8, timeout=60)
    worker.kill()
    assert Delivery.objects.exclude(lease_token=None).count() == 8
    go_on.set()
    let_leases_run_out()
    start("worker")
    wait_until(lambda: Delivery.objects.filter(status="succeeded").count() == 30, timeout=60)
    assert {request.id for request in receiver.received} == {delivery.event_id for delivery in made}
    # Twice arrived at most what was in flight at the kill, and each of those is visible.
    assert len(receiver.received) == 38
    recovered = DeliveryAttempt.objects.filter(outcome="unknown").values_list("delivery_id", flat=True)
    assert len(recovered) == 8
    for delivery in Delivery.objects.filter(pk__in=recovered):
        assert story(delivery) == [(1, "first", "unknown", None), (2, "recovered", "succeeded", 200)]
    assert Delivery.objects.exclude(lease_token=None).count() == 0


def test_sigterm_leaves_nothing_half_done(start, receiver, channel):
    made = [make_delivery(channel) for _ in range(12)]
    go_on = threading.Event()
    receiver.answer = lambda request: 200 if go_on.wait(60) else 500
    worker = start("worker")
    wait_until(lambda: len(receiver.received) == 8, timeout=60)
    ended: list[int] = []
    stopping = threading.Thread(target=lambda: ended.append(worker.terminate()))
    stopping.start()
    go_on.set()
    stopping.join(60)
    assert ended == [0]
    assert Delivery.objects.exclude(lease_token=None).count() == 0
    assert DeliveryAttempt.objects.exclude(outcome="succeeded").count() == 0
    succeeded = Delivery.objects.filter(status="succeeded").count()
    assert succeeded == len(receiver.received) >= 8
    assert Delivery.objects.filter(status="pending", attempts_made=0).count() == len(made) - succeeded


def test_a_wiped_broker_costs_no_delivery(start, receiver, channel, catalogue, settings):
    start("worker")
    broker = Redis.from_url(settings.REDIS_URL)
    shop = Shop()
    for number in range(20):
        shop.post("/contacts", source="shop", email=f"{number}@example.com", first_name="A", last_name="B")
        broker.flushall()
    wait_until(lambda: Delivery.objects.filter(status="succeeded").count() == 20, timeout=60)
    assert len(receiver.received) == 20


def test_without_a_broker_orders_are_saved_and_their_deliveries_go_out(start, receiver, channel, settings, tmp_path):
    gone = f"unix://{tmp_path}/nobody-listens.sock"
    worker = start("worker", REDIS_URL=gone)
    settings.REDIS_URL = gone
    Shop().post("/contacts", source="shop", email="ada@example.com", first_name="A", last_name="B")
    wait_until(lambda: Delivery.objects.filter(status="succeeded").count() == 1, timeout=60)
    assert receiver.types == ["contact.created"]
    assert worker.terminate() == 0
