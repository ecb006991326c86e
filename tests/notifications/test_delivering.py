"""The engine with a real receiver: what is sent, what is tried again, what is not."""

import threading
from typing import Any

import pytest
from django.db import connection
from standardwebhooks import Webhook

from channels_app import encryption
from channels_app.services import create_channel, pause_channel, resume_channel, update_channel
from channels_app.transports import TRANSPORTS
from notifications import services
from notifications.errors import Conflict
from notifications.events import EVENT_TYPES
from notifications.models import ChannelHealth, Delivery
from tests.notifications.deliveries import make_delivery, make_due, story
from tests.orders.shop import item, pay, place
from tests.servers.hostile import refusing_port
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_order_arrives_signed_with_the_contracts_headers_and_body(engine, receiver, channel, attach, lead, mug):
    attach(channel, "order.completed")
    pay(place(lead, item("mug")))
    assert engine.deliver_due() == 1
    (request,) = receiver.received
    delivery = Delivery.objects.select_related("event").get()
    assert request.body == delivery.event.body.encode()
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert request.headers["user-agent"].startswith("Tidings/")
    assert request.id == delivery.event_id
    Webhook(channel.secret).verify(request.body, request.headers)
    assert list(request.event) == ["id", "type", "timestamp", "source", "data"]
    assert (delivery.status, delivery.outcome, delivery.status_code) == ("succeeded", "succeeded", 200)
    assert delivery.next_attempt_at is None
    assert delivery.finished_at is not None
    attempt = delivery.attempts.get()
    assert story(delivery) == [(1, "first", "succeeded", 200)]
    assert attempt.url == receiver.url
    assert attempt.response_body == "ok"
    assert attempt.request_headers["webhook-id"] == delivery.event_id
    assert attempt.duration_ms is not None


def test_503_is_tried_four_times_with_the_same_id_and_bytes_and_then_failed(engine, receiver, channel, settings):
    receiver.answer = lambda request: 503
    delivery = make_delivery(channel)
    engine.deliver_due()
    delivery.refresh_from_db()
    assert story(delivery) == [
        (1, "first", "http_error", 503),
        (2, "automatic", "http_error", 503),
        (3, "automatic", "http_error", 503),
        (4, "automatic", "http_error", 503),
    ]
    assert (delivery.status, delivery.outcome, delivery.status_code) == ("failed", "http_error", 503)
    assert {(request.id, request.body) for request in receiver.received} == {
        (delivery.event_id, delivery.event.body.encode())
    }
    assert len(receiver.received) == 4


@pytest.mark.parametrize("status", [404, 400, 401, 418, 501, 301, 302, 307, 304])
def test_any_other_status_is_tried_once(engine, receiver, channel, status):
    receiver.answer = lambda request: status
    receiver.headers["Location"] = receiver.url + "/elsewhere"
    delivery = make_delivery(channel)
    engine.deliver_due()
    delivery.refresh_from_db()
    assert story(delivery) == [(1, "first", "http_error", status)]
    assert delivery.status == "failed"
    assert [request.path for request in receiver.received] == ["/hook"]


def test_410_pauses_the_channel_and_holds_what_waits(engine, receiver, channel):
    receiver.answer = lambda request: 410
    delivery = make_delivery(channel)
    engine.deliver_due()
    later = make_delivery(channel)
    engine.deliver_due()
    channel.refresh_from_db()
    delivery.refresh_from_db()
    assert (channel.status, channel.pause_reason) == (
        "paused",
        "The receiver answered 410 Gone: it wants no more messages.",
    )
    assert (delivery.status, delivery.outcome) == ("failed", "gone")
    assert Delivery.objects.select_related("channel").get(pk=later.pk).shown_status == "held"
    assert len(receiver.received) == 1


def test_a_refused_connection_is_retried_and_delivered_once_somebody_listens(engine, receiver, channel, settings):
    settings.POSTBACK_RETRY_DELAYS_SECONDS = [3600.0]
    with refusing_port() as port:
        channel.url = f"http://127.0.0.1:{port}/"
        channel.save()
        delivery = make_delivery(channel)
        engine.deliver_due()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.outcome, delivery.next_trigger) == ("pending", "connection_error", "automatic")
    assert str(port) in delivery.error
    channel.url = receiver.url
    channel.save()
    make_due()
    engine.deliver_due()
    assert story(delivery) == [(1, "first", "connection_error", None), (2, "automatic", "succeeded", 200)]


