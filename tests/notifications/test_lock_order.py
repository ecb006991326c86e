"""All that takes locks, at once, on connections of its own: nobody ends in a deadlock, and nothing is left in limbo."""

import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from api import reencryption
from channels_app.models import Channel
from channels_app.services import create_channel
from channels_app.transports import Answer, Outcome
from notifications import alert_targets, erasure, replay, retention, services
from notifications.alerts import watching
from notifications.delivery import claim as claiming
from notifications.delivery.claim import claim
from notifications.delivery.maintenance import CHANNEL_DELETED, abandon, recover
from notifications.delivery.record import record
from notifications.delivery.send import Result
from notifications.errors import Conflict
from notifications.events import EVENT_TYPES
from notifications.models import (
    AlertDelivery,
    ChannelHealth,
    Delivery,
    DeliveryAttempt,
    Event,
    ReplayJob,
    new_delivery_id,
)
from notifications.pausing import pause_channel
from orders import services as shop
from orders.errors import Conflict as OrderConflict
from orders.models import Contact, Funnel, Order, Product
from tests.notifications.alerting import claim_alerts, make_administrator
from tests.notifications.deliveries import make_delivery
from tests.orders.shop import contact_input, item, pay, place, refund
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CHANNELS, PEOPLE = 4, 3
TURNS = int(os.environ.get("LOCKS_TURNS") or 40)
SOURCES = ("admin", "shop", "funnel")
ANSWERS = (
    *[Answer(Outcome.SUCCEEDED, status_code=200)] * 20,
    *[Answer(Outcome.HTTP_ERROR, status_code=503, error="The receiver answered 503 to Ada.")] * 8,
    *[Answer(Outcome.HTTP_ERROR, status_code=404, error="The receiver answered 404.")] * 8,
    Answer(Outcome.TIMEOUT, error="No answer."),
)
GONE = Answer(Outcome.GONE, status_code=410, error="The receiver answered 410.")
# What a person, or a worker that comes too late, is told.
REFUSALS = (Conflict, OrderConflict, ValidationError, ObjectDoesNotExist)


Actor = Callable[[random.Random], object]


class Everybody:
    """Runs each actor in a thread of its own; the first one `TURNS` times, the others for as long as that takes."""

    def __init__(self, seed: int) -> None:
        self.errors: list[str] = []  # of the database
        self.refused: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self._seed = seed

    def act(self, leading: Actor, *others: Actor) -> None:
        over = threading.Event()

        def lead() -> None:
            try:
                self._turns(leading, 0, lambda turn: turn == TURNS)
            finally:
                over.set()

        threads = [threading.Thread(target=lead)]
        for number, actor in enumerate(others, 1):
            turns = (actor, number, lambda turn: over.is_set())
            threads.append(threading.Thread(target=self._turns, args=turns))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(100)
        assert not any(thread.is_alive() for thread in threads), "Somebody still waits for somebody."

    def _turns(self, actor: Actor, number: int, ends: Callable[[int], bool]) -> None:
        chance, name, turn = random.Random(f"{self._seed} {number}"), actor.__name__, 0
        try:
            while not ends(turn):
                turn += 1
                try:
                    actor(chance)
                    self.done[name] += 1
                except REFUSALS as refusal:
                    self.refused[f"{name}: {type(refusal).__name__}"] += 1
                except DatabaseError as error:
                    self.errors.append(f"{name}: {error}")
        except BaseException as error:
            self.errors.append(f"{name}: {error!r}")
        finally:
            connection.close()


@pytest.fixture
def everybody() -> Everybody:
    seed = int(os.environ.get("LOCKS_SEED") or time.time_ns() % 1_000_000)
    print(f"LOCKS_SEED={seed}")
    return Everybody(seed)


def deadlocks() -> int:
    """As PostgreSQL counts them; a session tells what it saw when it ends."""
    connection.close_pool()  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        count: int = cursor.fetchone()[0]
    connection.close()
    return count


