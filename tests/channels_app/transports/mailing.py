"""One call of the e-mail transport, with what most tests do not care about filled in."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from django.test import override_settings

from channels_app.transports import Answer, Destination, Message, Notice
from channels_app.transports.email.mailserver import SMTP_BACKEND
from channels_app.transports.email.outcomes import MAY_HAVE_ARRIVED
from channels_app.transports.email.transport import EmailTransport
from tests.channels_app.transports.sending import NOISE, NOW
from tests.servers.mailserver import Action, HostileMailServer, speaks

ADA, BOB, EVE = "ada@example.com", "bob@example.com", "eve@example.com"
NOTICE = Notice(type="order.completed", title="Order 1001 is complete", paragraphs=("Ada has paid 12.50 USD.",))
SENDER = "tidings@shop.example.com"
USER, PASSWORD = "tidings", "correct horse battery"
# The stages of a session without TLS, and how each is called in a sentence.
STAGES = {
    "greeting": "the greeting",
    "EHLO": "the answer to EHLO",
    "AUTH": "the answer to AUTH",
    "MAIL": "the answer to MAIL",
    "RCPT": "the answer to RCPT",
    "DATA": "the answer to DATA",
    "message": "the answer to the message",
}
every_stage = pytest.mark.parametrize("stage", STAGES)


@contextmanager
def mail_goes_to(
    port: int,
    host: str = "127.0.0.1",
    *,
    tls: Literal["", "starttls", "implicit"] = "",
    user: str | None = None,
    password: str | None = None,
    **other_settings: Any,
) -> Iterator[None]:
    """As `EMAIL_URL` would say it."""
    of_the_server = {
        "EMAIL_BACKEND": SMTP_BACKEND,
        "EMAIL_HOST": host,
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": user,
        "EMAIL_HOST_PASSWORD": password,
        "EMAIL_USE_TLS": tls == "starttls",
        "EMAIL_USE_SSL": tls == "implicit",
    }
    ours = {"PUBLIC_URL": "https://shop.example.com", "DEFAULT_FROM_EMAIL": f"Tidings <{SENDER}>"}
    with override_settings(**{**of_the_server, **ours, **other_settings}):
        yield


def send_mail(
    *to: str, reached: tuple[str, ...] = (), notice: Notice = NOTICE, timeout: float = 10.0, **transport: Any
) -> Answer:
    """Send `notice` as the settings say, and check what holds for every attempt: it ends by its deadline."""
    destination = Destination("email", "", recipients=to or (ADA,))
    message = Message("evt_1", b"{}", delivery_id="dlv_1", notice=lambda: notice, reached=reached)
    began = time.monotonic()
    answer = EmailTransport(**transport).send(destination, message, now=NOW, timeout=timeout)
    assert time.monotonic() - began < timeout + NOISE
    return answer


def meets(stage: str, action: Action, *to: str, timeout: float = 10.0) -> tuple[Answer, HostileMailServer]:
    """Send to a server that wants credentials, and does `action` at `stage`."""
    behaviour = speaks({stage: action}, offers=["AUTH PLAIN"])
    with HostileMailServer(behaviour) as server, mail_goes_to(server.port, user=USER, password=PASSWORD):
        return send_mail(*to, timeout=timeout), server


def told(stage: str, sentence: str) -> str:
    """The sentence of a failure at `stage`, with what is said beside it where the message may have arrived."""
    return f"{sentence} {MAY_HAVE_ARRIVED}" if stage == "message" else sentence