def test_a_receiver_that_hangs_is_cut_at_the_deadline_and_not_retried(engine, receiver, channel, settings):
    settings.POSTBACK_TIMEOUT_SECONDS = 0.3
    done = threading.Event()
    receiver.answer = lambda request: 200 if done.wait(20) else 500
    delivery = make_delivery(channel)
    engine.deliver_due()
    done.set()
    delivery.refresh_from_db()
    assert story(delivery) == [(1, "first", "timeout", None)]
    assert delivery.status == "failed"
    assert ChannelHealth.objects.get().in_flight_cap == 1


def test_retry_after_lengthens_the_wait(engine, receiver, channel):
    receiver.answer = lambda request: 429
    receiver.headers["Retry-After"] = "1000"
    delivery = make_delivery(channel)
    engine.deliver_due()
    delivery.refresh_from_db()
    attempt = delivery.attempts.get()
    wait = (delivery.next_attempt_at - attempt.started_at).total_seconds()
    assert 999 < wait < 1100
    assert delivery.status == "pending"


def test_a_manual_retry_is_a_fresh_cycle_with_the_same_id_and_bytes(engine, receiver, channel):
    statuses = iter([404, 503, 503, 200])
    receiver.answer = lambda request: next(statuses)
    delivery = make_delivery(channel)
    engine.deliver_due()
    services.retry_delivery(delivery_id=delivery.pk, by="test")
    engine.deliver_due()
    delivery.refresh_from_db()
    assert story(delivery) == [
        (1, "first", "http_error", 404),
        (2, "manual", "http_error", 503),
        (3, "automatic", "http_error", 503),
        (4, "automatic", "succeeded", 200),
    ]
    assert delivery.status == "succeeded"
    assert len({(request.id, request.body) for request in receiver.received}) == 1


