"""A recorded attempt as a curl command, to be sent by hand."""

import shlex

from notifications.models import Delivery, DeliveryAttempt

# What curl says by itself.
_LEFT_OUT = {"host", "content-length", "connection"}


def sends_body(delivery: Delivery) -> bool:
    """Whether its channel is sent the bytes of the event, and not a message in words that is made from them."""
    return delivery.channel.kind == "postback"


def curl_of(attempt: DeliveryAttempt, delivery: Delivery) -> str:
    """`as_curl` of an attempt of this delivery; "" where nobody could send the same again."""
    event = delivery.event
    if not (attempt.url and sends_body(delivery)) or event.body is None or event.erased_at:
        return ""
    return as_curl(attempt, event.body, url=attempt.shown_url)


def as_curl(attempt: DeliveryAttempt, body: str, *, url: str = "") -> str:
    """A command for a POSIX shell that sends the same request: address, recorded headers, the bytes of the body.

    `url` is the address to show where that is another one. Values that the log masks are masked here too. `-g` takes
    the address as it is, `-i` shows the answer's headers.
    """
    lines = [f"curl -gi {shlex.quote(url or attempt.url)}"]
    for name, value in attempt.request_headers.items():
        if name.lower() not in _LEFT_OUT:
            # curl leaves out a header without a value, unless it is written with a semicolon.
            lines.append(f"-H {shlex.quote(f'{name}: {value}' if value else f'{name};')}")
    lines.append(f"--data-raw {shlex.quote(body)}")
    return " \\\n  ".join(lines)
