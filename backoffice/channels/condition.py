"""How a channel is, in a word and in sentences."""

from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from backoffice.shown import Facts
from channels_app.encryption import UNREADABLE
from channels_app.models import Channel
from channels_app.transports import takes
from notifications.catalogue import EVENT_TYPES
from notifications.display import ago, moment, number, time_in_words
from notifications.models import IS_WAITING, ChannelHealth, Delivery

Condition = Literal["active", "paused", "failing", "unreadable"]

# Counting on would take as long as there is to count.
COUNT_AT_MOST = 1000
URL_UNREADABLE = (
    "The URL of this channel cannot be read: the key that encrypted it is not in SECRETS_ENCRYPTION_KEYS. "
    "Put it back there, or give the URL again."
)


def condition_of(channel: Channel) -> Condition:
    """Unreadable first: nothing can be sent. Paused before failing: somebody has seen to it. Reads `channel.health`."""
    if not channel.is_readable:
        return "unreadable"
    if channel.paused_at:
        return "paused"
    return "failing" if ChannelHealth.of(channel).failing else "active"


def facts_of(channel: Channel) -> Facts:
    """What its pages show of a channel that somebody is about to pause, resume, delete or give a new secret."""
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
        if self.counted == 1:
            return "1 delivery"
        if self.counted > COUNT_AT_MOST:
            return f"more than {number(COUNT_AT_MOST)} deliveries"
        return f"{number(self.counted)} deliveries"


def waiting(channel: Channel) -> Waiting:
    return Waiting(Delivery.objects.filter(IS_WAITING, channel=channel)[: COUNT_AT_MOST + 1].count())


def why_unreadable(channel: Channel) -> str:
    """What cannot be read, so that nothing can be sent, and what to do about it; "" where all can."""
    if channel.is_readable:
        return ""
    return URL_UNREADABLE if takes(channel.kind).secret_url else UNREADABLE


def health_sentences(channel: Channel) -> list[SafeString | str]:
    """What Tidings has learnt of the receiver, and what it does about it."""
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
