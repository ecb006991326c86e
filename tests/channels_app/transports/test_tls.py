"""Certificates, host names, versions."""

import contextlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from django.test import override_settings

from channels_app.transports import Message, Outcome
from channels_app.transports.net.faults import CAME_ALONE
from channels_app.transports.net.tls import tls_context
from tests.channels_app.transports.sending import resolver, send
from tests.servers.hostile import (
    Behaviour,
    HostileServer,
    Peer,
    answers,
    before_tls,
    closes_at_once,
    head,
    resets_at_once,
    server_context,
)

NAME = "receiver.example"
HERE = resolver(["127.0.0.1"])


def test_the_name_stays_in_sni_host_and_certificate_though_an_address_is_called(ca: trustme.CA) -> None:
    context = server_context(ca, NAME)
    asked: list[str | None] = []
    context.sni_callback = lambda sock, name, ctx: asked.append(name)
    with HostileServer(answers(), tls=context) as server:
        answer = send(server.url_for(NAME), resolve=HERE)

    assert answer.outcome == Outcome.SUCCEEDED, answer.error
    assert asked == [NAME]
    assert f"\r\nHost: {NAME}:{server.port}\r\n".encode() in server.requests[0][0]


def test_a_certificate_for_another_name_is_refused(ca: trustme.CA) -> None:
    with HostileServer(answers(), tls=server_context(ca, "other.example", "127.0.0.1")) as server:
        answer = send(server.url_for(NAME), resolve=HERE)

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert answer.error == f"The certificate is for other.example and 127.0.0.1, not for {NAME}."
    assert server.requests == []


def test_of_many_names_in_a_certificate_for_others_the_first_ones_are_told(ca: trustme.CA) -> None:
    names = [f"{letter}.example" for letter in "abcde"]
    with HostileServer(answers(), tls=server_context(ca, *names)) as server:
        answer = send(server.url_for(NAME), resolve=HERE)

    assert answer.error == f"The certificate is for a.example, b.example, c.example and 2 more, not for {NAME}."


def test_where_the_names_cannot_be_told_in_time_the_sentence_does_without(ca: trustme.CA) -> None:
    context, shaken = server_context(ca, "other.example"), iter([True])

    @before_tls
    def once(peer: Peer) -> None:
        if not next(shaken, False):
            peer.hang()
        with contextlib.suppress(ssl.SSLError, OSError):
            context.wrap_socket(peer.sock, server_side=True)

    with HostileServer(once, tls=context) as server:
        answer = send(server.url_for(NAME), resolve=HERE, timeout=0.5)

    assert (answer.outcome, answer.error) == (Outcome.CONNECTION_ERROR, f"The certificate is not valid for {NAME}.")


def test_a_certificate_for_another_address_is_refused(ca: trustme.CA) -> None:
    with HostileServer(answers(), tls=server_context(ca, NAME)) as server:
        answer = send(server.url)

    sentence = f"The certificate is for {NAME}, not for 127.0.0.1."
    assert (answer.outcome, answer.error) == (Outcome.CONNECTION_ERROR, sentence)
    assert server.requests == []


