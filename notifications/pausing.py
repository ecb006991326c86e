"""Pausing a channel, by people and by the engine."""

from django.db import transaction

from channels_app import services as channels
from channels_app.models import Channel
from notifications import alert_raising, history


@transaction.atomic
def pause_channel(*, channel_id: str, reason: str, by: str) -> Channel:
    """Hold its deliveries from now on; what is in flight ends. Pausing a paused channel keeps the first reason.

    Raises `Channel.DoesNotExist`.
    """
    was_paused = channels.lock_channel(channel_id).paused_at
    channel = channels.pause_channel(channel_id=channel_id, reason=reason)
    if not was_paused:
        history.record(
            action=history.Action.PAUSED,
            by=by,
            sentence=f"{channel.name} was paused. {reason}".strip(),
            channel=channel,
        )
        alert_raising.channel_paused(channel=channel, by=by, reason=reason)
    return channel
