"""The health of a channel in numbers: what waits on it, how it is begun with, and how it did today and this month."""

from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from backoffice.channels import condition
from backoffice.charts import duration
from channels_app.models import Channel
from notifications.display import ago, moment, number
from notifications.models import ChannelHealth
from notifications.stats import Backlog, Summary


@dataclass(frozen=True)
class Fact:
    """One number; `note` says what it means."""

    label: str
    value: str
    note: SafeString | str = ""
    bad: bool = False


def facts_now(channel: Channel, backlog: Backlog) -> list[Fact]:
    """How it stands at this moment. Reads `channel.health`."""
    health = ChannelHealth.of(channel)
    held = backlog.waiting if channel.paused_at else 0
    due, later = (0, 0) if channel.paused_at else (backlog.due, backlog.later)
    since = format_html("since {}", ago(health.failing_since)) if health.failures_in_row else ""
    return [
        Fact("Failures in a row", number(health.failures_in_row), since, bad=health.failures_in_row > 0),
        Fact("Back-off", *_back_off(channel, health)),
        Fact("In flight", _counted(backlog.in_flight), f"of at most {_cap(health)}"),
        Fact("Due now", _counted(due), _why_due(health, backlog) if due else ""),
        Fact("Held", _counted(held), "until it is resumed" if held else ""),
        Fact("Scheduled", _counted(later), "to be retried later" if later else ""),
    ]


def facts_of_day(totals: Summary) -> list[Fact]:
    """What the last 24 hours came to."""
    return [
        Fact("Deliveries", number(totals.finished), "finished"),
        Fact("Success rate", totals.success_rate_text, f"{number(totals.succeeded)} succeeded"),
        Fact("Failed", number(totals.failed), "not delivered", bad=totals.failed > 0),
        Fact("Median answer", duration(totals.median_ms), "half came faster"),
        Fact("95th percentile", duration(totals.p95_ms), "19 of 20 came faster"),
    ]


def _back_off(channel: Channel, health: ChannelHealth) -> tuple[str, SafeString | str]:
    if health.failing:
        if channel.paused_at:
            return "Probing", "once it is resumed"
        if health.probe_at and health.probe_at > timezone.now():
            return "Probing", format_html("next {}", moment(health.probe_at))
        return "Probing", "the next may go now"
    if _cap(health) < settings.CHANNEL_CONCURRENCY:
        return "Slow start", f"{_cap(health)} at a time"
    return "None", ""


def _cap(health: ChannelHealth) -> int:
    """How many may be in flight at once."""
    if health.failing:
        return 1
    return min(health.in_flight_cap or settings.CHANNEL_CONCURRENCY, settings.CHANNEL_CONCURRENCY)


def _why_due(health: ChannelHealth, backlog: Backlog) -> str:
    if health.failing:
        return "waiting for the next probe"
    return "waiting for their turn" if backlog.in_flight >= _cap(health) else "to go out next"


def _counted(count: int) -> str:
    """`12`; `1,000+` for what was not counted to the end."""
    return f"{number(condition.COUNT_AT_MOST)}+" if count > condition.COUNT_AT_MOST else number(count)
