"""The scheduler of `celery beat`, without a file: nothing has to be made, writable or whole before it starts."""

from datetime import timedelta
from typing import Any

from celery.beat import Scheduler

_LONG_AGO = timedelta(days=366)


class MemoryScheduler(Scheduler):
    """Sends each task as soon as it starts, then at the task's interval.

    Celery's own scheduler keeps the times of the last runs in a file, needs its folder, and refuses a second beat
    beside it. All our tasks may run too often, so they run at a start instead: an hourly one runs although beat is
    restarted every half hour, and a time of a clock that was wrong is not remembered.
    """

    def setup_schedule(self) -> None:
        super().setup_schedule()
        self._make_due()

    def tick(self, *args: Any, **options: Any) -> float:
        """A clock that was set back would stop everything until it has caught up: all is sent anew instead."""
        if any(entry.last_run_at > entry.default_now() for entry in self.schedule.values()):
            self._make_due()
            self.populate_heap()
        pause: float = super().tick(*args, **options)
        return pause

    def _make_due(self) -> None:
        for entry in self.schedule.values():
            entry.last_run_at = entry.default_now() - _LONG_AGO
