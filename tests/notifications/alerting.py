"""What the tests of alerts have in common."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.db.models import F
from django.utils import timezone

from channels_app.models import Channel
from channels_app.services import create_channel
from notifications import alert_raising, alert_targets
from notifications.delivery.claim import ALERTS_AT_ONCE, Alerts, Claim, begin_alerts, claim
from notifications.delivery.record import record
from notifications.delivery.send import send
from notifications.models import Alert, AlertDelivery, ChannelBacklog, ChannelHealth, Delivery, Event
from notifications.tasks import send_alerts


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


def make_alert(channel: Channel, *, days: int) -> str:
    """The id of an alert of so many days ago, which was sent then."""
    alert_id = alert_raising.write(Alert.Kind.PAUSED, channel_id=channel.pk)
    then = timezone.now() - timedelta(days=days)
    AlertDelivery.objects.filter(event=alert_id).update(status="succeeded", next_attempt_at=None, finished_at=then)
    Alert.objects.filter(pk=alert_id).update(body="{}", created_at=then)
    Event.every.filter(pk=alert_id).update(created_at=then)
    return alert_id


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
        Event: ("created_at",),
        ChannelHealth: ("failing_since", "last_failed_at", "stage_at"),
        Channel: ("paused_at", "resumed_at"),
        ChannelBacklog: ("seen_at",),
        Delivery: ("finished_at", "next_attempt_at", "lease_expires_at"),
    }
    for model, columns in moved.items():
        model._base_manager.update(**{column: F(column) - gone for column in columns})


def send_due() -> int:
    """Send the alerts that are due, and no other delivery, as the engine does it. Returns of how many was told."""
    told = AlertDelivery.objects.filter(status="succeeded")
    before = told.count()
    while claims := claim_alerts():
        with ThreadPoolExecutor() as senders:
            record(list(senders.map(send, claims)))
        connection.close()
    return told.count() - before


def look_and_send() -> int:
    """What beat has done every ten seconds, then `send_due`. Returns how many alerts were sent."""
    before = AlertDelivery.objects.filter(status="succeeded").count()
    send_alerts()
    send_due()
    return AlertDelivery.objects.filter(status="succeeded").count() - before


def claim_alerts() -> list[Claim]:
    """The alerts that are due, and no other delivery."""
    while True:
        alerts = Alerts()
        claim(slots=0, slowed_slots=0, alert_slots=ALERTS_AT_ONCE, alone=False, alerts=alerts)
        claims = begin_alerts(alerts)
        if claims or not alerts.passed:
            return claims


def told() -> list[tuple[str, str, str]]:
    """(kind, target, how it stands) of every delivery of an alert, in the order in which the alerts were written."""
    states = {"succeeded": "sent", "failed": "gave up", "pending": "waits"}
    return [
        (
            delivery.event.alert.kind,
            "administrators" if delivery.channel.system else delivery.channel.name,
            "withdrawn" if delivery.withdrawn else states[delivery.status],
        )
        for delivery in AlertDelivery.objects.select_related("event__alert", "channel").order_by(
            "event_id", "-channel__system", "id"
        )
    ]
