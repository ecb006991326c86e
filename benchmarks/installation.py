"""What the benchmarks run on: channels that lead to the receiver, deliveries, and worker processes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from celery import Celery
from django.db import connection, transaction

from benchmarks.baseline import app as baseline_app
from benchmarks.baseline import deliver
from benchmarks.receiver import Receiver
from channels_app.models import Channel
from channels_app.services import create_channel
from config.celery import app as tidings_app
from notifications import doorbell
from notifications.events import EVENT_TYPES
from notifications.events.bodies import sample_body
from notifications.models import Delivery, Event
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[1]
CHANNELS = 20
# As many as the machine has cores.
PROCESSES = os.cpu_count() or 1
READY_SECONDS = 60
# The contenders by name: None is Tidings itself, else for how many tasks the baseline keeps a database connection.
CONTENDERS: dict[str, int | None] = {
    f"Tidings, {PROCESSES} processes": None,
    "usual: one task a delivery": 0,
    "the same, connection kept": 1000,
}
EVENT_TYPE = EVENT_TYPES["order.completed"]
_BODY = sample_body(EVENT_TYPE, event_id="evt_sample")
WARM_UP = 100
TABLES = (
    *("notifications_deliveryattempt", "notifications_delivery", "notifications_event", "notifications_channelhealth"),
    *("notifications_channelhour", "notifications_eventchannel", "notifications_alert", "notifications_replayjob"),
    *("notifications_historyentry", "notifications_heartbeat", "channels_app_channel"),
)


def empty() -> None:
    """Forget channels, events and deliveries."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")


def make_channels(receiver: Receiver, count: int = CHANNELS) -> list[Channel]:
    """Channels whose receiver knows them by their place in this list."""
    return [
        create_channel(name=f"Channel {number:02}", kind="postback", url=receiver.url(number))
        for number in range(count)
    ]


@transaction.atomic
def forget(channels: list[Channel]) -> None:
    """Remove the channels with all that was ever to be sent to them."""
    ids = [channel.pk for channel in channels]
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM notifications_deliveryattempt attempt USING notifications_delivery delivery "
            "WHERE delivery.id = attempt.delivery_id AND delivery.channel_id = ANY(%s)",
            [ids],
        )
        cursor.execute("DELETE FROM notifications_delivery WHERE channel_id = ANY(%s) RETURNING event_id", [ids])
        events = [event_id for (event_id,) in cursor.fetchall()]
        cursor.execute("DELETE FROM notifications_event WHERE id = ANY(%s)", [events])
        cursor.execute("DELETE FROM notifications_channelhour WHERE channel_id = ANY(%s)", [ids])
    Channel.objects.filter(pk__in=ids).delete()


def new_event() -> Event:
    """With the body of a whole order. Not saved."""
    event = Event(type=EVENT_TYPE.key, source="shop")
    event.body = _BODY.replace("evt_sample", event.pk)
    return event


@transaction.atomic
def make_backlog(channels: list[Channel], count: int) -> list[str]:
    """So many due deliveries, each of an event of its own, dealt out over the channels. Returns their ids."""
    events = [new_event() for _ in range(count)]
    Event.objects.bulk_create(events, batch_size=1000)
    deliveries = [
        Delivery(event=event, event_type=event.type, channel=channels[place % len(channels)])
        for place, event in enumerate(events)
    ]
    Delivery.objects.bulk_create(deliveries, batch_size=1000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # a table that has been in use for a while has statistics
    return [delivery.pk for delivery in deliveries]


@contextmanager
def workers(app: Celery, *commands: list[str], **settings: str) -> Iterator[list[int]]:
    """Worker processes of a Celery application, a command each; gives their process ids once all answer.

    What they write goes to a file, shown should they not start.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        started = []
        try:
            with log.open("wb") as stream:
                for number, command in enumerate(commands):
                    name = [
                        "--hostname",
                        f"bench{number}@%h",
                        "--without-gossip",
                        "--without-mingle",
                        "--without-heartbeat",
                    ]
                    started.append(
                        subprocess.Popen(
                            [sys.executable, "-m", "celery", *command, *name],
                            cwd=ROOT,
                            env={**os.environ, **settings},
                            stdout=stream,
                            stderr=stream,
                            start_new_session=True,
                        )
                    )
            try:
                wait_until(lambda: len(app.control.ping(timeout=0.5)) == len(commands), timeout=READY_SECONDS)
            except AssertionError:
                sys.exit(f"The workers do not start:\n{log.read_text()[-3000:]}")
            yield [process.pid for process in started]
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(60)


def tidings(processes: int = PROCESSES, **settings: str) -> AbstractContextManager[list[int]]:
    """Tidings' own workers, one process a core."""
    return workers(tidings_app, *[["-A", "config", "worker"]] * processes, **settings)


def baseline(*, reuse: int = 0) -> AbstractContextManager[list[int]]:
    """One worker of the baseline, with as many children as cores; a database connection serves `reuse` tasks."""
    command = ["-A", "benchmarks.baseline", "worker", "--concurrency", str(PROCESSES)]
    settings = {"DJANGO_SETTINGS_MODULE": "benchmarks.baseline_settings"}
    if reuse:
        settings["BASELINE_DB_REUSE_MAX"] = str(reuse)
    return workers(baseline_app, command, **settings)


def contender(reuse: int | None) -> AbstractContextManager[list[int]]:
    """The workers of one of `CONTENDERS`."""
    return tidings() if reuse is None else baseline(reuse=reuse)


def warm_up(channels: list[Channel], *, usual: bool = False) -> None:
    """Some deliveries, so that every process has loaded what it needs."""
    deliveries = make_backlog(channels, WARM_UP)
    if usual:
        for delivery_id in deliveries:
            deliver.delay(delivery_id)
    else:
        doorbell.ring()
    wait_until_delivered()


def wait_until_delivered(timeout: float = 600) -> None:
    pending = Delivery.objects.filter(status="pending", channel__paused_at=None)
    wait_until(lambda: not pending.exists(), timeout=timeout, interval=0.1)
