"""An event as its words are made of it."""

from functools import cached_property
from typing import Any

from channels_app.transports import Notice
from notifications.events.words.lookups import JsonObject, one_line
from notifications.events.words.phrases import NAME_CHARACTERS, named_order
from notifications.events.words.sections import full_name


class Occurrence:
    """The body of an event, with what nearly all of them tell of."""

    def __init__(self, body: JsonObject) -> None:
        self.id = body.text("id")
        self.type = body.text("type")
        self.source = body.text("source")
        self.data = body.object("data")
        self.order = self.data.object("order")
        self.contact = self.data.object("contact") or self.order.object("contact")

    @cached_property
    def known_as(self) -> str:
        """The name of the contact, or the e-mail address; "" for none."""
        name = full_name(self.contact) or self.contact.text("email")
        return one_line(name or self.data.object("response").text("email"), NAME_CHARACTERS)

    @property
    def emails(self) -> frozenset[str]:
        """The addresses of whom it is about."""
        people = (self.contact, self.data.object("response"))
        return frozenset(person.text("email") for person in people) - {""}

    @property
    def who(self) -> str:
        """The contact in the middle of a sentence."""
        return self.known_as or "somebody"

    @property
    def somebody(self) -> str:
        """The contact at the beginning of a sentence. An e-mail address gets no capital letter."""
        return self.known_as or "Somebody"

    @property
    def order_name(self) -> str:
        """`order 1001`"""
        return named_order(self.order)

    def notice(self, **what: Any) -> Notice:
        """A notice of the occurrence, without its frame (note, footer, links into the back office)."""
        return Notice(type=self.type, **what)
