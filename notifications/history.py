"""Keeps who did what: each service that a person or a script calls writes one entry in its own transaction."""

import getpass
import os

from django.http import HttpRequest

from channels_app.models import Channel
from notifications.models import HistoryEntry

Action = HistoryEntry.Action
TIDINGS = "Tidings"


def of_api_key(name: str) -> str:
    """The signature of a change by this key."""
    return f"API key {name}"


def caller(request: HttpRequest) -> str:
    """The signature of the API's present caller."""
    return of_api_key(request.auth.name)  # type: ignore[attr-defined]


def operator() -> str:
    """The signature of a command: the user of the operating system; a container may have given its number no name."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"user {os.getuid()}"
    return f"{name} (command line)"


def email_corrected(contact_id: str) -> str:
    """How the sentence begins that says from and to which address staff corrected a contact's."""
    return f"The e-mail of contact {contact_id} was corrected"


def record(
    *,
    action: HistoryEntry.Action,
    by: str,
    sentence: str,
    channel: Channel | None = None,
    event_type: str = "",
    delivery_id: str = "",
    api_key_id: int | None = None,
) -> HistoryEntry:
    """Write down a change with its reasons in a sentence. Call it in the transaction of the change.

    `by` is a user's name, that of an API key, or `TIDINGS`. Never put a secret or a header's value into `sentence`.
    """
    return HistoryEntry.objects.create(
        action=action,
        by=by[:150],
        sentence=sentence,
        channel=channel,
        event_type=event_type,
        delivery_id=delivery_id,
        api_key_id=api_key_id,
    )