def test_a_common_name_alone_does_not_make_a_certificate_valid(ca: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("other.example", common_name=NAME).configure_cert(context)
    with HostileServer(answers(), tls=context) as server:
        answer = send(server.url_for(NAME), resolve=HERE)

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert answer.error == f"The certificate is for other.example, not for {NAME}."


def test_an_expired_certificate_is_refused(ca: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    ca.issue_cert(NAME, not_before=yesterday - timedelta(days=9), not_after=yesterday).configure_cert(context)
    with HostileServer(answers(), tls=context) as server:
        answer = send(server.url_for(NAME), resolve=HERE)

    assert (answer.outcome, answer.error) == (Outcome.CONNECTION_ERROR, f"The certificate of {NAME} has expired.")
    assert server.requests == []


def test_an_unknown_authority_is_refused_until_an_operator_adds_it(ca: trustme.CA) -> None:
    with HostileServer(answers(), tls=server_context(ca, NAME)) as server:
        with override_settings(EXTRA_CA_BUNDLE=""):
            refused = send(server.url_for(NAME), resolve=HERE)
        assert server.requests == []
        accepted = send(server.url_for(NAME), resolve=HERE)

    assert refused.outcome == Outcome.CONNECTION_ERROR
    assert refused.error == (
        f"The certificate of {NAME} is not signed by a known authority; an operator can add one with EXTRA_CA_BUNDLE. "
        f"{CAME_ALONE}"
    )
    assert accepted.outcome == Outcome.SUCCEEDED


def test_an_extra_bundle_adds_to_the_public_authorities(ca_bundle: object) -> None:
    assert len(tls_context(str(ca_bundle)).get_ca_certs()) == len(tls_context("").get_ca_certs()) + 1 > 50


def test_a_server_that_answers_the_handshake_in_http() -> None:
    def plain(peer: Peer) -> None:
        peer.sock.recv(1024)
        peer.send(head(400, "Content-Length: 0"))

    with HostileServer(plain) as server:
        answer = send(server.url.replace("http:", "https:"))

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert answer.error == f"127.0.0.1 port {server.port} does not speak TLS; the URL may have to begin with http://."


@pytest.mark.parametrize("behaviour", [closes_at_once, resets_at_once])
def test_a_connection_closed_in_the_handshake(behaviour: Behaviour, ca: trustme.CA) -> None:
    with HostileServer(behaviour, tls=server_context(ca, "127.0.0.1")) as server:
        answer = send(server.url)

    assert answer.outcome == Outcome.CONNECTION_ERROR
    # A reset may come as early as within the connecting.
    assert answer.error.startswith(f"127.0.0.1 port {server.port} closed the connection ")


def test_less_than_tls_1_2_is_not_spoken() -> None:
    context = tls_context("")

    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname is True


def test_tls_1_2_is_spoken(ca: trustme.CA) -> None:
    context = server_context(ca, NAME)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with HostileServer(answers(), tls=context) as server:
        assert send(server.url_for(NAME), resolve=HERE).outcome == Outcome.SUCCEEDED


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("size", [10, 300_000])
def test_a_server_that_demands_a_certificate_of_ours(ca: trustme.CA, version: ssl.TLSVersion, size: int) -> None:
    context = server_context(ca, NAME)
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
    with HostileServer(answers(), tls=context) as server:
        answer = send(server.url_for(NAME), resolve=HERE, message=Message("evt_1", bytes(size)))

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert answer.error == f"{NAME} port {server.port} demands a client certificate, and Tidings has none to show."
    assert server.requests == []


def test_a_server_that_knows_none_of_our_ciphers_demands_no_certificate(ca: trustme.CA) -> None:
    context = server_context(ca, NAME)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # its certificate has no RSA key
    with HostileServer(answers(), tls=context) as server:
        answer = send(server.url_for(NAME), resolve=HERE)

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert answer.error.startswith(f"No TLS connection to {NAME} port {server.port}: ")
    assert "certificate" not in answer.error


def signed_by_an_intermediate(ca: trustme.CA, file: Path, *, sent_along: bool) -> ssl.SSLContext:
    certificate = ca.create_child_ca().issue_cert(NAME)
    own, *between = certificate.cert_chain_pems
    shown = [own, *between] if sent_along else [own]
    file.write_bytes(certificate.private_key_pem.bytes() + b"".join(pem.bytes() for pem in shown))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_missing_intermediate_certificate_is_named(ca: trustme.CA, tmp_path: Path, version: ssl.TLSVersion) -> None:
    context = signed_by_an_intermediate(ca, tmp_path / "server.pem", sent_along=False)
    context.maximum_version = version
    with HostileServer(answers(), tls=context) as server:
        answer = send(server.url_for(NAME), resolve=HERE)

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert answer.error.endswith("the server does not send its intermediate certificate, and must be set up to do so.")
    assert (server.requests, server.connections) == ([], 1)


def test_with_its_intermediate_certificate_it_is_accepted(ca: trustme.CA, tmp_path: Path) -> None:
    with HostileServer(
        answers(), tls=signed_by_an_intermediate(ca, tmp_path / "server.pem", sent_along=True)
    ) as server:
        assert send(server.url_for(NAME), resolve=HERE).outcome == Outcome.SUCCEEDED


@pytest.mark.parametrize("which", ["a whole chain of an unknown authority", "self-signed"])
def test_where_no_intermediate_certificate_is_missing_none_is_asked_for(which: str, tmp_path: Path) -> None:
    unknown = trustme.CA()
    if which == "self-signed":
        file = tmp_path / "server.pem"
        file.write_bytes(unknown.private_key_pem.bytes() + unknown.cert_pem.bytes())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
    else:
        context = signed_by_an_intermediate(unknown, tmp_path / "server.pem", sent_along=True)
    with HostileServer(answers(), tls=context) as server:
        answer = send(server.url_for(NAME), resolve=HERE)

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert answer.error == (
        f"The certificate of {NAME} is not signed by a known authority; an operator can add one with EXTRA_CA_BUNDLE."
    )
