"""Tells the notification administrators by e-mail that a channel keeps failing, or that it was paused.

An alert is written in the transaction of its cause and sent afterwards by a task, so a mail server that is away holds
nobody up. One cause (a channel and a kind) is told at most once an hour. What is no longer true when its turn comes is
withdrawn: a channel that was mended needs nobody's attention.
"""

import threading
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from channels_app.models import Channel
from notifications.models import Alert, ChannelHealth
from notifications.permissions import ADMINISTRATORS

log = structlog.get_logger(__name__)

AT_MOST_EVERY = timedelta(hours=1)
# Whoever claims an alert has this long to send it; after that another process takes it up.
SENDING_TIME = timedelta(minutes=5)
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(days=1)
NOBODY = f"Nobody of the group {ADMINISTRATORS}, and no superuser, is active and has an e-mail address."

# Due at once, or an hour after the last one of its cause. One that waits already takes the newer facts.
WRITE = """
INSERT INTO notifications_alert AS waiting (kind, channel_id, facts, created_at, next_try_at, tries, error)
SELECT %(kind)s, %(channel)s, %(facts)s, statement_timestamp(),
    greatest(statement_timestamp(), max(told.sent_at) + make_interval(secs => %(at_most_every)s)), 0, ''
FROM notifications_alert told WHERE told.channel_id = %(channel)s AND told.kind = %(kind)s
ON CONFLICT (channel_id, kind) WHERE next_try_at IS NOT NULL DO UPDATE SET facts = excluded.facts
"""

_one_at_a_time = threading.Lock()


def channel_failing(*, channel_id: str) -> None:
    """A channel starts to fail. Call it in the transaction that says so, with the row of its health locked."""
    _write(Alert.Kind.FAILING, channel_id, {})


def channel_paused(*, channel: Channel, by: str, reason: str) -> None:
    """An active channel was paused by this person, API key or Tidings. Call it in the transaction of the change."""
    _write(Alert.Kind.PAUSED, channel.pk, {"by": by, "reason": reason})


def send_due() -> int:
    """Send the alerts that are due; stop at the first that cannot be sent. Returns how many were sent.

    Within a process one call runs at a time; between processes each alert is claimed by one.
    """
    if not _one_at_a_time.acquire(blocking=False):
        return 0
    try:
        sent = 0
        while (alert := _claim()) and _send(alert):
            sent += 1
        return sent
    finally:
        _one_at_a_time.release()


def recipients() -> list[str]:
    """The addresses of the active members of the administrators' group; of the superusers where it has none."""
    people = User.objects.filter(is_active=True).exclude(email="")
    for chosen in (people.filter(groups__name=ADMINISTRATORS), people.filter(is_superuser=True)):
        if addresses := sorted(set(chosen.values_list("email", flat=True))):
            return addresses
    return []


