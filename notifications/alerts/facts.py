"""How things stand at the turn of an alert, as far as its words say it."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from channels_app.models import Channel
from channels_app.text import one_line
from channels_app.transports import kind_label
from notifications import stats, waiting
from notifications.alerts.stages import pauses_at
from notifications.display import number, time_in_words
from notifications.models import Alert, ChannelHealth
from notifications.monitoring import in_words

Kind = Alert.Kind

# Counting on would take as long as there is to count.
COUNT_AT_MOST = 1000
LONGEST_ERROR = 500


@dataclass(frozen=True)
class Facts:
    """`pairs` are those to be listed; the others go into sentences. What is not so, or not known, is None or ""."""

    pairs: tuple[tuple[str, str], ...]
    failures: str = ""
    since: datetime | None = None
    at: datetime | None = None
    pauses_at: datetime | None = None
    waited: str = ""


def facts_of(alert: Alert) -> Facts:
    """Reads the health of the alert's channel, and counts what waits up to a bound."""
    kept_since = alert.facts.get("since")
    since = datetime.fromisoformat(kept_since) if kept_since else None
    if alert.channel is None:
        return _of_all(alert, since)
    channel, health = alert.channel, ChannelHealth.of(alert.channel)
    waited = waiting.of_channel(channel.pk) if alert.kind == Kind.SLOW else 0.0
    fails = bool(health.failures_in_row) and alert.kind != Kind.UNREADABLE
    reason = one_line(alert.facts.get("reason", ""))
    pairs = [
        ("Channel", f"{one_line(channel.name)} ({kind_label(channel.kind)})"),
        ("Address", address(channel)),
        ("Failing since", in_zone(health.failing_since) if fails and health.failing_since else ""),
        ("Failures in a row", number(health.failures_in_row) if fails else ""),
        ("Latest failure", one_line(health.latest_error)[:LONGEST_ERROR] if fails else ""),
        ("Waits for", in_words(waited) if waited else ""),
        ("Reason", reason if alert.kind == Kind.PAUSED else ""),
        ("Held deliveries" if channel.paused_at else "Waiting deliveries", _waiting(channel)),
    ]
    return Facts(
        tuple((label, value) for label, value in pairs if value),
        failures=number(health.failures_in_row),
        since=health.failing_since or since,
        at=channel.paused_at,
        pauses_at=pauses_at(health) if fails else None,
        waited=in_words(waited),
    )


def _of_all(alert: Alert, since: datetime | None) -> Facts:
    if alert.kind != Kind.OVERDUE:
        return Facts((), since=since)
    oldest = waiting.lateness().oldest_sendable
    seconds, delivery_id = (
        (oldest.sendable_seconds, oldest.delivery_id) if oldest else (float(alert.facts["seconds"]), "")
    )
    pairs = [("Waits for", in_words(seconds)), ("Oldest due delivery", delivery_id)]
    return Facts(tuple((label, value) for label, value in pairs if value), since=since, waited=in_words(seconds))


def address(channel: Channel) -> str:
    """Where it leads, without what may be a secret: user, password, query string."""
    if channel.recipients:
        return channel.short_address
    parts = urlsplit(channel.url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if host else "–"


def in_zone(at: datetime | None) -> str:
    """As `time_in_words`; "" for None."""
    return time_in_words(at) if at else ""


def _waiting(channel: Channel) -> str:
    """How many deliveries wait; "" where none does, unless that is what a pause is about."""
    count = stats.channel_backlogs([channel.pk], at_most=COUNT_AT_MOST)[channel.pk].waiting
    if not (count or channel.paused_at):
        return ""
    return f"more than {number(COUNT_AT_MOST)}" if count > COUNT_AT_MOST else number(count)
