"""One outage that hits many channels is one alert: those of one kind that wait at the same time are told in one."""

from collections.abc import Sequence

from django.db.models.functions import Now

from notifications.alert_raising import may_be_joined
from notifications.models import Alert, AlertDelivery

Kind = Alert.Kind

# From so many on. Two are told one by one: each says more of itself than both of them together.
MANY = 3
# By kind, for a number of channels.
TITLES = {
    Kind.FAILING: "{} channels keep failing",
    Kind.STILL_FAILING: "{} channels still fail",
    Kind.LAST_WARNING: "{} channels will be paused if they go on failing",
    Kind.PAUSED: "{} channels were paused by Tidings",
    Kind.RECOVERED: "{} channels have recovered",
    Kind.UNREADABLE: "The secrets of {} channels cannot be read",
    Kind.LOST: "Deliveries to {} channels failed with their workers",
    Kind.SLOW: "{} channels are slower than what comes in",
    Kind.CAUGHT_UP: "{} channels have caught up",
}


def waiting_with(alert: Alert) -> list[Alert]:
    """The others that wait with this one, the oldest first, locked; none where all of them are not many.

    Those that a target was told of within the hour are not among them. Reads the health of their channels. Call it in
    the transaction that freezes the alert, which is locked.
    """
    if not may_be_joined(alert.kind, alert.facts):
        return []
    later = AlertDelivery.objects.filter(status=AlertDelivery.Status.PENDING, next_attempt_at__gt=Now())
    others = Alert.objects.select_for_update(skip_locked=True, no_key=True, of=("self",)).filter(
        kind=alert.kind, body=None, channel__archived_at=None
    )
    others = others.exclude(pk=alert.pk).exclude(pk__in=later.values("event"))
    others = others.select_related("channel__health").order_by("created_at", "pk")
    found = [each for each in others if may_be_joined(each.kind, each.facts)]
    return found if len(found) + 1 >= MANY else []


def title_of(alerts: Sequence[Alert]) -> str:
    return TITLES[Kind(alerts[0].kind)].format(len(alerts))
