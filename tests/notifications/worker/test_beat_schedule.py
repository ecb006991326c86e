"""Beat's own clock: what it sends at its start, and when the clock of its machine is set back."""

from datetime import UTC, datetime, timedelta

import pytest
from celery import Celery

from config.beat import MemoryScheduler
from config.celery import app

ENTRIES = {"often": {"task": "often", "schedule": 5.0}, "hourly": {"task": "hourly", "schedule": 3600.0}}


class Sending(MemoryScheduler):
    """Keeps what it sends; its machine's clock is `now`."""

    now = datetime(2026, 11, 28, 12, tzinfo=UTC)

    def __init__(self) -> None:
        self.sent: list[str] = []
        clock = Celery("clock", set_as_current=False, beat_schedule=ENTRIES, timezone="UTC")
        clock.now = lambda: self.now
        super().__init__(clock)

    def apply_entry(self, entry, producer=None) -> None:
        self.sent.append(entry.name)

    producer = None

    def run(self) -> list[object]:
        """What is sent until it wants to sleep, and how long that is to be."""
        self.sent.clear()
        while (pause := self.tick()) == 0:
            pass
        self.sent.sort()
        return [*self.sent, round(pause)]


@pytest.fixture
def scheduler() -> Sending:
    return Sending()


def test_all_is_sent_at_the_start(scheduler):
    assert scheduler.run() == ["hourly", "often", 5]
    scheduler.now += timedelta(seconds=5)
    assert scheduler.run() == ["often", 5]


def test_a_clock_that_is_set_back_stops_nothing(scheduler):
    scheduler.run()
    scheduler.now -= timedelta(hours=3)
    assert scheduler.run() == ["hourly", "often", 5]


def test_what_it_sends_leaves_threads_to_the_doorbell_and_connections_to_all_of_them(settings):
    app.loader.import_default_modules()
    tasks = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert all(app.tasks[task].one_at_a_time for task in tasks)
    assert len(tasks) < settings.CELERY_WORKER_CONCURRENCY
    with_the_one_that_claims = settings.CELERY_WORKER_CONCURRENCY + 1
    assert with_the_one_that_claims <= settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
