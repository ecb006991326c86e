"""How one channel did, as bars that are drawn like the dashboard's.

How long answers took in the last 24 hours, and what became of its deliveries in the last 30 days.
"""

from dataclasses import dataclass

from backoffice.notifications.dashboard import (
    BAR_STEP,
    BAR_WIDTH,
    CHART_HEIGHT,
    Chart,
    ceiling,
    duration,
    height_of,
    stacked,
)
from notifications.stats import HOURS, Day, Hour, Month


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


def per_day(month: Month) -> Chart | None:
    """The deliveries of each day; None where nothing was finished."""
    return stacked(month.days) if month.totals.finished else None


def _height(ms: int | None, top: int) -> float:
    return round(height_of(ms, top), 2)
