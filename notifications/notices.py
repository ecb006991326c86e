"""Puts events in words, for the kinds of channel that people read: `channels_app.transports.Notice`."""

import json

from django.conf import settings
from django.urls import reverse

from channels_app.transports import Link, Notice
from notifications.catalogue import EVENT_TYPES


def notice_of(body: str, *, order_id: int | None = None, contact_id: str | None = None) -> Notice:
    """The frozen body of an event in words, with links to its order and contact where their keys are given."""
    event = json.loads(body)
    links = []
    if settings.PUBLIC_URL and order_id is not None:
        path = reverse("admin:orders_order_change", args=[order_id])
        links.append(Link("Open the order", f"{settings.PUBLIC_URL}{path}"))
    if settings.PUBLIC_URL and contact_id is not None:
        path = reverse("admin:orders_contact_change", args=[contact_id])
        links.append(Link("Open the contact", f"{settings.PUBLIC_URL}{path}"))
    return Notice(type=event["type"], title=EVENT_TYPES[event["type"]].label, links=tuple(links))
