"""Certificates of a known authority that are for somebody else, and name odd things: a sentence, and no request."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from channels_app.transports import Outcome
from tests.channels_app.transports.sending import resolver, send
from tests.servers.hostile import HostileServer, answers

NAME = "receiver.example"
PERSON = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Somebody"), x509.NameAttribute(NameOID.SURNAME, "Else")])
UNNAMED = f"The certificate is not valid for {NAME}."


def certified(ca: trustme.CA, file: Path, *names: x509.GeneralName) -> ssl.SSLContext:
    """TLS of a server whose certificate, signed by `ca`, has exactly these names."""
    key, now, day = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC), timedelta(days=1)
    authority = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    signing = serialization.load_pem_private_key(ca.private_key_pem.bytes(), None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    builder = (
        x509.CertificateBuilder()
        .subject_name(PERSON)
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(signing, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        pytest.param([], UNNAMED, id="no name"),
        pytest.param(
            [x509.IPAddress(ipaddress.ip_address("192.0.2.7"))],
            f"The certificate is for 192.0.2.7, not for {NAME}.",
            id="an address",
        ),
        pytest.param([x509.DNSName("*.receiver.example")], None, id="a wildcard"),
        pytest.param([x509.RFC822Name("ada@receiver.example")], None, id="a mailbox"),
        pytest.param([x509.UniformResourceIdentifier(f"https://{NAME}/")], None, id="a URL"),
        pytest.param([x509.DirectoryName(PERSON)], None, id="a person"),
        pytest.param([x509.DNSName("other.example"), x509.DirectoryName(PERSON)], None, id="a name and a person"),
        pytest.param([x509.RegisteredID(NameOID.COMMON_NAME)], None, id="a registered id"),
        pytest.param(
            [x509.DNSName(f"{number}.example") for number in range(500)],
            f"The certificate is for 0.example, 1.example, 2.example and 497 more, not for {NAME}.",
            id="five hundred names",
        ),
        pytest.param([x509.DNSName("a" * 10_000)], None, id="a name of ten thousand letters"),
        pytest.param([x509.DNSName("other\0.example")], None, id="a name with NUL"),
        pytest.param([x509.DNSName("other.example\r\nOutcome: succeeded")], None, id="a name of two lines"),
    ],
)
def test_a_certificate_that_names_something_else(
    names: list[x509.GeneralName], sentence: str | None, ca: trustme.CA, tmp_path: Path
) -> None:
    """None: what is named may be told or not, but in one sentence that fits the log."""
    with HostileServer(answers(), tls=certified(ca, tmp_path / "server.pem", *names)) as server:
        answer = send(server.url_for(NAME), resolve=resolver(["127.0.0.1"]))

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert server.requests == []
    if sentence:
        assert answer.error == sentence
    assert answer.error.startswith("The certificate ")
    assert answer.error.endswith(f" for {NAME}.")
    assert answer.error.isprintable()
    assert len(answer.error) <= 1024


def test_the_same_authority_and_the_right_name_are_accepted(ca: trustme.CA, tmp_path: Path) -> None:
    """Else a fault of these certificates would have them refused."""
    right = certified(ca, tmp_path / "server.pem", x509.DNSName("other.example"), x509.DNSName(NAME))
    with HostileServer(answers(), tls=right) as server:
        answer = send(server.url_for(NAME), resolve=resolver(["127.0.0.1"]))

    assert (answer.outcome, answer.error) == (Outcome.SUCCEEDED, "")
