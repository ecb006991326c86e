"""Banners on every page: a sentence for each present problem, with what to do."""

import time
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import structlog
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from django.db import Error, connection, transaction
from django.db.models import Count, Window
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from backoffice.frame import address_of
from notifications import monitoring
from notifications.alerts.stages import pauses_at
from notifications.display import exact_time
from notifications.models import ChannelHealth, Heartbeat

log = structlog.get_logger(__name__)

# What was seen is kept in the process for so long, so that pages do not ask each time; not in Redis, which may be away.
KEPT_SECONDS = 5.0
CHANNELS_NAMED = 3


@dataclass(frozen=True)
class Banner:
    """`action` is the text of the link to `url`; both "" where this person can do nothing about it."""

    text: str
    url: str = ""
    action: str = ""
    level: Literal["error", "warning"] = "error"


@dataclass(frozen=True)
class Situation:
    """Why nothing is being delivered ("": it is), and the channels that keep failing: some, and how many in all."""

    stopped: str = ""
    failing: tuple[ChannelHealth, ...] = ()
    failing_count: int = 0


_kept: tuple[float, Situation] | None = None
_STARTED = time.monotonic()  # when this process did


def banners_for(user: AbstractBaseUser | AnonymousUser | PermissionsMixin) -> list[Banner]:
    """The banners for the user of the request, by their permissions. Two quick queries at most; never raises."""
    sees_log, sees_channels, sees_orders = (
        isinstance(user, PermissionsMixin) and user.has_perm(permission)
        for permission in ("notifications.view_delivery", "channels_app.view_channel", "orders.view_order")
    )
    if not (sees_log or sees_channels or sees_orders):
        return []
    situation = _situation()
    found = []
    if situation.stopped and (sees_log or sees_channels):
        waiting = f"{reverse('admin:notifications_delivery_changelist')}?status=pending"
        found.append(Banner(situation.stopped, waiting, "See what waits") if sees_log else Banner(situation.stopped))
    elif situation.stopped:
        found.append(
            Banner(
                "Nothing is being delivered at the moment. Orders are recorded as usual; what others are to hear of "
                "them goes out later."
            )
        )
    if sees_channels or sees_log:
        found += [_failing(health, sees_channels=sees_channels) for health in situation.failing]
        if more := situation.failing_count - len(situation.failing):
            text = f"{more} more {'channel keeps' if more == 1 else 'channels keep'} failing."
            page = "admin:channels_app_channel_changelist" if sees_channels else "admin:index"
            found.append(Banner(text, reverse(page), "See them", "warning"))
    return found


def forget() -> None:
    """Look again at the next page."""
    global _kept
    _kept = None


def _situation() -> Situation:
    global _kept
    now = time.monotonic()
    if _kept is None or now - _kept[0] >= KEPT_SECONDS:
        _kept = now, _look()
    return _kept[1]


def _look() -> Situation:
    try:
        # Within a page's own transaction a failing statement must undo itself alone.
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            ages = monitoring.ages()
            failing = tuple(monitoring.failing_channels().annotate(count=Window(Count("*")))[:CHANNELS_NAMED])
    except Error:
        log.exception("banners_not_known")
        return Situation()
    return Situation(_stopped(ages), failing, failing[0].count if failing else 0)


def _stopped(ages: dict[str, float]) -> str:
    """The first that is so; the others follow from it."""
    worker, beat, oldest = ages.get(Heartbeat.Name.WORKER), ages.get(Heartbeat.Name.BEAT), ages.get("oldest_sendable")
    if worker is None or worker > monitoring.WORKER_SILENT_SECONDS:
        return (
            f"Nothing is being delivered: {_unseen('no worker has been seen', worker)}. Start the worker; what is due "
            "waits and goes out then."
        )
    if oldest is not None and oldest > monitoring.LONGEST_WAIT_SECONDS:
        return (
            f"Nothing is being delivered in time: the oldest due delivery has waited for "
            f"{monitoring.in_words(oldest)}. The workers are stuck or too few: look at their log, or start more."
        )
    # Beat's first sign follows a start by some seconds: none at all alarms only after the time that a silence may last.
    if (beat if beat is not None else time.monotonic() - _STARTED) > monitoring.BEAT_SILENT_SECONDS:
        return (
            f"Nothing is being delivered on schedule: {_unseen('no beat has run', beat)}. Funnel orders do not "
            "complete by themselves and administrators get no e-mail. Start beat, and see that the broker is up."
        )
    return ""


def _unseen(what: str, age: float | None) -> str:
    return f"{what} yet" if age is None else f"{what} for {monitoring.in_words(age)}"


def _failing(health: ChannelHealth, *, sees_channels: bool) -> Banner:
    channel = health.channel
    since = ""
    if health.failing_since and timezone.now() - health.failing_since >= timedelta(minutes=1):
        since = f" for {timesince(health.failing_since, depth=1)}"
    latest = f" Latest: {health.latest_error}" if health.latest_error else ""
    pause = pauses_at(health) if health.stage == health.Stage.LAST_WARNED else None
    until = f" If it goes on, Tidings pauses it at {exact_time(pause)}." if pause else ""
    text = f"{channel.name} keeps failing{since}, {health.failures_in_row} times in a row.{latest}{until}"
    if sees_channels:
        url, action = address_of(channel), "Open the channel"
    else:
        url = f"{reverse('admin:notifications_delivery_changelist')}?channel={channel.pk}&status=failed"
        action = "See what failed"
    return Banner(text, url, action, "warning")
