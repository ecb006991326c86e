"""The demo's channels. Most lead to the receivers of this very installation; each name says what it shows."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse

from channels_app.models import Channel
from channels_app.services import update_channel
from demo.receivers import BUSY, FAILING, GONE, MOVED
from demo.slack import REMOVED
from notifications.events import EVENT_TYPES
from notifications.public_links import bare
from notifications.services import attach_channel, create_channel, pause_channel, set_event_type_enabled
from orders.models import Source

FALLBACK_URL = "http://127.0.0.1:8000"
_ALL = (Source.ADMIN, Source.SHOP, Source.FUNNEL)
# By the kind of channel: the page of what its receivers got, below which they are, and the receivers themselves.
_PATHS = {"postback": ("demo:received", "demo:receive"), "slack": ("demo:messages", "demo:receive_message")}


@dataclass(frozen=True)
class _DemoChannel:
    """`to` is the name of one of the demo's receivers, a URL, or e-mail addresses, as the kind takes it.

    `hears` is of what, and from which sources.
    """

    name: str
    to: str | Sequence[str]
    hears: Mapping[str, Sequence[Source]]
    kind: str = "postback"
    paused_because: str = ""


_CHANNELS = (
    # Entries by staff do not concern the warehouse.
    _DemoChannel("Local receiver", "warehouse", {**dict.fromkeys(EVENT_TYPES, _ALL), "contact.created": _ALL[1:]}),
    # The others hear of little, so that the log stays readable.
    _DemoChannel("Failing receiver (503)", FAILING, {"transaction.declined": _ALL, "refund.applied": (Source.SHOP,)}),
    _DemoChannel("Busy receiver (503, try in an hour)", BUSY, {"customer.created": (Source.FUNNEL,)}),
    _DemoChannel("Moved receiver (404)", MOVED, {"order.completed": (Source.ADMIN,)}),
    _DemoChannel("Gone receiver (410 pauses it)", GONE, {"subscription.canceled": _ALL}),
    # The port of the discard service (RFC 863), on which no program listens.
    _DemoChannel("Nobody listens (connection error)", "http://127.0.0.1:9/hook", {"product.conflict": _ALL}),
    # A private address, which no channel may reach.
    _DemoChannel("Internal address (blocked)", "http://10.0.0.5/", {"survey.completed": _ALL}),
    _DemoChannel(
        "Bookkeeping (paused)",
        "bookkeeping",
        {"refund.applied": _ALL},
        paused_because="The bookkeeping moves to a new server. Resume when it is done.",
    ),
    _DemoChannel(
        "Back office team",
        ("olga.berg@example.com", "back-office@example.com"),
        dict.fromkeys(("order.completed", "refund.applied", "transaction.declined", "subscription.canceled"), _ALL),
        kind="email",
    ),
    _DemoChannel(
        "Sales on Slack",
        "sales",
        dict.fromkeys(("order.completed", "contact.created"), (Source.SHOP, Source.FUNNEL)),
        kind="slack",
    ),
    _DemoChannel("Slack channel that was removed (404)", REMOVED, {"subscription.canceled": _ALL}, kind="slack"),
)


def load_channels(*, by: str) -> None:
    """Turn all event types on, and attach channels of every kind that work and some that show what can go wrong."""
    for event_type in EVENT_TYPES.values():
        set_event_type_enabled(event_type=event_type, enabled=True, by=by)
    for each in _CHANNELS:
        channel = create_channel(name=each.name, kind=each.kind, by=by, **_destination(each))
        for key, sources in each.hears.items():
            attach_channel(event_type=EVENT_TYPES[key], channel_id=channel.pk, sources=sources, by=by)
        if each.paused_because:
            pause_channel(channel_id=channel.pk, reason=each.paused_because, by=by)


def point_channels_here() -> int:
    """Give the channels that lead to a demo receiver on loopback the present address: the port may have changed.

    A channel whose URL cannot be read, since its key is lost, stays as it is. Returns how many it changed.
    """
    base, changed = urlsplit(_base_url()), 0
    for channel in Channel.objects.filter(archived_at=None, kind__in=_PATHS):
        before = channel.readable_url or ""
        parts = urlsplit(before)
        _, receivers, receiver = parts.path.partition(_path(channel.kind))
        url = parts._replace(scheme=base.scheme, netloc=base.netloc, path=f"{base.path}{receivers}{receiver}").geturl()
        if _is_loopback(parts.hostname or "") and receivers and url != before:
            update_channel(channel_id=channel.pk, url=url)
            changed += 1
    return changed


def _destination(channel: _DemoChannel) -> dict[str, Any]:
    if not isinstance(channel.to, str):
        return {"recipients": channel.to}
    return {"url": channel.to if ":" in channel.to else _base_url() + _path(channel.kind, channel.to)}


def _base_url() -> str:
    return settings.PUBLIC_URL or FALLBACK_URL


def _path(kind: str, receiver: str = "") -> str:
    page, receivers = _PATHS[kind]
    return bare(reverse(receivers, args=[receiver]) if receiver else reverse(page))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
