"""How one channel did, as bars that are drawn like the dashboard's.

How long answers took in the last 24 hours, and what became of its deliveries in the last 30 days.
"""

from dataclasses import dataclass
from datetime import date

from notifications.admin.dashboard import BAR_STEP, BAR_WIDTH, CHART_HEIGHT, SMALLEST_PART, ceiling, duration
from notifications.stats import HOURS, Day, Hour, Month, Summary


@dataclass(frozen=True)
class Bar:
    """One hour: where its two parts stand, from above, and how high they are. The median stands before the 95 %."""

    hour: Hour
    x: int
    median_y: float
    median_height: float
    p95_y: float
    p95_height: float


@dataclass(frozen=True)
class Times:
    """Bars below a scale whose upper end is `top_ms`."""

    bars: list[Bar]
    top_ms: int
    width: int = HOURS * BAR_STEP
    height: int = CHART_HEIGHT
    bar_width: int = BAR_WIDTH

    @property
    def top(self) -> str:
        return duration(self.top_ms)

    @property
    def middle(self) -> str:
        return duration(self.top_ms // 2)


def times(day: Day) -> Times | None:
    """None where no answer came."""
    slowest = max((hour.p95_ms or 0 for hour in day.hours), default=0)
    if not slowest:
        return None
    top = ceiling(slowest)
    bars = []
    for index, hour in enumerate(day.hours):
        median, p95 = _height(hour.median_ms, top), _height(hour.p95_ms, top)
        x = index * BAR_STEP + (BAR_STEP - BAR_WIDTH) // 2
        bars.append(Bar(hour, x, round(CHART_HEIGHT - median, 2), median, round(CHART_HEIGHT - p95, 2), p95))
    return Times(bars, top)


@dataclass(frozen=True)
class DayBar:
    """One day: where its two parts stand, from above, and how high they are; what failed on top of what succeeded."""

    on: date
    summary: Summary
    x: int
    succeeded_y: float
    succeeded_height: float
    failed_y: float
    failed_height: float


@dataclass(frozen=True)
class PerDay:
    """Bars below a scale whose upper end is `top` deliveries."""

    bars: list[DayBar]
    top: int
    height: int = CHART_HEIGHT
    bar_width: int = BAR_WIDTH

    @property
    def width(self) -> int:
        return len(self.bars) * BAR_STEP

    @property
    def middle(self) -> int | None:
        """What half of the height stands for; None: not a whole number."""
        return None if self.top % 2 else self.top // 2


def per_day(month: Month) -> PerDay | None:
    """None where nothing was finished."""
    if not month.totals.finished:
        return None
    top = ceiling(max(summary.finished for _, summary in month.days))
    bars = []
    for index, (on, summary) in enumerate(month.days):
        failed = _height(summary.failed, top)
        succeeded = min(_height(summary.succeeded, top), CHART_HEIGHT - failed)
        bars.append(
            DayBar(
                on,
                summary,
                x=index * BAR_STEP + (BAR_STEP - BAR_WIDTH) // 2,
                succeeded_y=round(CHART_HEIGHT - succeeded, 2),
                succeeded_height=round(succeeded, 2),
                failed_y=round(CHART_HEIGHT - succeeded - failed, 2),
                failed_height=round(failed, 2),
            )
        )
    return PerDay(bars, top)


def _height(value: int | None, top: int) -> float:
    return round(max(value / top * CHART_HEIGHT, SMALLEST_PART), 2) if value else 0
