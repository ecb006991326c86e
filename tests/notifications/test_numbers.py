"""The numbers of the dashboard are those of the rows behind them, whatever has happened to these."""

import random
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from channels_app.models import Channel
from channels_app.services import create_channel
from channels_app.transports import Answer, Outcome
from notifications import erasure, recounting, replay, retention, services, stats
from notifications.delivery.claim import claim
from notifications.delivery.maintenance import abandon, recover
from notifications.delivery.record import record
from notifications.delivery.send import Result
from notifications.events import EVENT_TYPES
from notifications.models import ChannelHour, Delivery, Event, Heartbeat
from notifications.tally import Tally
from notifications.tasks import recount
from orders.models import Contact
from tests.notifications.deliveries import let_leases_run_out, make_delivery, make_due

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def recounts_at_once(monkeypatch):
    monkeypatch.setattr(recounting, "SHARE", 0)
    monkeypatch.setattr(recounting, "_rests_until", 0.0)
    monkeypatch.setattr(recounting, "LONGEST_RUN_SECONDS", float("inf"))


@pytest.fixture
def staff(db) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    return client


def recounted_an_hour_ago() -> None:
    """The first recount is of a month."""
    Heartbeat.objects.create(name="recount", at=timezone.now() - timedelta(hours=1))


def tiles() -> tuple[int, int]:
    """Succeeded and failed, as the dashboard says."""
    totals = stats.last_day().totals
    return totals.succeeded, totals.failed


def rows() -> tuple[int, int]:
    """As the rows say: by the definition, not by our own query."""
    begins = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
    finished = Delivery.objects.exclude(next_trigger="test").filter(finished_at__gte=begins)
    return finished.filter(status="succeeded").count(), finished.filter(status="failed").count()


def send(*, outcome: Outcome, tally: Tally | None = None, number: int = 64) -> int:
    """Record this outcome of what may be sent now."""
    status = {Outcome.SUCCEEDED: 200, Outcome.HTTP_ERROR: 400}[outcome]
    make_due()
    results = [
        Result(each, Answer(outcome, status_code=status), 5) for each in claim(slots=number, slowed_slots=number)
    ]
    return record(results, tally)


def in_the_log(staff: Client, link: str) -> int:
    """How many rows the log shows behind a link."""
    return len(set(re.findall(r"/admin/notifications/delivery/(dlv_5F\w+)/change/", staff.get(link).content.decode())))


def behind_the_tiles(staff: Client) -> dict[str, tuple[str, int]]:
    """Of each tile that leads to the log: what it says, and how many rows are there."""
    page = staff.get("/admin/").content.decode()
    found = re.findall(r'<dt>([^<]+)</dt>\s*<dd><a href="([^"]*period=24h[^"]*)">([^<]+)</a>', page)
    return {label: (value, in_the_log(staff, link.replace("&amp;", "&"))) for label, link, value in found}


def test_a_retried_delivery_counts_as_what_it_is_now(channel):
    delivery = make_delivery(channel)
    send(outcome=Outcome.HTTP_ERROR)
    assert tiles() == rows() == (0, 1)
    services.retry_delivery(delivery_id=delivery.pk, by="ada")
    assert tiles() == rows() == (0, 0)
    send(outcome=Outcome.SUCCEEDED)
    assert tiles() == rows() == (1, 0)


def test_it_counts_in_the_hour_in_which_it_was_last_finished(channel):
    delivery = make_delivery(channel)
    send(outcome=Outcome.HTTP_ERROR)
    hours_ago = timezone.now() - timedelta(hours=30)
    Delivery.objects.update(finished_at=hours_ago)
    ChannelHour.objects.update(hour=hours_ago.replace(minute=0, second=0, microsecond=0))
    services.retry_delivery(delivery_id=delivery.pk, by="ada")
    assert [hour.failed for hour in ChannelHour.objects.all()] == [0]
    send(outcome=Outcome.SUCCEEDED)
    assert tiles() == rows() == (1, 0)


def test_a_replay_takes_back_what_it_sends_again(channel):
    for _ in range(4):
        make_delivery(channel)
    send(outcome=Outcome.HTTP_ERROR)
    replay.start_replay(channel_id=channel.pk, since=timezone.now() - timedelta(hours=1), by="ada")
    assert replay.advance() == 4
    assert tiles() == rows() == (0, 0)
    send(outcome=Outcome.SUCCEEDED)
    assert tiles() == rows() == (4, 0)


