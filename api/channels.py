"""Channels, for an administrator's script."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Router, Schema, Status
from ninja.pagination import paginate
from pydantic import AfterValidator, ConfigDict, Field

from api.schemas import ChannelInPath
from channels_app.models import Channel
from channels_app.transports import TRANSPORTS, kind_choices
from channels_app.transports.rules import MASK
from notifications import services
from notifications.history import caller
from orders.text import is_clean_line

router = Router(tags=["Channels"])


def _one_line(text: str) -> str:
    if not is_clean_line(text):
        raise ValueError("This must be on one line.")
    return text


_HEADERS = {"X-Warehouse": "north"}
_URL = "https://warehouse.example.com/hooks/orders"
_ID = "chn_01kaskf4zze4t9a1t8cdhyjvb5"
KIND_WORDS = [kind for kind, _ in kind_choices()]

Name = Annotated[
    str,
    Field(min_length=1, max_length=100, description="The channel's name for people.", examples=["Warehouse"]),
    AfterValidator(_one_line),
]
Url = Annotated[
    str,
    Field(
        description="Where a postback channel posts to, or the incoming webhook of a Slack channel. Others have none.",
        examples=[_URL],
    ),
]
Headers = Annotated[
    dict[str, str],
    Field(
        description=f"Sent along with each postback, in place of those that there were. The value `{MASK}`, which "
        "stands in lists for one that is not shown, is refused.",
        examples=[_HEADERS],
    ),
]
# Twice as many as a channel has: of those that are given twice it keeps one.
Recipients = Annotated[
    list[str],
    Field(
        max_length=100,
        description="The addresses that an e-mail channel writes to, at most 50. Others have none.",
        examples=[[]],
    ),
]
SecretUrl = Annotated[
    bool,
    Field(
        strict=True,
        description="Whether whoever knows the URL may post to it, as with those of Zapier, Make and n8n: it is then "
        "encrypted, and shown masked everywhere. That of a Slack channel always is. To take this back, the URL itself "
        "has to be given in the same call.",
        examples=[False],
    ),
]
_NAMES = {transport.label: [setting.name for setting in transport.takes.settings] for transport in TRANSPORTS.values()}
Settings = Annotated[
    dict[str, str],
    Field(
        max_length=50,
        description="What only channels of its kind need, by name. "
        + (
            " ".join(f"{label}: {', '.join(map('`{}`'.format, names))}." for label, names in _NAMES.items() if names)
            or "No kind needs any today."
        )
        + f" A name that is left out of a change stays as it is, and the value `{MASK}` of a secret is refused.",
        examples=[{}],
    ),
]
PAUSED_BY_HAND = "Paused through the API."


class Input(Schema):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Nothing(Input):
    """These calls take no members: the body may be left out."""


class ChannelIn(Input):
    """A channel to be made: a postback or Slack channel needs its `url`, an e-mail channel its `recipients`."""

    name: Name
    kind: Annotated[
        str,
        Field(
            description="How it tells of events. It stays.",
            examples=["postback"],
            json_schema_extra={"enum": KIND_WORDS},
        ),
    ]
    url: Url | None = None
    headers: Headers | None = None
    recipients: Recipients | None = None
    url_is_secret: SecretUrl = False
    settings: Settings | None = None


class ChannelChange(Input):
    """What is to change of a channel. What is left out stays as it is."""

    name: Name = ""
    url: Url = ""
    headers: Headers = {}
    recipients: Recipients = []
    url_is_secret: SecretUrl = False
    settings: Settings = {}


class Rotation(Input):
    """How long the secret that is replaced goes on signing, beside the new one.

    Secrets that were replaced before go on until their own times in either case.
    """

    expire_old: Annotated[
        Literal["now", "24h"],
        Field(
            description="`now`: the present secret signs no more, as after a leak. `24h`: both sign for a day.",
            examples=["24h"],
        ),
    ]


class ChannelOut(Schema):
    """Where notifications go, and how."""

    id: Annotated[str, Field(description="The channel's id.", examples=[_ID])]
    name: Annotated[str, Field(description="The channel's name for people.", examples=["Warehouse"])]
    kind: Annotated[
        str,
        Field(description="How it tells of events.", examples=["postback"], json_schema_extra={"enum": KIND_WORDS}),
    ]
    status: Annotated[
        str,
        Field(
            description="What is due for a paused channel is held until it is resumed.",
            examples=["active"],
            json_schema_extra={"enum": ["active", "paused"]},
        ),
    ]
    pause_reason: Annotated[
        str | None, Field(description="Why it is paused, in a sentence; null while it is active.", examples=[None])
    ]
    url: Annotated[
        str,
        Field(
            description="Where it posts to, in the spelling in which it is called: what has to be percent-encoded is. "
            'Where it is a secret (`url_is_secret`), all but its host is masked. "" for a kind that has none.',
            examples=[_URL],
        ),
    ]
    headers: Annotated[
        dict[str, str] | None,
        Field(
            description="Sent along with each postback; null where the key that encrypted them is lost.",
            examples=[_HEADERS],
        ),
    ]
    recipients: Annotated[
        list[str], Field(description="The addresses that an e-mail channel writes to.", examples=[[]])
    ]
    url_is_secret: Annotated[
        bool,
        Field(description="Whether its URL is told to nobody. That of a Slack channel never is.", examples=[False]),
    ]
    settings: Annotated[
        dict[str, str] | None,
        Field(
            description=f"What only its kind needs, by name, with `{MASK}` for a secret; null where the key that "
            "encrypted them is lost.",
            examples=[{}],
        ),
    ]
    created_at: Annotated[datetime, Field(description="When it was made.", examples=["2026-11-23T18:36:00.123456Z"])]

    @staticmethod
    def resolve_url_is_secret(channel: Channel) -> bool:
        return channel.has_secret_url

    @staticmethod
    def resolve_settings(channel: Channel) -> dict[str, str] | None:
        return channel.shown_settings

    @staticmethod
    def resolve_pause_reason(channel: Channel) -> str | None:
        return channel.pause_reason or None

    @staticmethod
    def resolve_headers(channel: Channel) -> dict[str, str] | None:
        return channel.readable_headers


class ListedChannelOut(ChannelOut):
    """A channel without the values of its headers, which may be credentials."""

    headers: Annotated[
        dict[str, str] | None,
        Field(
            description=f"The names of the headers that are sent along, with `{MASK}` for each value; null where the "
            "key that encrypted them is lost.",
            examples=[dict.fromkeys(_HEADERS, MASK)],
        ),
    ]

    @staticmethod
    def resolve_headers(channel: Channel) -> dict[str, str] | None:
        headers = channel.readable_headers
        return None if headers is None else dict.fromkeys(headers, MASK)


class NewChannelOut(ChannelOut):
    """A channel with its signing secret."""

    secret: Annotated[
        str | None,
        Field(
            description="Signs the postbacks (Standard Webhooks). No other call gives it; in the back office "
            "administrators can reveal it. Null for a kind that does not sign.",
            examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD3Udm0WkPvbo="],
        ),
    ]

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
    """Make a channel. It hears of nothing until it is attached to event types."""
    channel = services.create_channel(**body.model_dump(), by=caller(request))
    return Status(201, channel)


@router.get("/channels/{channel_id}", response=ChannelOut)
def read_channel(request: HttpRequest, channel_id: ChannelInPath) -> Channel:
    """One channel, with the values of its headers: the history keeps that this key has read them, once an hour."""
    return _noted(request, Channel.objects.get(pk=channel_id, archived_at=None))


@router.patch("/channels/{channel_id}", response=ChannelOut)
def change_channel(request: HttpRequest, channel_id: ChannelInPath, body: ChannelChange) -> Channel:
    """Change a channel. What is left out stays; `headers` replace all that there were."""
    given: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
    channel = services.update_channel(channel_id=channel_id, by=caller(request), **given)
    return channel if "headers" in given else _noted(request, channel)


@router.delete("/channels/{channel_id}", response={204: None})
def delete_channel(request: HttpRequest, channel_id: ChannelInPath) -> Status[None]:
    """Delete a channel: it is detached everywhere, its pending deliveries fail, and the log keeps its name."""
    services.archive_channel(channel_id=channel_id, by=caller(request))
    return Status(204, None)


@router.post("/channels/{channel_id}/pause", response=ChannelOut)
def pause_channel(request: HttpRequest, channel_id: ChannelInPath, body: Nothing | None = None) -> Channel:
    """Send nothing more to the channel for now: what is due is held. One that is paused stays so."""
    return _noted(request, services.pause_channel(channel_id=channel_id, reason=PAUSED_BY_HAND, by=caller(request)))


@router.post("/channels/{channel_id}/resume", response=ChannelOut)
def resume_channel(request: HttpRequest, channel_id: ChannelInPath, body: Nothing | None = None) -> Channel:
    """Send what was held, the oldest first, and all that comes. One that is active stays so."""
    return _noted(request, services.resume_channel(channel_id=channel_id, by=caller(request)))


@router.post("/channels/{channel_id}/rotate-secret", response=NewChannelOut)
def rotate_secret(request: HttpRequest, channel_id: ChannelInPath, body: Rotation) -> Channel:
    """Make a new signing secret for a postback channel. No other call gives it again; administrators can reveal it.

    409 where five earlier secrets sign already and the present one would be the sixth.
    """
    overlap = timedelta(hours=24) if body.expire_old == "24h" else timedelta()
    return _noted(request, services.rotate_secret(channel_id=channel_id, overlap=overlap, by=caller(request)))


def _noted(request: HttpRequest, channel: Channel) -> Channel:
    """The channel for an answer that gives the values of its headers to a caller that did not just send them."""
    key_id: int = request.auth.pk  # type: ignore[attr-defined]  # an ApiKey; ninja's own attribute
    services.note_headers_given(channel=channel, by=caller(request), api_key_id=key_id)
    return channel
