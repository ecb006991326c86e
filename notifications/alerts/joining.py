"""One outage that hits many channels is one alert: those of one kind that wait at the same time are told in one."""

from collections.abc import Callable, Sequence

from django.db.models.functions import Now

from notifications.alert_raising import at_most_every, may_be_joined
from notifications.events.alerts import ALERT_TYPES, AlertKind
from notifications.models import Alert, AlertDelivery

# From so many on. Two are told one by one: each says more of itself than both of them together.
MANY = 3
# So many in one alert at most: putting each in words takes some milliseconds.
AT_MOST = 100


def waiting_with(alert: Alert, *, is_so: Callable[[Alert], bool]) -> list[Alert]:
    """The others that wait with this one and are so, the oldest first, locked; none where all of them are not many.

    Neither this one nor any of them is about a channel of which somebody was told the same within the hour, nor is one
    of them about a target of this one, which hears nothing of itself. Reads the health of their channels. Call it in
    the transaction that freezes the alert, which is locked.
    """
    if not (may_be_joined(alert.kind, alert.facts) and is_so(alert)):
        return []
    targets = AlertDelivery.objects.filter(event=alert.pk).values("channel")
    told = AlertDelivery.objects.filter(
        event_type=AlertKind(alert.kind).key, finished_at__gt=Now() - at_most_every(alert.kind), status="succeeded"
    )
    lately = set(told.values_list("event__alert__channel_id", flat=True))
    if alert.channel_id in lately:
        return []
    others = Alert.objects.select_for_update(skip_locked=True, no_key=True, of=("self",)).filter(
        kind=alert.kind, body=None, channel__archived_at=None
    )
    others = others.exclude(pk=alert.pk).exclude(channel__in=targets).exclude(channel__in=lately)
    found = [
        each
        for each in others.select_related("channel__health").order_by("created_at", "pk")[: AT_MOST - 1]
        if may_be_joined(each.kind, each.facts) and is_so(each)
    ]
    return found if len(found) + 1 >= MANY else []


def title_of(alerts: Sequence[Alert]) -> str:
    return ALERT_TYPES[AlertKind(alerts[0].kind).key].title_of_many.format(len(alerts))