def test_what_ends_with_its_channel_has_failed(channel):
    for _ in range(3):
        make_delivery(channel)
    services.send_test(channel_id=channel.pk, event_type=EVENT_TYPES["order.completed"], by="ada")
    services.archive_channel(channel_id=channel.pk, by="ada")
    abandon()
    assert Delivery.objects.filter(status="failed").count() == 4
    assert tiles() == rows() == (0, 3)


def test_what_ends_with_the_data_of_a_person_has_failed(channel):
    contact = Contact.objects.create(email="ada@example.com", source="shop")
    for _ in range(3):
        make_delivery(channel)
    Event.objects.update(contact=contact)
    assert len(claim(slots=1, slowed_slots=1)) == 1  # one of them is in flight
    erasure.erase("ada@example.com", by="grace")
    assert Delivery.objects.filter(status="failed").count() == 3
    assert tiles() == rows() == (0, 3)


def test_what_is_purged_is_not_counted_any_longer(channel, settings):
    """Its event is too old, although it was finished a moment ago."""
    settings.RETENTION_DAYS = 1
    for _ in range(4):
        make_delivery(channel)
    send(outcome=Outcome.SUCCEEDED, number=3)
    send(outcome=Outcome.HTTP_ERROR, number=1)
    old = Delivery.objects.order_by("id").values_list("event_id", flat=True)[:3]
    Event.objects.filter(pk__in=list(old)).update(created_at=timezone.now() - timedelta(days=2))
    assert retention.purge() == 3
    assert tiles() == rows()
    assert sum(tiles()) == 1


def test_what_a_killed_worker_had_not_written_is_counted_by_the_next_recount(channel):
    for _ in range(3):
        make_delivery(channel)
    assert send(outcome=Outcome.SUCCEEDED, tally=Tally()) == 3  # and it dies
    assert (tiles(), rows()) == ((0, 0), (3, 0))
    recounted_an_hour_ago()
    assert recount() > 0
    assert tiles() == rows() == (3, 0)


def test_what_was_counted_twice_is_put_right(channel):
    tally = Tally()
    make_delivery(channel)
    send(outcome=Outcome.SUCCEEDED, tally=tally)
    recounted_an_hour_ago()
    recount()
    tally.write()
    assert tiles() == (2, 0)
    recount()
    assert tiles() == rows() == (1, 0)
    assert sum(ChannelHour.objects.get().latencies) == 1  # answers are counted as they come


def test_after_a_time_without_beat_all_of_it_is_recounted_and_nothing_else(channel):
    now = timezone.now()
    for hours in range(30):
        make_delivery(channel, status="succeeded", next_attempt_at=None, finished_at=now - timedelta(hours=hours))
    Heartbeat.objects.create(name="recount", at=now - timedelta(hours=10))
    assert recount() in {11, 12}  # an hour may have begun meanwhile, and the overlap reach into the hour before
    assert stats.last_day().totals.succeeded in {11, 12}
    assert recount() in {1, 2}


def test_the_first_time_a_month_is_counted_by_this_definition(channel):
    """What an earlier version had counted twice is right after an update."""
    long_ago = timezone.now() - timedelta(days=20)
    make_delivery(channel, status="succeeded", next_attempt_at=None, finished_at=long_ago)
    hour = long_ago.replace(minute=0, second=0, microsecond=0)
    ChannelHour.objects.create(channel=channel, hour=hour, succeeded=1, failed=1, latencies=[0] * 60)
    assert recount() > 29 * 24
    kept = ChannelHour.objects.get(hour=hour)
    assert (kept.succeeded, kept.failed) == (1, 0)


def test_a_recount_that_is_stopped_goes_on_there(channel):
    stops = iter([False, False, True])
    assert recounting.recount(stop=lambda: next(stops)) == 2
    began = Heartbeat.objects.get(name="recount").at
    recount()
    assert Heartbeat.objects.get(name="recount").at - began > timedelta(days=25)


def test_a_tile_its_link_and_the_rows_there_say_the_same(staff, channel):
    """Tests are not counted, nor what was finished before, nor what waits again."""
    for _ in range(7):
        make_delivery(channel)
    send(outcome=Outcome.SUCCEEDED, number=4)
    send(outcome=Outcome.HTTP_ERROR)
    services.send_test(channel_id=channel.pk, event_type=EVENT_TYPES["order.completed"], by="ada")
    send(outcome=Outcome.HTTP_ERROR)
    retried = Delivery.objects.filter(status="failed").exclude(next_trigger="test").first()
    services.retry_delivery(delivery_id=retried.pk, by="ada")
    before = make_delivery(channel, status="failed", next_attempt_at=None, finished_at=timezone.now())
    Delivery.objects.filter(pk=before.pk).update(finished_at=timezone.now() - timedelta(hours=25))
    late = make_delivery(channel)
    Delivery.objects.filter(pk=late.pk).update(created_at=timezone.now() - timedelta(days=9))
    Delivery.objects.filter(pk=retried.pk).update(next_attempt_at=timezone.now() + timedelta(hours=1))
    make_only_due(late)
    assert behind_the_tiles(staff) == {"Deliveries": ("7", 7), "Success rate": ("71.4 %", 5), "Failed": ("2", 2)}


