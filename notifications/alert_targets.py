"""Who is told: the administrators by e-mail, and the channels that were chosen for it.

A target is the id of a channel. That of the administrators is a system channel, whose recipients are looked up whenever
something is sent.
"""

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from channels_app.models import Channel
from channels_app.services import lock_channel
from notifications import history
from notifications.errors import Conflict
from notifications.models import AlertChannel
from notifications.permissions import ADMINISTRATORS

# The id of the system channel that leads to them. It is made when something is first to be told.
ADMINISTRATORS_CHANNEL = "chn_administrators"
NOBODY = f"Nobody of the group {ADMINISTRATORS}, and no superuser, is active and has an e-mail address."


def recipients() -> list[str]:
    """The addresses of the active members of the administrators' group; of the superusers where it has none."""
    people = User.objects.filter(is_active=True).exclude(email="")
    for chosen in (people.filter(groups__name=ADMINISTRATORS), people.filter(is_superuser=True)):
        if addresses := sorted(set(chosen.values_list("email", flat=True))):
            return addresses
    return []


def chosen() -> QuerySet[AlertChannel]:
    """The channels that are told, by their names; a deleted one is not."""
    told = AlertChannel.objects.filter(channel__archived_at=None)
    return told.select_related("channel").order_by("channel__name", "channel_id")


def targets_for(about: str | None) -> list[str]:
    """Who is to be told of what happens to this channel (None: to no channel). None hears of itself."""
    administrators = {"name": "Administrators", "kind": "email", "system": True, "created_at": Now()}
    # Workers of the release before would claim for it else; to it alone a pause means nothing.
    administrators |= {"paused_at": Now(), "pause_reason": "Alerts go out all the same."}
    Channel.every.get_or_create(pk=ADMINISTRATORS_CHANNEL, defaults=administrators)
    return [ADMINISTRATORS_CHANNEL, *chosen().exclude(channel_id=about or "").values_list("channel_id", flat=True)]


@transaction.atomic
def choose(*, channel_id: str, by: str) -> AlertChannel:
    """Have a channel be told of alerts from now on.

    Raises `ValidationError` for an unknown or deleted channel, `Conflict` for one that is chosen already.
    """
    try:
        channel = lock_channel(channel_id)
    except Channel.DoesNotExist as error:
        raise ValidationError({"channel": ["There is no such channel."]}) from error
    try:
        with transaction.atomic():
            added = AlertChannel.objects.create(channel=channel, chosen_by=by[:150])
    except IntegrityError as error:
        raise Conflict(f"{channel.name} is told of alerts already.") from error
    history.record(
        action=history.Action.ALERTS_ADDED, by=by, sentence=f"{channel.name} is told of alerts.", channel=channel
    )
    return added


@transaction.atomic
def leave_out(*, channel_id: str, by: str) -> Channel:
    """Tell a channel of alerts no longer; what waits to be sent to it is withdrawn at its turn.

    Raises `Channel.DoesNotExist`, `AlertChannel.DoesNotExist` for one that is not chosen.
    """
    channel = lock_channel(channel_id)
    AlertChannel.objects.select_for_update().get(channel=channel).delete()
    history.record(
        action=history.Action.ALERTS_REMOVED,
        by=by,
        sentence=f"{channel.name} is no longer told of alerts.",
        channel=channel,
    )
    return channel