@pytest.fixture
def channels(db, attach, settings, monkeypatch) -> list[Channel]:
    """Attached to everything; each is told of the alerts about the others. Leases end before some are recorded."""
    settings.CHANNEL_CONCURRENCY = 100
    settings.POSTBACK_TIMEOUT_SECONDS = 0.1
    settings.FUNNEL_COMPLETION_SECONDS = 0.0
    monkeypatch.setattr(claiming, "LEASE_MARGIN_SECONDS", 0.2)
    monkeypatch.setattr(retention, "BATCH", 20)
    monkeypatch.setattr(replay, "AT_ONCE", 20)
    monkeypatch.setattr(reencryption, "BATCH", 3)
    monkeypatch.setattr(watching, "SECRETS_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(watching, "SHARE_OF_SECRETS", 0)
    make_administrator()
    made = [
        create_channel(name=f"Channel {number}", kind="postback", url="https://example.com/", headers={"X-Token": "a"})
        for number in range(CHANNELS)
    ]
    for channel in made:
        attach(channel)
        alert_targets.choose(channel_id=channel.pk, by="test")
    return made


@pytest.fixture
def old_events(channels) -> None:
    for number in range(200):
        make_delivery(channels[number % CHANNELS], status="failed", next_attempt_at=None, finished_at=Now())
    Event.objects.update(created_at=F("created_at") - timedelta(days=100))


def test_nobody_waits_for_somebody_who_waits_for_them(
    everybody, channels, old_events, mug, funnel, settings, monkeypatch
):
    people = [
        Contact.objects.create(source="shop", **contact_input(f"ada{number}@example.com").model_dump())
        for number in range(PEOPLE)
    ]
    before = deadlocks()

    def buy(chance: random.Random) -> None:
        order = place(chance.choice(people), item("mug"), source=chance.choice(["shop", "funnel"]))
        with transaction.atomic():  # several events in one transaction, as a bulk import makes them
            pay(order, reference=order.number)
            if chance.random() < 0.3:
                refund(order, "1")
        if order.source == "funnel" and chance.random() < 0.5:
            shop.reach_thank_you(number=order.number)
        shop.create_contact(source="shop", data=contact_input(chance.choice(people).email, tags=["again"]))

    def complete(chance: random.Random) -> None:
        shop.complete_stale_funnel_orders(batch=5)

    def deliver(chance: random.Random) -> None:
        claimed = claim(slots=200, slowed_slots=100)
        chance.shuffle(claimed)
        if chance.random() < 0.1:
            time.sleep(0.4)  # a frozen worker, whose leases run out meanwhile
        if claimed:
            gone = Result(claimed.pop(), GONE if chance.random() < 0.1 else ANSWERS[0], 7)
            record([gone, *(Result(each, chance.choice(ANSWERS), 7) for each in claimed if chance.random() < 0.95)])

    def tidy(chance: random.Random) -> None:
        recover()
        abandon()
        replay.advance()

    def retry(chance: random.Random) -> None:
        failed = Delivery.objects.filter(
            status="failed", event_type="order.completed", event__erased_at=None, channel__paused_at=None
        )
        failed = failed.filter(channel__archived_at=None).order_by("-pk")
        for delivery_id in failed.values_list("pk", flat=True)[:3]:
            services.retry_delivery(delivery_id=delivery_id, by="test")

    def send_again(chance: random.Random) -> None:
        since = Delivery.objects.earliest("created_at").created_at
        replay.start_replay(channel_id=chance.choice(channels).pk, since=since, by="test")

    def erase(chance: random.Random) -> None:
        erasure.erase(chance.choice(people).email, by="test")

    def forget(chance: random.Random) -> None:
        retention.purge()

    def tell(chance: random.Random) -> None:
        watching.watch()
        while claims := claim_alerts():
            record([Result(each, chance.choice(ANSWERS), 1) for each in claims])

    def administrate(chance: random.Random) -> None:
        channel_id, by = chance.choice(channels).pk, "test"
        event_type = EVENT_TYPES[chance.choice(["order.completed", "transaction.approved", "contact.created"])]
        attachment: dict[str, Any] = {"event_type": event_type, "channel_id": channel_id, "by": by}
        chance.choice(
            [
                lambda: pause_channel(channel_id=channel_id, reason="For a while.", by=by),
                lambda: services.resume_channel(channel_id=channel_id, by=by),
                lambda: services.resume_channel(channel_id=channel_id, by=by),
                lambda: services.update_channel(channel_id=channel_id, name="Renamed", by=by),
                lambda: services.rotate_secret(channel_id=channel_id, overlap=timedelta(hours=1), by=by),
                lambda: services.send_test(channel_id=channel_id, event_type=event_type, by=by),
                lambda: services.probe_now(channel_id=channel_id),
                lambda: services.detach_channel(**attachment),
                lambda: services.attach_channel(**attachment, sources=SOURCES),
                lambda: services.change_sources(**attachment, sources=chance.sample(SOURCES, 2)),
                lambda: services.set_event_type_enabled(event_type=event_type, enabled=chance.random() < 0.8, by=by),
                lambda: alert_targets.leave_out(channel_id=channel_id, by=by),
                lambda: alert_targets.choose(channel_id=channel_id, by=by),
            ]
        )()

    def delete(chance: random.Random) -> None:
        """A channel that others use at this moment, and one more in its place."""
        place_of = chance.randrange(CHANNELS)
        new = create_channel(name="One more", kind="postback", url="https://example.com/")
        for event_type in EVENT_TYPES.values():
            services.attach_channel(event_type=event_type, channel_id=new.pk, sources=SOURCES, by="test")
        old, channels[place_of] = channels[place_of], new
        services.archive_channel(channel_id=old.pk, by="test")

    def reencrypt(chance: random.Random) -> None:
        reencryption.reencrypt()

    everybody.act(
        *(buy, complete, deliver, deliver, tidy, retry, send_again, erase, forget, tell, administrate),
    )
    everybody.act(*(buy, deliver, deliver, tidy, erase, tell, administrate, administrate, delete, reencrypt, retry))
    print(dict(everybody.done), dict(everybody.refused))

    assert everybody.errors == []
    assert deadlocks() == before
    settle()
    nothing_is_in_limbo(people)


@pytest.mark.parametrize("sort", [sorted, lambda ids: sorted(ids, reverse=True)], ids=["forwards", "backwards"])
def test_an_erasure_and_the_answers_that_come_in_meanwhile(sort, channels, lead, monkeypatch):
    """Both want all deliveries of a person. A third one holds the one in the middle until both have begun."""
    monkeypatch.setattr(claiming, "LEASE_MARGIN_SECONDS", 60)
    events = Event.objects.bulk_create(
        Event(type="order.completed", source="shop", contact=lead, body="{}") for _ in range(9)
    )
    ids = sort(new_delivery_id() for _ in events)  # also in the order in which the table is read
    Delivery.objects.bulk_create(
        Delivery(id=delivery_id, event=event, event_type=event.type, channel=channels[0])
        for delivery_id, event in zip(ids, events, strict=True)
    )
    claimed = {each.delivery_id: each for each in claim(slots=9, slowed_slots=9)}
    results = [Result(claimed[delivery_id], ANSWERS[0], 7) for delivery_id in sort(claimed)]
    before, errors = deadlocks(), []

    def at_once(call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    calls = [lambda: record(results), lambda: erasure.erase(lead.email, by="test")]
    threads = [threading.Thread(target=at_once, args=(call,)) for call in calls]
    try:
        with transaction.atomic():
            Delivery.objects.select_for_update().get(pk=sorted(claimed)[4])
            for number, thread in enumerate(threads, 1):
                thread.start()
                wait_until(lambda number=number: waiting_sessions() == number)
    finally:
        for thread in threads:
            thread.join(60)
    assert errors == []
    assert deadlocks() == before
    assert set(Delivery.objects.values_list("status", "lease_token")) == {("succeeded", None)}
    assert Event.objects.filter(erased_at=None).count() == 0


def waiting_sessions() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        count: int = cursor.fetchone()[0]
    return count


def settle() -> None:
    """Let the last leases run out, and do what workers then do."""
    Delivery.objects.exclude(lease_token=None).update(lease_expires_at=F("lease_expires_at") - timedelta(hours=1))
    recover()
    while abandon():
        pass
    Channel.objects.filter(archived_at=None).update(paused_at=None)
    ChannelHealth.objects.update(probe_at=None, in_flight_cap=None, failures_in_row=0)
    for _ in range(1000):
        waiting = Delivery.objects.filter(status="pending")
        if not waiting.exists() and not ReplayJob.objects.filter(status="running").exists():
            return
        waiting.update(next_attempt_at=Now())
        record([Result(each, ANSWERS[0], 7) for each in claim(slots=200, slowed_slots=200)])
        replay.advance()
    raise AssertionError(f"{waiting.count()} deliveries are never finished.")


def nothing_is_in_limbo(people: list[Contact]) -> None:
    """Constraints hold each row together; this holds the rows together."""
    assert DeliveryAttempt.objects.filter(outcome="started").count() == 0
    assert AlertDelivery.objects.exclude(lease_token=None).count() == 0
    for delivery in Delivery.objects.prefetch_related("attempts"):
        numbers = sorted(attempt.number for attempt in delivery.attempts.all())
        assert numbers == list(range(1, delivery.attempts_made + 1)), delivery.pk
    for event in Event.objects.exclude(erased_at=None):
        assert re.search("Byron|@example", event.body or "") is None, event.pk
    erased = Delivery.objects.exclude(event__erased_at=None)
    assert set(erased.values_list("status", flat=True)) <= {"succeeded", "failed"}
    # Every order is completed and told of once, however many called for it at once.
    shop.complete_stale_funnel_orders()
    assert set(Order.objects.values_list("status", flat=True)) <= {"completed", "refunded"}
    told = Counter(Event.objects.filter(type="order.completed", order__isnull=False).values_list("order_id", flat=True))
    assert told == dict.fromkeys(Order.objects.values_list("pk", flat=True), 1)
    assert {event.pk for event in Event.objects.all()} >= set(Delivery.objects.values_list("event_id", flat=True))
    assert Product.objects.count() == Funnel.objects.count() == 1


def test_whoever_records_waits_for_no_deletion_and_what_was_recorded_beside_it_fails(channel):
    """A record holds hours of channels and then refers to others; a deletion holds its channel and then counts."""
    deleted, go_on = threading.Event(), threading.Event()

    def delete() -> None:
        with transaction.atomic():
            services.archive_channel(channel_id=channel.pk, by="test")
            deleted.set()
            go_on.wait(20)
        connection.close()

    thread = threading.Thread(target=delete)
    thread.start()
    try:
        assert deleted.wait(10)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '2s'")
            late = make_delivery(channel)
    finally:
        go_on.set()
        thread.join(20)
    assert abandon() == 1
    late.refresh_from_db()
    assert (late.status, late.error) == ("failed", CHANNEL_DELETED)