def test_two_retries_at_once_make_one_cycle(engine, receiver, channel):
    receiver.answer = lambda request: 404
    delivery = make_delivery(channel)
    engine.deliver_due()
    barrier = threading.Barrier(2)
    results: list[Any] = []

    def retry() -> None:
        barrier.wait(10)
        try:
            results.append(services.retry_delivery(delivery_id=delivery.pk, by="test").status)
        except Conflict as refused:
            results.append(str(refused))
        finally:
            connection.close()

    threads = [threading.Thread(target=retry) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(results) == ["It is waiting to be sent.", "pending"]
    engine.deliver_due()
    assert story(delivery) == [(1, "first", "http_error", 404), (2, "manual", "http_error", 404)]


class TestRefusedRetries:
    def refused(self, delivery: Delivery) -> str:
        with pytest.raises(Conflict) as refused:
            services.retry_delivery(delivery_id=delivery.pk, by="test")
        return str(refused.value)

    def test_each_says_why_and_changes_nothing(self, engine, receiver, channel):
        delivery = make_delivery(channel)
        assert self.refused(delivery) == "It is waiting to be sent."
        engine.deliver_due()
        assert self.refused(delivery) == "It has been delivered."
        receiver.answer = lambda request: 404
        other = make_delivery(channel, event_type="contact.created")
        failed = make_delivery(channel)
        engine.deliver_due()
        assert self.refused(other) == "Contact created has no manual retry."
        pause_channel(channel_id=channel.pk, reason="Maintenance.")
        assert self.refused(failed) == "The channel is paused. Resume it first."
        resume_channel(channel_id=channel.pk)
        services.archive_channel(channel_id=channel.pk, by="test")
        assert self.refused(failed) == "The channel was deleted."
        assert len(receiver.received) == 3
        assert set(Delivery.objects.values_list("status", flat=True)) == {"succeeded", "failed"}

    def test_in_flight(self, engine, receiver, channel):
        go_on = threading.Event()
        receiver.answer = lambda request: 200 if go_on.wait(20) else 500
        delivery = make_delivery(channel)
        thread = threading.Thread(target=engine.deliver_due)
        thread.start()
        wait_until(lambda: receiver.received)
        assert self.refused(delivery) == "It is being sent right now."
        go_on.set()
        thread.join(20)
        delivery.refresh_from_db()
        assert delivery.status == "succeeded"

    def test_an_unknown_delivery_is_not_found(self):
        with pytest.raises(Delivery.DoesNotExist):
            services.retry_delivery(delivery_id="dlv_unknown", by="test")


def test_a_paused_channel_receives_nothing_until_it_is_resumed(engine, receiver, channel):
    delivery = make_delivery(channel)
    pause_channel(channel_id=channel.pk, reason="Maintenance.")
    assert engine.deliver_due() == 0
    assert receiver.received == []
    resume_channel(channel_id=channel.pk)
    assert engine.deliver_due() == 1
    assert story(delivery) == [(1, "first", "succeeded", 200)]


def test_a_deleted_channel_fails_its_pending_deliveries_with_the_reason(engine, receiver, channel, attach):
    attach(channel)
    delivery = make_delivery(channel)
    services.archive_channel(channel_id=channel.pk, by="test")
    overlapped = make_delivery(channel)  # recorded by a transaction that began before the deletion
    engine.deliver_due()
    for each in (delivery, overlapped):
        each.refresh_from_db()
        assert (each.status, each.error) == ("failed", "The channel was deleted.")
    assert receiver.received == []
    assert channel.attachments.count() == 0


def test_deleting_a_channel_lets_what_is_in_flight_end_without_further_retries(engine, receiver, channel):
    go_on = threading.Event()
    receiver.answer = lambda request: 503 if go_on.wait(20) else 500
    delivery = make_delivery(channel)
    thread = threading.Thread(target=engine.deliver_due)
    thread.start()
    wait_until(lambda: receiver.received)
    services.archive_channel(channel_id=channel.pk, by="test")
    go_on.set()
    thread.join(20)
    delivery.refresh_from_db()
    assert story(delivery) == [(1, "first", "http_error", 503)]
    assert delivery.status == "failed"
    assert delivery.error.endswith("The channel was deleted.")


def test_detaching_and_disabling_leave_recorded_deliveries_to_go_out(engine, receiver, channel, attach, lead, mug):
    attach(channel, "order.completed")
    pay(place(lead, item("mug")))
    event_type = EVENT_TYPES["order.completed"]
    services.set_event_type_enabled(event_type=event_type, enabled=False, by="test")
    services.detach_channel(event_type=event_type, channel_id=channel.pk, by="test")
    assert engine.deliver_due() == 1
    assert receiver.types == ["order.completed"]


def test_url_headers_and_secret_are_read_at_each_attempt(engine, receiver, channel):
    receiver.answer = lambda request: 404
    delivery = make_delivery(channel)
    engine.deliver_due()
    update_channel(channel_id=channel.pk, url=receiver.url + "/new", headers={"X-Token": "abc"})
    services.retry_delivery(delivery_id=delivery.pk, by="test")
    engine.deliver_due()
    assert [request.path for request in receiver.received] == ["/hook", "/hook/new"]
    assert receiver.received[1].headers["x-token"] == "abc"
    assert "abc" not in str(list(delivery.attempts.values()))


def test_a_lost_encryption_key_is_said_and_retried_and_spares_the_other_channels(
    engine, receiver, channel, monkeypatch
):
    other = create_channel(name="Other", kind="postback", url=receiver.url)
    channel.encrypted_secret = "written-with-a-key-that-is-gone"
    channel.save()
    lost, fine = make_delivery(channel), make_delivery(other)
    engine.deliver_due()
    for each in (lost, fine):
        each.refresh_from_db()
    assert [outcome for _, _, outcome, _ in story(lost)] == ["internal_error"] * 4
    assert "SECRETS_ENCRYPTION_KEYS" in lost.error
    with pytest.raises(encryption.SecretUnreadable):
        _ = channel.secret
    assert fine.status == "succeeded"


def test_a_bug_of_a_transport_is_an_internal_error_and_retried(engine, receiver, channel, monkeypatch):
    def break_down(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(TRANSPORTS["postback"], "send", break_down)
    delivery = make_delivery(channel)
    engine.deliver_due()
    delivery.refresh_from_db()
    assert [outcome for _, _, outcome, _ in story(delivery)] == ["internal_error"] * 4
    assert delivery.error == "A fault of Tidings: ZeroDivisionError."
