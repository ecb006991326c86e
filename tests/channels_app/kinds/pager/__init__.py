"""A fourth kind of channel, as its folder would hold it: two values of its own, one of them secret."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from channels_app.transports import Answer, Destination, Message, Setting, Takes, Transport, UrlField
from channels_app.transports.http.client import Client


def check_team(value: str) -> str:
    """In lower case. Raises `ValueError` with a sentence."""
    if not re.fullmatch("[A-Za-z-]+", value):
        raise ValueError("A team consists of letters and hyphens.")
    return value.lower()


class PagerTransport(Transport):
    """Wakes people up. Where the routing key is wrong the receiver says so, and repeats it."""

    kind: ClassVar[str] = "pager"
    label: ClassVar[str] = "Pager"
    about: ClassVar[str] = "For people on call: a page to their team."
    takes: ClassVar[Takes] = Takes(
        url=UrlField(help_text="Of your pager's own API."),
        settings=(
            Setting("team", "Team", "Whom to wake.", check=check_team),
            Setting("routing_key", "Routing key", "From the pager's integrations.", secret=True),
        ),
    )
    advice: ClassVar[Path | None] = Path(__file__).with_name("advice.html")
    answered_by: ClassVar[str] = "the pager"

    def send(self, destination: Destination, message: Message, *, now: datetime, timeout: float) -> Answer:
        notice = message.in_words()
        page = {
            "event": message.id,
            "team": destination.settings["team"],
            "key": destination.settings["routing_key"],
            "text": [notice.title, *notice.paragraphs],
            "links": [link.url for link in notice.links],
        }
        return Client().post(
            destination.url,
            json.dumps(page).encode(),
            {"Content-Type": "application/json", "X-Routing-Key": destination.settings["routing_key"]},
            now=now,
            timeout=timeout,
            channel=destination.channel_id,
        )
