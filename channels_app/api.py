"""Channels, for an administrator's script."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Router, Schema, Status
from ninja.pagination import paginate
from pydantic import AfterValidator, ConfigDict, Field

from channels_app.models import Channel
from channels_app.transports.rules import MASK
from notifications import services
from notifications.history import caller

router = Router(tags=["Channels"])


def _one_line(text: str) -> str:
    if any(character in text for character in "\t\n\r"):
        raise ValueError("This must be on one line.")
    return text


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_one_line)]
Headers = Annotated[
    dict[str, str],
    Field(
        description=f"Sent along with each postback, in place of those that there were. The value `{MASK}`, which "
        "stands in lists for one that is not shown, is refused."
    ),
]
# Twice as many as a channel has: of those that are given twice it keeps one.
Recipients = Annotated[list[str], Field(max_length=100)]
PAUSED_BY_HAND = "Paused through the API."


class Input(Schema):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Nothing(Input):
    """These calls take no members."""


class ChannelIn(Input):
    name: Name
    kind: str
    url: str | None = None
    headers: Headers | None = None
    recipients: Recipients | None = None


class ChannelChange(Input):
    name: Name = ""
    url: str = ""
    headers: Headers = {}
    recipients: Recipients = []


class Rotation(Input):
    """`now`: the old secret signs no more, as after a leak. `24h`: both sign for a day."""

    expire_old: Literal["now", "24h"]


class ChannelOut(Schema):
    """A channel. `headers` is null where the key that encrypted them is lost.

    `url` is in the spelling in which it is sent: what has to be percent-encoded is. That of a Slack channel is
    a secret: all but its host is masked. What a kind does not take is empty.
    """

    id: str
    name: str
    kind: str
    status: str
    pause_reason: str | None
    url: str
    headers: dict[str, str] | None
    recipients: list[str]
    created_at: datetime

    @staticmethod
    def resolve_pause_reason(channel: Channel) -> str | None:
        return channel.pause_reason or None

    @staticmethod
    def resolve_headers(channel: Channel) -> dict[str, str] | None:
        return channel.readable_headers


class ListedChannelOut(ChannelOut):
    """A channel without the values of its headers, which may be credentials: `********` stands for each.

    `headers` is null where the key that encrypted them is lost.
    """

    @staticmethod
    def resolve_headers(channel: Channel) -> dict[str, str] | None:
        headers = channel.readable_headers
        return None if headers is None else dict.fromkeys(headers, MASK)


class NewChannelOut(ChannelOut):
    """A channel with its signing secret, which is shown this once; null for a kind that does not sign."""

    secret: str | None

    @staticmethod
    def resolve_secret(channel: Channel) -> str | None:
        return channel.secret or None


@router.get("/channels", response=list[ListedChannelOut])
@paginate
def list_channels(request: HttpRequest) -> QuerySet[Channel]:
    """The values of `headers` are masked; ask for one channel to read them."""
    return Channel.objects.filter(archived_at=None)


@router.post("/channels", response={201: NewChannelOut})
def create_channel(request: HttpRequest, body: ChannelIn) -> Status[Channel]:
    channel = services.create_channel(**body.model_dump(), by=caller(request))
    return Status(201, channel)


@router.get("/channels/{channel_id}", response=ChannelOut)
def read_channel(request: HttpRequest, channel_id: str) -> Channel:
    return Channel.objects.get(pk=channel_id, archived_at=None)


@router.patch("/channels/{channel_id}", response=ChannelOut)
def change_channel(request: HttpRequest, channel_id: str, body: ChannelChange) -> Channel:
    """What is left out stays. `headers` replace all that there were, so leave them out where you read them masked."""
    given: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
    return services.update_channel(channel_id=channel_id, by=caller(request), **given)


@router.delete("/channels/{channel_id}", response={204: None})
def delete_channel(request: HttpRequest, channel_id: str) -> Status[None]:
    """Detached everywhere; its pending deliveries fail with the reason; the log keeps its name."""
    services.archive_channel(channel_id=channel_id, by=caller(request))
    return Status(204, None)


@router.post("/channels/{channel_id}/pause", response=ChannelOut)
def pause_channel(request: HttpRequest, channel_id: str, body: Nothing | None = None) -> Channel:
    return services.pause_channel(channel_id=channel_id, reason=PAUSED_BY_HAND, by=caller(request))


@router.post("/channels/{channel_id}/resume", response=ChannelOut)
def resume_channel(request: HttpRequest, channel_id: str, body: Nothing | None = None) -> Channel:
    return services.resume_channel(channel_id=channel_id, by=caller(request))


@router.post("/channels/{channel_id}/rotate-secret", response=NewChannelOut)
def rotate_secret(request: HttpRequest, channel_id: str, body: Rotation) -> Channel:
    """A new signing secret, shown this once."""
    overlap = timedelta(hours=24) if body.expire_old == "24h" else timedelta()
    return services.rotate_secret(channel_id=channel_id, overlap=overlap, by=caller(request))
