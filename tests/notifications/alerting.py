"""What the tests of alerts have in common."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.mail.backends.locmem import EmailBackend
from django.db.models import F
from django.utils import timezone

from channels_app.models import Channel
from channels_app.services import create_channel
from notifications import alert_targets
from notifications.models import Alert, AlertCopy, ChannelBacklog, ChannelHealth, Delivery


class BrokenMail(EmailBackend):
    """A mail server that is away."""

    def send_messages(self, messages: Collection[Any]) -> int:
        raise ConnectionRefusedError("Connection refused")


def make_administrator(name: str = "ada") -> User:
    group, _ = Group.objects.get_or_create(name="Notification administrators")
    user = User.objects.create_user(name, email=f"{name}@example.com")
    user.groups.add(group)
    return user


def make_target(name: str, url: str = "https://example.com/", kind: str = "postback", **fields: Any) -> Channel:
    """A channel that is chosen to be told of alerts."""
    channel = create_channel(name=name, kind=kind, **(fields or {"url": url}))
    alert_targets.choose(channel_id=channel.pk, by="grace")
    return channel


def failing(channel: Channel, failures: int = 5, **fields: Any) -> ChannelHealth:
    """As `delivery.health` leaves it once the channel has begun to fail, which was written to be told."""
    now = timezone.now()
    values = {"failing_since": now, "last_failed_at": now, "latest_error": "The receiver answered 503."}
    values |= {"stage": "failing", "stage_at": now}
    return ChannelHealth.objects.create(channel=channel, failures_in_row=failures, **{**values, **fields})


def fails_again(channel: Channel) -> None:
    """Another failure, just now."""
    ChannelHealth.objects.filter(channel=channel).update(
        failures_in_row=F("failures_in_row") + 1, last_failed_at=timezone.now()
    )


def is_well(channel: Channel) -> None:
    """A delivery has arrived."""
    ChannelHealth.objects.filter(channel=channel).update(
        **{"failures_in_row": 0, "failing_since": None, "last_failed_at": None, "latest_error": ""},
        **{"stage": "", "stage_at": None},
    )


def let_pass(**duration: float) -> None:
    """As if this much time had passed since everything that is stored of alerts and of the health of channels."""
    gone = timedelta(**duration)
    moved = {
        Alert: ("created_at",),
        AlertCopy: ("sent_at", "given_up_at", "next_try_at", "claimed_at"),
        ChannelHealth: ("failing_since", "last_failed_at", "stage_at"),
        Channel: ("paused_at", "resumed_at"),
        ChannelBacklog: ("seen_at",),
        Delivery: ("next_attempt_at",),
    }
    for model, columns in moved.items():
        model._default_manager.update(**{column: F(column) - gone for column in columns})


def told() -> list[tuple[str, str, str]]:
    """(kind, target, how it stands) of every copy in the order in which the alerts were written."""
    return [
        (
            copy.alert.kind,
            copy.channel.name if copy.channel else "administrators",
            "sent"
            if copy.sent_at
            else "withdrawn"
            if copy.withdrawn_at
            else "gave up"
            if copy.given_up_at
            else "waits",
        )
        for copy in AlertCopy.objects.select_related("alert", "channel").order_by("alert_id", "id")
    ]
