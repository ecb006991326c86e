"""The demo's channels, which lead to the receivers of this very installation."""

import ipaddress
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse

from channels_app.models import Channel
from channels_app.services import create_channel, update_channel
from config.demo.receiving import FAILING
from notifications.catalogue import EVENT_TYPES
from notifications.services import attach_channel, set_event_type_enabled
from orders.models import Source

WAREHOUSE = "warehouse"
FALLBACK_URL = "http://127.0.0.1:8000"
# What each channel hears of, and from which sources. Entries by staff do not concern the warehouse.
_EVERYWHERE = (Source.ADMIN, Source.SHOP, Source.FUNNEL)
_LOCAL_RECEIVER = {
    "order.completed": _EVERYWHERE,
    "contact.created": (Source.SHOP, Source.FUNNEL),
    "transaction.declined": _EVERYWHERE,
    "refund.applied": _EVERYWHERE,
    "customer.created": _EVERYWHERE,
    "transaction.approved": _EVERYWHERE,
}
_FAILING_RECEIVER = {
    "transaction.declined": _EVERYWHERE,
    "refund.applied": (Source.SHOP,),
}


def load_channels(*, by: str) -> None:
    """Turn on the event types that the demo causes, and attach a channel that works and one that does not."""
    for key in _LOCAL_RECEIVER:
        set_event_type_enabled(event_type=EVENT_TYPES[key], enabled=True, by=by)
    for name, receiver, attachments in (
        ("Local receiver", WAREHOUSE, _LOCAL_RECEIVER),
        ("Failing receiver", FAILING, _FAILING_RECEIVER),
    ):
        channel = create_channel(name=name, kind="postback", url=_base_url() + _path(receiver))
        for key, sources in attachments.items():
            attach_channel(event_type=EVENT_TYPES[key], channel_id=channel.pk, sources=sources)


def point_channels_here() -> int:
    """Give the channels that lead to a demo receiver on loopback the present address: the port may have changed.

    Returns how many it changed.
    """
    base, changed = urlsplit(_base_url()), 0
    for channel in Channel.objects.filter(archived_at=None, url__contains=_path(""), kind="postback"):
        parts = urlsplit(channel.url)
        url = parts._replace(scheme=base.scheme, netloc=base.netloc).geturl()
        if _is_loopback(parts.hostname or "") and parts.path.startswith(_path("")) and url != channel.url:
            update_channel(channel_id=channel.pk, url=url)
            changed += 1
    return changed


def _base_url() -> str:
    return settings.PUBLIC_URL or FALLBACK_URL


def _path(receiver: str) -> str:
    return reverse("demo:receive", args=[receiver]) if receiver else reverse("demo:received")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
