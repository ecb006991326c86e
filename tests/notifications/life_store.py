"""What stands in PostgreSQL, compared with the model; and time, which passes by moving stored times back."""

import json
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from channels_app.models import Channel
from notifications.models import ChannelHealth, Delivery, DeliveryAttempt, Event, ReplayJob
from notifications.services import retry_refused_because
from tests.notifications.life_model import Between, Life

TIMES = {
    "notifications_event": ["created_at"],
    "notifications_delivery": ["next_attempt_at", "lease_expires_at", "created_at", "finished_at"],
    "notifications_deliveryattempt": ["started_at"],
    "notifications_channelhealth": ["probe_at", "failing_since", "last_failed_at", "stage_at", "success_sent_at"],
    "notifications_replayjob": ["since", "created_at", "finished_at"],
}
# Whoever refers to another one first.
TABLES = [
    *("deliveryattempt", "delivery", "event", "replayjob", "channelhealth", "channelhour", "alert"),
    *("historyentry", "eventchannel"),
]


class Store:
    """The tables of one life. Its times are those of the database plus what has been skipped."""

    def __init__(self) -> None:
        self.skipped = timedelta(0)
        with connection.cursor() as cursor:
            cursor.execute(";".join(f"DELETE FROM notifications_{table}" for table in TABLES))
            cursor.execute("DELETE FROM channels_app_channel")
            cursor.execute("SELECT setseed(0.5)")  # a claim takes channels at random: the same ones again

    def now(self) -> datetime:
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            now: datetime = cursor.fetchone()[0]
        return now + self.skipped

    def skip(self, time: timedelta) -> None:
        with connection.cursor() as cursor:
            for table, columns in TIMES.items():
                moved = ", ".join(f"{column} = {column} - make_interval(secs => %s)" for column in columns)
                cursor.execute(f"UPDATE {table} SET {moved}", [time.total_seconds()] * len(columns))
            cursor.execute(
                "UPDATE notifications_channelhealth SET failures_sent_at = "
                "ARRAY(SELECT at - make_interval(secs => %s) FROM unnest(failures_sent_at) at)",
                [time.total_seconds()],
            )
        self.skipped += time

    def stored(self, when: datetime) -> datetime:
        """A time of this life as the database is told it."""
        return when - self.skipped

    def assert_agrees(self, life: Life) -> None:
        """Every column that tells of a life is what the model says; moments that nobody saw are seen now."""
        self._channels(life)
        self._events(life)
        self._replays(life)
        self._deliveries(life)

    def _channels(self, life: Life) -> None:
        health: dict[str, Any] = {row["channel_id"]: row for row in ChannelHealth.objects.values()}
        for channel in Channel.objects.all():
            known = life.channels[channel.pk]
            assert (channel.paused_at is not None, channel.archived_at is not None) == (known.paused, known.archived)
            row = health.get(channel.pk, {})
            assert (row.get("in_flight_cap"), row.get("failures_in_row", 0)) == (known.own_cap, known.failures)
            self._see(known, "probe_at", row.get("probe_at"))

    def _events(self, life: Life) -> None:
        bodies = dict(Event.objects.values_list("pk", "body"))
        assert bodies == {pk: event.body for pk, event in life.events.items()}

    def _replays(self, life: Life) -> None:
        jobs = {job.pk: job for job in ReplayJob.objects.all()}
        assert jobs.keys() == life.replays.keys()
        for pk, known in life.replays.items():
            finished = known.finished_at is not None
            assert (jobs[pk].count, jobs[pk].replayed) == (known.count, known.replayed)
            assert jobs[pk].status == ("finished" if finished else "running")
            self._see(known, "created_at", jobs[pk].created_at)
            self._see(known, "finished_at", jobs[pk].finished_at)

    def _deliveries(self, life: Life) -> None:
        attempts: dict[str, list[DeliveryAttempt]] = defaultdict(list)
        for attempt in DeliveryAttempt.objects.order_by("number"):
            attempts[attempt.delivery_id].append(attempt)
        rows = {row.pk: row for row in Delivery.objects.select_related("channel", "event")}
        assert rows.keys() == life.deliveries.keys()
        assert attempts.keys() <= rows.keys()
        for pk, known in life.deliveries.items():
            row, made = rows[pk], attempts[pk]
            _assert_sound(row, made)
            assert row.status == known.status
            assert row.shown_status == life.shown(known)
            assert row.outcome == known.outcome
            assert row.automatic_retries == known.retries <= 3
            assert row.unknowns_in_row == known.unknowns <= 3
            assert row.in_flight == (known.lease is not None)
            assert [[attempt.trigger, attempt.outcome] for attempt in made] == known.attempts
            assert [attempt.pk for attempt in made if attempt.outcome == "started"] == [known.lease] * row.in_flight
            assert retry_refused_because(row) == life.retry_refused(known)
            if row.status == "pending":
                assert row.next_trigger == known.trigger
            self._see(known, "due_at", row.next_attempt_at)
            self._see(known, "finished_at", row.finished_at)
            self._see(known, "lease_ends", row.lease_expires_at)

    def _see(self, known: Any, name: str, stored: datetime | None) -> None:
        expected, seen = getattr(known, name), stored and stored + self.skipped
        if isinstance(expected, Between):
            assert seen is not None, name
            assert expected.earliest <= seen <= expected.latest, (name, expected, seen)
            setattr(known, name, seen)
        else:
            assert seen == expected, name


def _assert_sound(row: Delivery, made: list[DeliveryAttempt]) -> None:
    """What holds of every delivery, whatever has happened to it."""
    assert (row.next_attempt_at is not None, row.finished_at is None) == (row.status == "pending",) * 2, "in limbo"
    assert (row.lease_token is None) == (row.lease_expires_at is None), "half a lease"
    assert row.lease_token is None or row.status == "pending", "in flight, yet finished"
    assert [attempt.number for attempt in made] == list(range(1, row.attempts_made + 1)), "a gap between attempts"
    assert [attempt.outcome for attempt in made].count("started") == row.in_flight, "started is what is in flight"
    assert json.loads(row.event.body or "")["type"] == row.event_type