def make_only_due(delivery: Delivery) -> None:
    results = [Result(each, Answer(Outcome.SUCCEEDED, status_code=200), 5) for each in claim(slots=64, slowed_slots=64)]
    assert [each.claim.delivery_id for each in results] == [delivery.pk]
    record(results)


@pytest.mark.slow
def test_after_whatever_happened_the_numbers_are_those_of_the_rows(staff, settings):
    """Three hundred steps at random, of which one in five dies before it has counted."""
    settings.CHANNEL_CONCURRENCY = 64
    chance = random.Random(7)
    channels = [create_channel(name=f"C{n}", kind="postback", url="https://example.com/") for n in range(4)]

    def some(status: str) -> Delivery | None:
        return Delivery.objects.filter(status=status, channel__archived_at=None).order_by("?").first()

    for step in range(300):
        what = chance.choice(
            ("make", "make", "succeed", "fail", "die", "retry", "replay", "unknown", "delete", "erase")
        )
        alive = [each for each in channels if not Channel.objects.get(pk=each.pk).archived_at]
        if what == "make":
            make_delivery(chance.choice(alive))
        elif what in {"succeed", "fail", "die"}:
            outcome = Outcome.HTTP_ERROR if what == "fail" else Outcome.SUCCEEDED
            send(outcome=outcome, tally=Tally() if what == "die" else None, number=3)
        elif (
            what == "retry" and (delivery := some("failed")) and not services.deliveries.retry_refused_because(delivery)
        ):
            services.retry_delivery(delivery_id=delivery.pk, by="ada")
        elif what == "replay" and not replay.ReplayJob.objects.filter(status="running").exists():
            replay.start_replay(channel_id=alive[0].pk, since=timezone.now() - timedelta(days=1), by="ada")
            replay.advance()
        elif what == "unknown":
            claim(slots=2, slowed_slots=2)
            let_leases_run_out()
            recover()
        elif what == "delete" and len(alive) > 2 and step > 150:
            services.archive_channel(channel_id=alive[-1].pk, by="ada")
            abandon()
        elif what == "erase" and step % 3 == 0 and (delivery := some("pending")):
            contact = Contact.objects.create(email=f"{step}@example.com", source="shop")
            Event.objects.filter(pk=delivery.event_id).update(contact=contact)
            erasure.erase(contact.email, by="ada")
    recount()
    assert tiles() == rows()
    assert min(rows()) > 0
    for channel in channels:
        finished = Delivery.objects.filter(channel=channel, finished_at__isnull=False)
        summary = stats.channel_summaries([channel.pk])[channel.pk]
        assert summary.succeeded == finished.filter(status="succeeded").count()
        assert summary.failed == finished.filter(status="failed").count()
        month = stats.last_month(channel.pk).totals
        assert (month.succeeded, month.failed) == (summary.succeeded, summary.failed)


def test_both_indexes_serve_the_recount_and_the_log(channel):
    now = timezone.now()
    for hours in range(100):
        for status, outcome in (("succeeded", "succeeded"), ("failed", "http_error")):
            finished = now - timedelta(hours=hours)
            make_delivery(channel, status=status, outcome=outcome, finished_at=finished, next_attempt_at=None)
    with connection.cursor() as cursor:
        # What the planner goes by is this, whatever earlier tests have left to the autovacuum.
        cursor.execute("REINDEX TABLE notifications_delivery")
        cursor.execute("VACUUM ANALYZE notifications_delivery, channels_app_channel")
        # A bitmap of the same index costs about as much.
        cursor.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        try:
            values = {"hour": now, "end": now + timedelta(hours=1), "latencies": []}
            plan = _plan(cursor, recounting.RECOUNT, values)
            for index in ("delivery_succeeded", "delivery_failed"):
                assert f"using {index} on notifications_delivery" in plan, plan
        finally:
            cursor.execute("RESET enable_seqscan; RESET enable_bitmapscan")


def _plan(cursor, query: str, values: dict[str, object]) -> str:
    cursor.execute(f"EXPLAIN {query}", values)
    return "\n".join(line for (line,) in cursor.fetchall())
