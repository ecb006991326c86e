"""How a channel is: in a word, in sentences, and in numbers (what waits on it, and how it did)."""

from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from backoffice.charts import duration
from backoffice.stale_pages import Facts
from channels_app.encryption import UNREADABLE
from channels_app.models import Channel
from channels_app.transports import takes
from notifications.display import ago, counted, moment, number, time_in_words
from notifications.events import EVENT_TYPES
from notifications.models import IS_WAITING, ChannelHealth, Delivery
from notifications.stats import Backlog, Summary

Condition = Literal["active", "paused", "failing", "unreadable"]

# Counting on would take as long as there is to count.
COUNT_AT_MOST = 1000
URL_UNREADABLE = (
    "The URL of this channel cannot be read: the key that encrypted it is not in SECRETS_ENCRYPTION_KEYS. "
    "Put it back there, or give the URL again."
)
SETTINGS_UNREADABLE = (
    "The settings of this channel cannot be read: the key that encrypted them is not in SECRETS_ENCRYPTION_KEYS. "
    "Put it back there, or give them again."
)


def condition_of(channel: Channel) -> Condition:
    """Unreadable first: nothing can be sent. Paused before failing: it is looked after. Reads `channel.health`."""
    if not channel.is_readable:
        return "unreadable"
    if channel.paused_at:
        return "paused"
    return "failing" if ChannelHealth.of(channel).failing else "active"


def facts_of(channel: Channel) -> Facts:
    """The facts that the pages for pausing, resuming, deleting and rotating show of a channel, label -> words."""
    paused = f"{channel.pause_reason} ({time_in_words(channel.paused_at)})" if channel.paused_at else ""
    return Facts(
        f"channel {channel.pk}",
        {
            "Its name": channel.name,
            "Its address": channel.address,
            "The pause": paused,
            "What it is attached to": ", ".join(
                EVENT_TYPES[key].label for key in sorted(channel.attachments.values_list("event_type", flat=True))
            ),
        },
        secrets={
            "The whole URL": channel.readable_url,
            "What is in its settings": repr(sorted((channel.readable_settings or {}).items())),
            "What is in its extra headers": repr(sorted((channel.readable_headers or {}).items())),
            "Its secret": channel.readable_secret,
            "When it was paused": channel.paused_at.isoformat() if channel.paused_at else None,
        },
    )


@dataclass(frozen=True)
class Waiting:
    """How many deliveries wait, counted up to `COUNT_AT_MOST`."""

    counted: int

    def __bool__(self) -> bool:
        return self.counted > 0

    def __str__(self) -> str:
        """`1 delivery`, `12 deliveries`, `more than 1,000 deliveries`."""
        if self.counted > COUNT_AT_MOST:
            return f"more than {number(COUNT_AT_MOST)} deliveries"
        return counted(self.counted, "delivery", grouped=True)


def waiting(channel: Channel) -> Waiting:
    """Counts the waiting deliveries of a channel, up to one more than `COUNT_AT_MOST`."""
    return Waiting(Delivery.objects.filter(IS_WAITING, channel=channel)[: COUNT_AT_MOST + 1].count())


def why_unreadable(channel: Channel) -> str:
    """The encrypted values that cannot be read, so that nothing can be sent, and what to do; "" where all can."""
    if channel.is_readable:
        return ""
    if channel.readable_settings is None:
        return SETTINGS_UNREADABLE
    return URL_UNREADABLE if takes(channel.kind).secret_url else UNREADABLE


def health_sentences(channel: Channel) -> list[SafeString | str]:
    """The state of the receiver, as its answers show it, and what Tidings does about it."""
    health = ChannelHealth.of(channel)
    sentences: list[SafeString | str] = []
    if health.failures_in_row:
        times = "The last attempt" if health.failures_in_row == 1 else f"The last {health.failures_in_row} attempts"
        sentences.append(format_html("{} failed, the first {}.", times, ago(health.failing_since)))
        if health.latest_error:
            sentences.append(f"Latest: {health.latest_error}")
        if health.failing and not channel.paused_at:
            sentences.append(_probing(health))
    cap = settings.CHANNEL_CONCURRENCY
    if health.in_flight_cap is not None and health.in_flight_cap < cap:
        sentences.append(
            f"After a timeout, or a pause with deliveries held, it is begun with slowly: at most "
            f"{health.in_flight_cap} of {cap} are sent to it at a time; each success allows one more."
        )
    elif condition_of(channel) == "active":
        sentences.append(f"At most {cap} deliveries are sent to it at a time.")
    return sentences


def _probing(health: ChannelHealth) -> SafeString | str:
    if health.probe_at and health.probe_at > timezone.now():
        return format_html(
            "So that it can recover, it gets one delivery at a time, at growing intervals; the next after {}.",
            moment(health.probe_at),
        )
    return "So that it can recover, it gets one delivery at a time, at growing intervals; the next may go now."


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
    """The results of the last 24 hours."""
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
    return f"{number(COUNT_AT_MOST)}+" if count > COUNT_AT_MOST else number(count)
