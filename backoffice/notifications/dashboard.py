"""The first page: how delivering goes, at a glance, and what needs attention.

Each person sees the parts that their permissions allow. It costs as much with a million deliveries as with ten.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.utils import quote
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from backoffice.charts import chart, duration
from channels_app.models import Channel
from notifications import stats, waiting
from notifications.models import EVENT_TEXTS, FAILURES_BEFORE_PROBING, Delivery, EventChannel, EventTypeSwitch
from notifications.monitoring import in_words
from notifications.waiting import Lateness
from orders.models import Order

LATEST_FAILURES = 8
LATEST_ORDERS = 8
CHANNELS_IN_TROUBLE = 10
CHANNELS_WAITING = 10


@dataclass(frozen=True)
class Tile:
    """One number; `note` says what it means, `url` leads to what is behind it."""

    label: str
    value: str
    note: str = ""
    url: str = ""
    bad: bool = False


@dataclass(frozen=True)
class Step:
    """A step of the set-up before the first postback goes out."""

    text: str
    action: str
    url: str
    done: bool


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The context of the first page, by the user's permissions: UNFOLD["DASHBOARD_CALLBACK"]."""
    may = request.user.has_perm
    sees_log, sees_channels = may("notifications.view_delivery"), may("channels_app.view_channel")
    sees_orders = may("orders.view_order")
    context |= {
        "sees_log": sees_log,
        "sees_channels": sees_channels,
        "sees_events": may("notifications.view_event"),
        "sees_orders": sees_orders,
        "sees_nothing": not (sees_log or sees_channels or sees_orders),
        "steps": list(first_steps()) if may("notifications.change_eventtypeswitch") else [],
    }
    if sees_log:
        day, late = stats.last_day(), waiting.lateness()
        context |= {
            "day": day,
            "tiles": list(tiles(day, late)),
            "waits": [(each, in_words(each.seconds)) for each in late.waiting_for_channels[:CHANNELS_WAITING]],
            "more_wait": max(0, late.channels - CHANNELS_WAITING),
            "chart": chart(day),
            "failures": latest_failures(),
            "log_url": reverse("admin:notifications_delivery_changelist"),
        }
    if sees_channels:
        found = list(channels_in_trouble()[: CHANNELS_IN_TROUBLE + 1])
        context |= {
            "troubled": found[:CHANNELS_IN_TROUBLE],
            "more_troubled": len(found) > CHANNELS_IN_TROUBLE,
            "failures_before_failing": FAILURES_BEFORE_PROBING,
        }
    if sees_orders:
        context["orders"] = Order.objects.select_related("contact").order_by("-id")[:LATEST_ORDERS]
    return context


def tiles(day: stats.Day, late: Lateness) -> Iterator[Tile]:
    """The numbers at the top."""
    totals, log = day.totals, reverse("admin:notifications_delivery_changelist")
    # Of what is finished the log shows for this period the rows that are counted.
    behind = {status: f"{log}?status={status}&period=24h" for status in ("finished", "succeeded", "failed")}
    yield Tile("Deliveries", f"{totals.finished:,}", "finished in the last 24 hours", behind["finished"])
    yield Tile("Success rate", totals.success_rate_text, f"{totals.succeeded:,} succeeded", behind["succeeded"])
    yield Tile("Failed", f"{totals.failed:,}", "not delivered", behind["failed"], bool(totals.failed))
    yield Tile("Median answer", duration(totals.median_ms), "half of the answers came faster")
    yield Tile("95th percentile", duration(totals.p95_ms), "19 of 20 answers came faster")
    yield oldest_due(late)


def oldest_due(late: Lateness) -> Tile:
    """The delivery due for longest, whatever it waits for; beside it the oldest that could be sent now."""
    oldest, sendable = late.oldest, late.oldest_sendable
    if oldest is None:
        return Tile("Oldest due delivery", "None", "nothing waits to be sent")
    if oldest.reason == "sendable":
        seconds, note = oldest.sendable_seconds, "since it could be sent"
    else:
        seconds, note = oldest.seconds, f"its channel {oldest.why}"
        if sendable:
            note += f"; the oldest that could be sent now waits for {in_words(sendable.sendable_seconds)}"
    page = reverse("admin:notifications_delivery_change", args=[quote(oldest.delivery_id)])
    return Tile("Oldest due delivery", duration(round(seconds * 1000)), note, page)


def latest_failures() -> list[Delivery]:
    """The latest failed deliveries, latest first, with channel, event and order."""
    ids = stats.latest_failures(LATEST_FAILURES)
    found = Delivery.objects.select_related("event__order", "channel").defer(*EVENT_TEXTS).in_bulk(ids)
    return [found[delivery_id] for delivery_id in ids if delivery_id in found]


def channels_in_trouble() -> QuerySet[Channel]:
    """Channels that are paused or keep failing: failing ones first, the longest first."""
    troubled = Q(paused_at__isnull=False) | Q(health__failures_in_row__gte=FAILURES_BEFORE_PROBING)
    return (
        Channel.objects.filter(troubled, archived_at=None)
        .select_related("health")
        .order_by("-paused_at", "health__failing_since", "id")
    )


def first_steps() -> Iterator[Step]:
    """The steps left before anything is sent; none once a channel is linked to an event type that is on."""
    enabled = EventTypeSwitch.objects.filter(enabled=True).values("event_type")
    if EventChannel.objects.filter(event_type__in=enabled).exists():
        return
    yield Step(
        "Create a channel: where notifications go.",
        "Add a channel",
        reverse("admin:channels_app_channel_add"),
        Channel.objects.filter(archived_at=None).exists(),
    )
    system_notifications = reverse("admin:system_notifications")
    yield Step("Turn on the events that it is to hear of.", "System notifications", system_notifications, bool(enabled))
    yield Step(
        "Open an event by its name and link the channel to it.",
        "System notifications",
        system_notifications,
        EventChannel.objects.exists(),
    )