def _write(kind: Alert.Kind, channel_id: str, facts: dict[str, str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            WRITE,
            {
                "kind": kind,
                "channel": channel_id,
                "facts": connection.ops.adapt_json_value(facts, None),
                "at_most_every": AT_MOST_EVERY.total_seconds(),
            },
        )


def _claim() -> Alert | None:
    """The alert that has been due for longest and is still true; None: there is none."""
    while True:
        with transaction.atomic():
            due = Alert.objects.select_for_update(skip_locked=True, of=("self",)).select_related("channel__health")
            alert = due.filter(next_try_at__lte=Now()).order_by("next_try_at").first()
            if alert is None:
                return None
            if _still_true(alert):
                alert.tries += 1
                alert.next_try_at = Now() + SENDING_TIME
                alert.save(update_fields=["tries", "next_try_at"])
                return alert
            alert.next_try_at, alert.withdrawn_at = None, timezone.now()
            alert.save(update_fields=["next_try_at", "withdrawn_at"])


def _still_true(alert: Alert) -> bool:
    channel = alert.channel
    if channel.archived_at:
        return False
    if alert.kind == Alert.Kind.PAUSED:
        return channel.paused_at is not None
    return channel.paused_at is None and ChannelHealth.of(channel).failing


def _send(alert: Alert) -> bool:
    """Send an alert that was claimed, holding no lock, and write down how that went."""
    mine = Alert.objects.filter(pk=alert.pk, tries=alert.tries, next_try_at__isnull=False)
    try:
        to = recipients()
        if not to:
            raise LookupError(NOBODY)
        EmailMessage(subject=subject(alert), body=body(alert), to=to).send()
    except Exception as error:
        pause = min(FIRST_PAUSE * 4 ** min(alert.tries - 1, 10), LONGEST_PAUSE)
        said = str(error) if isinstance(error, LookupError) else f"{type(error).__name__}: {error}"
        mine.update(error=said[:1000], next_try_at=Now() + pause)
        log.warning("alert_not_sent", alert_id=alert.pk, kind=alert.kind, channel_id=alert.channel_id, error=said)
        return False
    mine.update(error="", next_try_at=None, sent_at=Now())
    log.info("alert_sent", alert_id=alert.pk, kind=alert.kind, channel_id=alert.channel_id, people=len(to))
    return True


def subject(alert: Alert) -> str:
    """One line, whatever the channel's name is."""
    became = "was paused" if alert.kind == Alert.Kind.PAUSED else "keeps failing"
    return f"[Tidings] {_one_line(alert.channel.name)} {became}"


def body(alert: Alert) -> str:
    """Plain text: what happened, what becomes of the deliveries, what to do, and where."""
    paragraphs = _paused(alert) if alert.kind == Alert.Kind.PAUSED else _failing(alert)
    return "\n\n".join([*paragraphs, _where(alert.channel)]) + "\n"


def _failing(alert: Alert) -> list[str]:
    health = ChannelHealth.of(alert.channel)
    since = f", since {_time(health.failing_since)}" if health.failing_since else ""
    facts = [f"Address: {_address(alert.channel)}"]
    if health.latest_error:
        facts.append(f"Latest failure: {_one_line(health.latest_error)}")
    return [
        f"The channel {_one_line(alert.channel.name)} has failed {health.failures_in_row} times in a row{since}.",
        "\n".join(facts),
        "What becomes of its deliveries: Tidings asks the channel with one delivery at a time, at growing intervals; "
        "the others wait. What could not be delivered after its retries fails and stays in the delivery log. "
        "Other channels are not affected.",
        "What to do: look at the latest attempts, mend the receiver or correct the channel's URL, and send a test. "
        "Then have what failed sent again: the channel's page offers a replay.",
        "You are not told again until it has recovered.",
    ]


def _paused(alert: Alert) -> list[str]:
    channel = alert.channel
    by, reason = alert.facts.get("by", ""), alert.facts.get("reason", "")
    at = f" at {_time(channel.paused_at)}" if channel.paused_at else ""
    facts = [f"Address: {_address(channel)}"]
    if reason:
        facts.append(f"Reason: {_one_line(reason)}")
    return [
        f"The channel {_one_line(channel.name)} was paused by {_one_line(by)}{at}.",
        "\n".join(facts),
        "What becomes of its deliveries: they are held. Nothing is lost, and nothing is sent until somebody resumes "
        "the channel. Other channels are not affected.",
        "What to do: when the receiver is ready, resume the channel; what is held then goes out at once. "
        "A channel that is no longer needed can be deleted.",
    ]


def _where(channel: Channel) -> str:
    page = reverse("admin:channels_app_channel_change", args=[quote(channel.pk)])
    if settings.PUBLIC_URL:
        return f"{settings.PUBLIC_URL}{page}"
    return f"You find it in Tidings under Channels, {_one_line(channel.name)}."


def _address(channel: Channel) -> str:
    """Where it is, without what may be a secret: user, password, query string."""
    parts = urlsplit(channel.url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if host else "–"


def _time(at: datetime) -> str:
    """In the time zone of the installation, to the minute."""
    return f"{timezone.localtime(at, timezone.get_default_timezone()):%Y-%m-%d %H:%M %Z}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
