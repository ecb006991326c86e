"""Changes of channels: by the rules of `channels_app.services`, with what each means for notifications."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from channels_app import services as channels
from channels_app.earlier_secrets import AT_ONCE, EarlierSecret
from channels_app.models import Channel, TooManySecrets
from channels_app.services import UNSET
from channels_app.transports import kind_label, takes
from notifications import doorbell, history
from notifications.database_time import database_now
from notifications.delivery import health
from notifications.delivery.maintenance import abandon
from notifications.errors import Conflict
from notifications.events import EventType
from notifications.events.bodies import sample_body
from notifications.events.samples import SAMPLE_SOURCE
from notifications.models import IS_WAITING, Delivery, Event, EventChannel, HistoryEntry, Trigger, new_test_event_id
from notifications.services.routing import check_kind
from notifications.tracing import trace_event

# How long one entry of the history is enough for a script that reads the values of headers again and again.
ONE_ENTRY_STANDS_FOR = timedelta(hours=1)


@transaction.atomic
def create_channel(
    *,
    name: str,
    kind: str,
    by: str,
    url: str | None = None,
    headers: dict[str, str] | None = None,
    recipients: Sequence[str] | None = None,
    url_is_secret: bool = False,
    settings: Mapping[str, str] | None = None,
) -> Channel:
    """A new active channel. Raises `ValidationError` with the field; see `channels_app.services.create_channel`."""
    channel = channels.create_channel(
        name=name,
        kind=kind,
        url=url,
        headers=headers,
        recipients=recipients,
        url_is_secret=url_is_secret,
        settings=settings,
    )
    history.record(action=history.Action.CREATED, by=by, sentence=f"{channel.name} was created.", channel=channel)
    return channel


@transaction.atomic
def update_channel(
    *,
    channel_id: str,
    by: str,
    name: str = UNSET,
    url: str = UNSET,
    headers: dict[str, str] = UNSET,
    recipients: Sequence[str] = UNSET,
    url_is_secret: bool = UNSET,
    settings: Mapping[str, str] = UNSET,
) -> Channel:
    """Change what is given; deliveries use it from their next attempt on, which a failing channel gets at once.

    Raises `ValidationError` with the field, `Channel.DoesNotExist` for an unknown or deleted one.
    """
    before = channels.lock_channel(channel_id)
    channel = channels.update_channel(
        channel_id=channel_id,
        name=name,
        url=url,
        headers=headers,
        recipients=recipients,
        url_is_secret=url_is_secret,
        settings=settings,
    )
    changed = [
        f"name (was {before.name})" if channel.name != before.name else "",
        "URL" if channel.readable_url != before.readable_url else "",
        _marked(channel, before),
        "extra headers" if headers is not UNSET and before.readable_headers != headers else "",
        "recipients" if channel.recipients != before.recipients else "",
        *_changed_settings(channel, before),
    ]
    if any(changed):
        history.record(
            action=history.Action.EDITED,
            by=by,
            sentence=f"{channel.name} was edited: {', '.join(filter(None, changed))}.",
            channel=channel,
        )
    probe_now(channel_id=channel_id)
    return channel


def _changed_settings(channel: Channel, before: Channel) -> list[str]:
    """The labels of those that are another value now; their values are for no history."""
    old, new = before.readable_settings or {}, channel.readable_settings or {}
    changed = [each for each in takes(channel.kind).settings if old.get(each.name, "") != new.get(each.name, "")]
    return [each.in_a_sentence for each in changed]


def _marked(channel: Channel, before: Channel) -> str:
    if channel.has_secret_url == before.has_secret_url:
        return ""
    return "the URL is a secret from now on" if channel.has_secret_url else "the URL is no secret any more"


def _what_was_shown(channel: Channel) -> str:
    if not takes(channel.kind).signing_secret:
        return f"The URL of {channel.name} was shown."
    url = "URL, the " if channel.has_secret_url else ""
    return f"The {url}secret and the extra headers of {channel.name} were shown."


@transaction.atomic
def resume_channel(*, channel_id: str, by: str) -> Channel:
    """Let the channel's deliveries go again, at once: one at first, and with each success one more at a time.

    Raises `Channel.DoesNotExist`.
    """
    was_paused = channels.lock_channel(channel_id).paused_at
    channel = channels.resume_channel(channel_id=channel_id)
    if was_paused:
        if Delivery.objects.filter(IS_WAITING, channel=channel).exists():
            health.start_slowly(channel_id)
        history.record(action=history.Action.RESUMED, by=by, sentence=f"{channel.name} was resumed.", channel=channel)
    probe_now(channel_id=channel_id)
    return channel


@transaction.atomic
def rotate_secret(*, channel_id: str, overlap: timedelta, by: str) -> Channel:
    """A new signing secret; for as long as `overlap` the one that it replaces signs as well.

    Those before go on until their own times. One whose encryption key is lost ends at once. Raises `Conflict` for a
    channel that does not sign and where five earlier secrets sign already, `Channel.DoesNotExist`.
    """
    before = channels.lock_channel(channel_id)
    if not takes(before.kind).signing_secret:
        raise Conflict(f"{kind_label(before.kind)} channels have no signing secret.")
    try:
        channel = channels.rotate_secret(channel_id=channel_id, overlap=overlap)
    except TooManySecrets as error:
        raise Conflict(
            f"{AT_ONCE} earlier secrets of {before.name} sign already, the first of them until "
            f"{error.until:%Y-%m-%dT%H:%M:%SZ}. End one of them on the channel's page, or wait until then."
        ) from error
    signs_on = channel.encrypted_previous_secret == before.encrypted_secret
    ends = f"The old one signs for {overlap.total_seconds() / 3600:g} h more." if signs_on else "The old one ended."
    history.record(
        action=history.Action.ROTATED,
        by=by,
        sentence=f"{channel.name} was given a new signing secret. {ends}",
        channel=channel,
    )
    return channel


@transaction.atomic
def end_secret(*, channel_id: str, key: str, by: str) -> EarlierSecret | None:
    """Sign no more with an earlier secret, whose `EarlierSecret.key` this is; None where it has ended already.

    Raises `Channel.DoesNotExist`.
    """
    channel = channels.lock_channel(channel_id)
    ended = channels.end_secret(channel_id=channel_id, key=key)
    if ended is not None:
        history.record(
            action=history.Action.SECRET_ENDED,
            by=by,
            sentence=f"An earlier secret of {channel.name} was ended, which would have signed until "
            f"{ended.until:%Y-%m-%dT%H:%M:%SZ}.",
            channel=channel,
        )
    return ended


@transaction.atomic
def reveal_secret(*, channel_id: str, by: str) -> Channel:
    """The channel, for showing its secrets and headers to this person; that it was done is kept.

    Raises `Channel.DoesNotExist`.
    """
    channel = Channel.objects.get(pk=channel_id, archived_at=None)
    history.record(
        action=history.Action.REVEALED,
        by=by,
        sentence=_what_was_shown(channel),
        channel=channel,
    )
    return channel


def note_headers_given(*, channel: Channel, by: str, api_key_id: int) -> None:
    """Keep that a script was given the values of the channel's extra headers, as `reveal_secret` does of a person.

    Scripts ask again and again: of one key and channel an entry stands for an hour, or until the channel is edited.
    """
    if not channel.readable_headers:
        return
    known = HistoryEntry.objects.filter(channel=channel, at__gt=Now() - ONE_ENTRY_STANDS_FOR)
    known = known.filter(Q(action=history.Action.EDITED) | Q(action=history.Action.REVEALED, api_key_id=api_key_id))
    latest = known.order_by("-id").first()
    if latest is None or latest.action == history.Action.EDITED:
        history.record(
            action=history.Action.REVEALED,
            by=by,
            sentence=f"The extra headers of {channel.name} were given out by the API.",
            channel=channel,
            api_key_id=api_key_id,
        )


@transaction.atomic
def archive_channel(*, channel_id: str, by: str) -> None:
    """Delete a channel: detached everywhere, its pending deliveries fail, the log keeps its name.

    The first thousand fail at once, what is beyond, or recorded meanwhile, within seconds by the workers: so no row is
    locked for long, and recording an event waits for no deletion. What is in flight ends and is recorded.
    Raises `Channel.DoesNotExist`.
    """
    channel = channels.lock_channel(channel_id)
    channel.archived_at = Now()
    channel.save(update_fields=["archived_at"])
    EventChannel.objects.filter(channel=channel).delete()
    abandon()
    doorbell.ring_on_commit()
    history.record(action=history.Action.DELETED, by=by, sentence=f"{channel.name} was deleted.", channel=channel)


@transaction.atomic
def probe_now(*, channel_id: str) -> None:
    """Try a failing channel at the next claim, not after its back-off, since its receiver is said to be repaired."""
    health.forgive(channel_id)
    doorbell.ring_on_commit()


@transaction.atomic
def send_test(*, channel_id: str, event_type: EventType, by: str) -> Delivery:
    """Have the worker send a sample of this event type once, outside every rate, also to a paused channel.

    Its event id begins `evt_test_`. Raises `ValidationError` where the event type refuses the channel's kind,
    `Channel.DoesNotExist`.
    """
    channel = channels.lock_channel(channel_id)
    check_kind(event_type, channel, field="event_type")
    event = Event(id=new_test_event_id(), type=event_type.key, source=SAMPLE_SOURCE, created_at=database_now())
    event.body = sample_body(event_type, event_id=event.pk, created_at=event.created_at)
    delivery = Delivery(event=event, event_type=event.type, channel=channel, next_trigger=Trigger.TEST)
    event.routing = [
        {"channel": channel.pk, "name": channel.name, "outcome": "delivered", "delivery": delivery.pk},
    ]
    trace_event(event, {delivery.pk: channel.pk})
    event.save(force_insert=True)
    delivery.save(force_insert=True)
    delivery.refresh_from_db(fields=["next_attempt_at", "created_at"])
    history.record(
        action=history.Action.TESTED,
        by=by,
        sentence=f"A test of {event_type.label} was sent to {channel.name}.",
        channel=channel,
        event_type=event_type.key,
        delivery_id=delivery.pk,
    )
    doorbell.ring_on_commit()
    return delivery
