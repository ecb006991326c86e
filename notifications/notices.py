"""Puts events in words, for the kinds of channel that people read: `channels_app.transports.Notice`.

It runs in the threads that send, which have no database connection: all that it knows is in the frozen body. The words
are those of the event type, in the vocabulary of `notifications.events.words`; one without words of its own is shown by
its label, its description and all that its data holds. Here is the frame around them: note, links, footer.
"""

import json
from dataclasses import replace

from django.conf import settings
from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils import timezone

from channels_app.transports import Link, Notice
from channels_app.transports.email.message import compose
from notifications.events import EVENT_TYPES, event_label
from notifications.events.bodies import sample_body
from notifications.events.words import sections
from notifications.events.words.lookups import JsonObject, one_line
from notifications.events.words.occurrence import Occurrence
from notifications.events.words.phrases import named_order, titled
from notifications.models import TEST_EVENT_PREFIX
from notifications.public_links import public_link

TITLE_CHARACTERS = 150
TEST = "Test: "
TEST_NOTE = "This is a test with made-up data."


def notice_of(body: str, *, order_id: int | None = None, contact_id: str | None = None) -> Notice:
    """The frozen body of an event in words, with links to its order and contact where their keys are given.

    Needs no database connection. Raises nothing for a body of a JSON object, whatever is missing from it or null in it.
    """
    event = Occurrence(JsonObject(json.loads(body)))
    event_type = EVENT_TYPES.get(event.type)
    notice = event_type.words(event) if event_type and event_type.words else _in_general(event)
    is_test = event.id.startswith(f"{TEST_EVENT_PREFIX}_")
    title = f"{TEST}{notice.title}" if is_test else notice.title
    return replace(
        notice,
        title=one_line(title, TITLE_CHARACTERS),
        sections=tuple(section for section in notice.sections if section.facts),
        addresses=event.emails,
        links=(*notice.links, *_links(event, order_id, contact_id)),
        note=TEST_NOTE if is_test else "",
        footer=_footer(event, is_test),
    )


def warm_up() -> None:
    """Load what the first words need, addresses and templates: it would be most of a second of the first attempt."""
    event_type = next(iter(EVENT_TYPES.values()))
    notice = notice_of(sample_body(event_type, event_id=""), order_id=1, contact_id="con_0")
    compose(notice, to=[], message_id="", now=timezone.now())


def _in_general(event: Occurrence) -> Notice:
    """The notice of an event type without words of its own, or that is no longer in the catalogue."""
    about = named_order(event.order) if event.order else event.known_as
    event_type = EVENT_TYPES.get(event.type)
    return event.notice(
        title=titled(event_label(event.type) or "Something happened", about),
        paragraphs=(event_type.description,) if event_type else (),
        sections=tuple(sections.all_of(event.data)),
    )


def _links(event: Occurrence, order_id: int | None, contact_id: str | None) -> list[Link]:
    """The page of what the event is about comes first."""
    links = []
    if settings.PUBLIC_URL and order_id is not None:
        url = public_link(reverse("admin:orders_order_change", args=[order_id]))
        number = event.order.text("number")
        links.append(Link(f"Open order {number}" if number else "Open the order", url))
    if settings.PUBLIC_URL and contact_id is not None:
        url = public_link(reverse("admin:orders_contact_change", args=[quote(contact_id)]))
        links.append(Link("Open the contact", url))
    return links if event.order else links[::-1]


def _footer(event: Occurrence, is_test: bool) -> str:
    label = event_label(event.type)
    if is_test:
        why = f"Sent by Tidings because somebody tested this channel with {label}."
    else:
        why = f"Sent by Tidings because this channel is attached to {label}."
    return f"{why} Event: {event.id}" if event.id else why
