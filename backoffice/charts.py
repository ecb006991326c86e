"""Charts of deliveries and of answer times, as bars of an SVG; and a span of time on a chart's scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from notifications.stats import HOURS, Day, Hour, Month, Summary

# The picture of the chart, in its own units; it is stretched to the page.
CHART_HEIGHT = 100
BAR_WIDTH = 7
BAR_STEP = 10
# A failure among thousands is still to be seen.
SMALLEST_PART = 2


@dataclass(frozen=True)
class Bar:
    """One hour or day, which begins `on`: where its two parts stand, from above, and how high they are.

    What failed stands on top of what succeeded.
    """

    on: date
    summary: Hour | Summary
    x: int
    succeeded_y: float
    succeeded_height: float
    failed_y: float
    failed_height: float


@dataclass(frozen=True)
class Chart:
    """Bars below a scale whose upper end is `top` deliveries."""

    bars: list[Bar]
    top: int
    height: int = CHART_HEIGHT
    bar_width: int = BAR_WIDTH

    @property
    def width(self) -> int:
        return len(self.bars) * BAR_STEP

    @property
    def middle(self) -> int | None:
        """The value at half of the height; None where that is no whole number."""
        return None if self.top % 2 else self.top // 2

    @property
    def ticks(self) -> list[tuple[date, bool]]:
        """The hours that are named below, a narrow window leaving out every other one."""
        return [(bar.on, index % 6 == 0) for index, bar in enumerate(self.bars) if index % 3 == 0]


def chart(day: Day) -> Chart:
    """The deliveries of each hour."""
    return stacked([(hour.at, hour) for hour in day.hours])


def stacked(parts: Sequence[tuple[date, Hour | Summary]]) -> Chart:
    """The deliveries of these hours or days, of which there is at least one, each with its beginning."""
    top = ceiling(max(summary.finished for _, summary in parts))
    bars = []
    for index, (on, summary) in enumerate(parts):
        failed = height_of(summary.failed, top)
        succeeded = min(height_of(summary.succeeded, top), CHART_HEIGHT - failed)
        bars.append(
            Bar(
                on=on,
                summary=summary,
                x=index * BAR_STEP + (BAR_STEP - BAR_WIDTH) // 2,
                succeeded_y=round(CHART_HEIGHT - succeeded, 2),
                succeeded_height=round(succeeded, 2),
                failed_y=round(CHART_HEIGHT - succeeded - failed, 2),
                failed_height=round(failed, 2),
            )
        )
    return Chart(bars, top)


def height_of(value: int | None, top: int) -> float:
    """How high a part stands on a scale up to `top`; nothing has no height, and all else one that is seen."""
    return max(value / top * CHART_HEIGHT, SMALLEST_PART) if value else 0


def ceiling(value: int) -> int:
    """The next of 2, 4, 6, 8, 10, 12, 16, 20, 40 ... that is not below."""
    scale = 1
    while True:
        for step in (2, 4, 6, 8, 10, 12, 16):
            if value <= step * scale:
                return step * scale
        scale *= 10


@dataclass(frozen=True)
class TimesBar:
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

    bars: list[TimesBar]
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
        bars.append(TimesBar(hour, x, round(CHART_HEIGHT - median, 2), median, round(CHART_HEIGHT - p95, 2), p95))
    return Times(bars, top)


def per_day(month: Month) -> Chart | None:
    """The deliveries of each day; None where nothing was finished."""
    return stacked(month.days) if month.totals.finished else None


def _height(ms: int | None, top: int) -> float:
    return round(height_of(ms, top), 2)


def duration(ms: int | None) -> str:
    """`87 ms`, `1.2 s`, `5 min`, `3 h`, `2 d`; "–" for None."""
    if ms is None:
        return "–"
    if ms < 1000:
        return f"{ms} ms"
    seconds = ms / 1000
    for unit, length, until in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < until:
            return f"{seconds:.1f} s" if seconds < 10 else f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"
