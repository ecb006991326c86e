"""Every way we know of to make a channel lead to where nothing may be sent, from the form to the wire.

A listener on each address of this machine counts who reaches it, and so does every socket that connects: nobody.
"""

import contextlib
import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import override_settings

from channels_app.models import Channel
from channels_app.services import create_channel
from channels_app.transports import Answer, Message, Outcome
from channels_app.transports.http.client import Client
from channels_app.transports.postback.transport import PostbackTransport
from tests.channels_app.transports.sending import BODY, NOW, resolver, send
from tests.channels_app.transports.test_addresses import REFUSED
from tests.hostile.spellings import (
    BLOCKED_AT_THE_WIRE,
    LOCAL_NAMES,
    ONLY_PUBLIC,
    READ_IN_MORE_THAN_ONE_WAY,
    REFUSED_AT_THE_FORM,
    UNREADABLE,
)
from tests.servers.hostile import Behaviour, HostileServer, answers, redirects_to_itself

NAME = "public.example"
SCOPED = [
    ("fe80::1%1", "link-local"),
    ("::1%lo", "loopback"),
    ("::ffff:127.0.0.1%1", "IPv4-mapped"),
    ("fd00:ec2::254%eth0", "cloud metadata"),
]

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def listeners() -> Iterator[list[HostileServer]]:
    """On every IPv4 and, where there is any, every IPv6 address of this machine, at one port."""
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(HostileServer(answers(), host="0.0.0.0"))
        servers = [first]
        with contextlib.suppress(OSError):  # no IPv6 here
            servers.append(stack.enter_context(HostileServer(answers(), host="::", port=first.port)))
        yield servers


@pytest.fixture
def port(listeners: list[HostileServer], network: Any) -> Iterator[int]:
    """That of the listeners. After the test: nobody has called them, and nobody has dialled anything."""
    with override_settings(POSTBACK_ALLOWED_NETWORKS=[]):
        yield listeners[0].port
    assert network.dialled == []
    assert [listener.connections for listener in listeners] == [0] * len(listeners)


def deliver(channel: Channel, **client: Any) -> Answer:
    """As the worker does, with what is stored of the channel."""
    destination = Channel.objects.get(pk=channel.pk).destination()
    return PostbackTransport(Client(**client)).send(destination, Message("evt_1", BODY), now=NOW, timeout=10)


def sentence(address: str, reason: str, name: str = "") -> str:
    owner = f" of {name}" if name else ""
    return (
        f"The address {ipaddress.ip_address(address)}{owner} is not public ({reason}); "
        "an operator can allow it with POSTBACK_ALLOWED_NETWORKS."
    )


@pytest.mark.parametrize(("url", "why"), REFUSED_AT_THE_FORM)
def test_refused_at_the_form_with_a_sentence_and_blocked_where_it_was_stored_before(
    url: str, why: str, port: int
) -> None:
    url = url.replace("{port}", str(port))
    with pytest.raises(ValidationError) as refused:
        create_channel(name="Warehouse", kind="postback", url=url)
    assert Channel.objects.count() == 0
    answer = send(url)

    [told] = refused.value.message_dict["url"]
    assert told.startswith(UNREADABLE) if why == UNREADABLE else told == why
    assert (answer.outcome, answer.error) == (Outcome.BLOCKED, told)


@pytest.mark.parametrize("url", READ_IN_MORE_THAN_ONE_WAY)
def test_refused_at_the_form_or_blocked_at_the_wire(url: str, port: int) -> None:
    try:
        channel = create_channel(name="Warehouse", kind="postback", url=url.replace("{port}", str(port)))
    except ValidationError as refused:
        [told] = refused.message_dict["url"]
        assert told.endswith(".")
    else:
        assert deliver(channel).outcome == Outcome.BLOCKED


@pytest.mark.parametrize(("url", "address", "reason"), BLOCKED_AT_THE_WIRE)
def test_blocked_at_the_wire_however_it_is_written(url: str, address: str, reason: str, port: int) -> None:
    channel = create_channel(name="Warehouse", kind="postback", url=url.replace("{port}", str(port)))
    answer = deliver(channel)

    assert (answer.outcome, answer.error) == (Outcome.BLOCKED, sentence(address, reason))


@pytest.mark.parametrize(("address", "reason"), REFUSED)
def test_blocked_at_the_wire_as_an_address(address: str, reason: str, port: int) -> None:
    host = f"[{address}]" if ":" in address else address
    answer = deliver(create_channel(name="Warehouse", kind="postback", url=f"http://{host}:{port}/"))

    assert (answer.outcome, answer.error) == (Outcome.BLOCKED, sentence(address, reason))


@pytest.mark.parametrize(("address", "reason"), REFUSED + SCOPED)
def test_blocked_at_the_wire_as_what_a_name_leads_to(address: str, reason: str, port: int) -> None:
    names = resolver([address])
    answer = deliver(create_channel(name="Warehouse", kind="postback", url=f"http://{NAME}:{port}/"), resolve=names)

    assert (answer.outcome, answer.error) == (Outcome.BLOCKED, sentence(address, reason, NAME))
    assert names.asked == [NAME]


@pytest.mark.parametrize("name", LOCAL_NAMES)
def test_blocked_at_the_wire_as_a_name_of_this_machine(name: str, port: int) -> None:
    answer = deliver(create_channel(name="Warehouse", kind="postback", url=f"http://{name}:{port}/"))

    assert answer.outcome == Outcome.BLOCKED
    assert answer.error in {sentence(address, "loopback", "localhost") for address in ("127.0.0.1", "::1")}


@pytest.mark.parametrize("url", ONLY_PUBLIC)
def test_what_comes_after_the_host_is_no_host(url: str, port: int) -> None:
    names = resolver([])
    channel = create_channel(name="Warehouse", kind="postback", url=url.replace("{port}", str(port)))
    answer = deliver(channel, resolve=names)

    assert (answer.outcome, answer.error) == (Outcome.CONNECTION_ERROR, f"No name server knows {NAME}.")
    assert names.asked == [NAME]


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(redirects_to_itself, id="itself"),
        pytest.param(answers(302, b"", "Location: http://169.254.169.254/latest/meta-data/"), id="metadata"),
        pytest.param(answers(301, b"", "Location: file:///etc/passwd"), id="a file"),
        pytest.param(answers(303, b"", "Location: //127.0.0.1/"), id="another port"),
    ],
)
def test_a_redirect_leads_nowhere(behaviour: Behaviour, network: Any) -> None:
    with HostileServer(behaviour) as server:
        answer = send(server.url)

    assert answer.outcome == Outcome.HTTP_ERROR
    assert answer.error.endswith("; redirects are not followed.")
    assert network.dialled == [("127.0.0.1", server.port)]
    assert len(server.requests) == 1


def test_a_listener_counts_who_is_let_through(network: Any) -> None:
    """Else the silence of those above would prove nothing."""
    with HostileServer(answers(), host="0.0.0.0") as server:
        channel = create_channel(name="Warehouse", kind="postback", url=f"http://127.0.0.1:{server.port}/")
        assert deliver(channel).outcome == Outcome.SUCCEEDED

    assert network.dialled == [("127.0.0.1", server.port)]
    assert server.connections == 1


def test_there_are_more_than_sixty_of_them() -> None:
    urls = [url for url, *_ in REFUSED_AT_THE_FORM] + [url for url, *_ in BLOCKED_AT_THE_WIRE]
    urls += READ_IN_MORE_THAN_ONE_WAY + ONLY_PUBLIC + LOCAL_NAMES

    assert len(urls) == len(set(urls)) >= 120
    assert len(REFUSED) >= 50
