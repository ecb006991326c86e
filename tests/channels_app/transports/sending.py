"""One call of the postback transport, with what most tests do not care about filled in."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from channels_app.transports import Answer, Destination, Message, Outcome
from channels_app.transports.http.client import Client
from channels_app.transports.postback.signature import new_secret
from channels_app.transports.postback.transport import PostbackTransport

NOW = datetime(2026, 11, 23, 18, 36, tzinfo=UTC)
BODY = '{"id":"evt_1","name":"Zoë"}'.encode()
SECRET = new_secret()
NOISE = 10.0  # seconds that a busy machine may add to a deadline


def send(
    url: str,
    *,
    timeout: float = 10.0,
    headers: dict[str, str] | None = None,
    secrets: tuple[str, ...] = (SECRET,),
    now: datetime = NOW,
    message: Message | None = None,
    through: Client | None = None,
    **client: Any,
) -> Answer:
    """Send `BODY` (or `message`) and check what holds for every attempt: it ends by its deadline.

    By a client of its own, with no connections kept, unless it is sent `through` one.
    """
    transport = PostbackTransport(through or Client(**client))
    destination = Destination("postback", url, headers or {}, secrets)
    began = time.monotonic()
    answer = transport.send(destination, message or Message("evt_1", BODY), now=now, timeout=timeout)
    assert time.monotonic() - began < timeout + NOISE
    return answer


def cut_while(
    doing: str, attempt: Callable[[float], Answer], seconds: float = 0.6, told: Callable[[str], str] = str
) -> Answer:
    """What `attempt` says whose deadline ends it while `doing`; its parameter is the limit.

    A busy machine may not have come so far by then: the next one has twice the time, up to ten seconds. `told` adds
    to the sentence what else is said.
    """
    while True:
        answer = attempt(seconds)
        expected = told(f"The {seconds:g} s for one attempt were over while {doing}.")
        if answer.error == expected or seconds >= 10:
            break
        seconds *= 2
    assert (answer.outcome, answer.error) == (Outcome.TIMEOUT, expected)
    return answer


def resolver(*answers: list[str]) -> Any:
    """A name server that gives these answers one after the other, the last for ever; `.asked` are the names."""
    asked: list[str] = []

    def resolve(host: str, port: int, limit: float) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    resolve.asked = asked  # type: ignore[attr-defined]
    return resolve
