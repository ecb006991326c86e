"""The nginx site of deploy/nginx, run by an ordinary user, in front of the web process."""

import gzip
import http.client
import os
import shutil
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from demo.local import processes
from demo.local.processes import Child, Service
from tests.demo.local.launching import free_port
from tests.deploy.lint import nginx_configuration
from tests.deploy.reading import ADDRESS, DEPLOY, new_environment
from tests.production.conftest import folder_for_all
from tests.production.installation import Installation
from tests.production.programs import give_away, program, servant
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

HOST = ADDRESS.removeprefix("https://")
CONTACT = b'{"source": "shop", "email": "a@example.com", "first_name": "A", "last_name": "B"}'
OWN = ("Content-Security-Policy", "Strict-Transport-Security", "X-Content-Type-Options")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


def _connect(port: int) -> socket.socket:
    """Whatever the name of the host is."""
    return socket.create_connection(("127.0.0.1", port), 30)


class Site:
    """nginx on loopback, called by the name of its certificate."""

    def __init__(self, folder: Path, tidings: Installation) -> None:
        self._folder, self._web_port, self.key = folder, tidings.port, tidings.key
        authority = trustme.CA()
        certificate = authority.issue_cert(HOST)
        chain, key = folder / "fullchain.pem", folder / "privkey.pem"
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(chain, append=True)
        certificate.private_key_pem.write_to_path(key)
        give_away(folder, chain, key)
        self._trust = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
        self.child: Child | None = None

    def start(self) -> None:
        """At other ports, where somebody else has taken these meanwhile."""
        wait_until(self._started, timeout=90)

    def _started(self) -> bool:
        self.ports = {"80": free_port(), "443": free_port()}
        upstream = (DEPLOY / "nginx" / "upstream.conf").read_text()
        assert "127.0.0.1:8000" in upstream
        listening = {each: f"127.0.0.1:{port}" for each, port in self.ports.items()}
        configuration = nginx_configuration(
            self._folder, upstream.replace("127.0.0.1:8000", f"127.0.0.1:{self._web_port}"), listening
        )
        give_away(configuration)
        command = [program("nginx"), "-p", str(self._folder), "-c", str(configuration), "-e", "stderr"]
        log = self._folder / "nginx.log"
        child = processes.start(Service("nginx", command, log=log, account=servant()), os.environ, Path("/"))
        self.child = child
        wait_until(lambda: not child.alive() or self._answers(), timeout=60)
        if not child.alive():
            assert "Address already in use" in log.read_text(), log.read_text()
        return child.alive()

    def _answers(self) -> bool:
        try:
            return self.ask("/healthz").status == 200
        except OSError:
            return False

    def ask(
        self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, tls: bool = True
    ) -> Answer:
        """No redirect is followed."""
        connection: http.client.HTTPConnection
        if tls:
            connection = http.client.HTTPSConnection(HOST, self.ports["443"], timeout=30, context=self._trust)
        else:
            connection = http.client.HTTPConnection(HOST, self.ports["80"], timeout=30)
        port = self.ports["443" if tls else "80"]
        connection._create_connection = lambda *_, **__: _connect(port)  # type: ignore[attr-defined]
        try:
            connection.request("GET" if body is None else "POST", path, body, {"Host": HOST, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def site(postgres, redis):
    """The site in front of an installation, for all tests: its start takes a while."""
    folder = folder_for_all()
    postgres.create("behind_nginx")
    settings = {**new_environment(), "DATABASE_URL": postgres.url("behind_nginx"), "REDIS_URL": redis.url()}
    tidings = Installation(folder, **settings)
    try:
        tidings.prepare()
        tidings.start("gunicorn")
        site = Site(folder, tidings)
        site.start()
        yield site
        site.child.kill()
    finally:
        tidings.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def key(site) -> dict[str, str]:
    """The headers of somebody who may call the API."""
    return {"Authorization": f"Bearer {site.key}", "Content-Type": "application/json"}


def test_calls_go_through(site, key):
    for _ in range(20):
        assert site.ask("/api/v1/contacts", CONTACT, key).status in {200, 201}
    assert site.ask("/readyz").status == 200
    # The web process refuses in its own words; what is far too long does not reach it.
    refused = site.ask("/api/v1/contacts", b" " * (256 * 1024 + 1), key)
    assert (refused.status, refused.headers["Content-Type"]) == (413, "application/problem+json")
    assert site.ask("/api/v1/contacts", b" " * (3 * 1024 * 1024 + 1), key).status == 413


def test_what_names_channels_stays_inside(site):
    assert (site.ask("/metrics").status, site.ask("/healthz/deliveries").status) == (403, 403)


def test_every_answer_has_each_header_once(site, key):
    """That of the web process where it answers, and nginx's own where it does not."""
    for path in ("/admin/login/", "/api/v1/nothing", "/metrics"):
        answer = site.ask(path, headers=key)
        assert {name: len(answer.headers.get_all(name) or []) for name in OWN} == dict.fromkeys(OWN, 1), path
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert "nginx/" not in answer.headers["Server"]
    assert "script-src" in site.ask("/admin/login/").headers["Content-Security-Policy"]


def test_cookies_and_clients_are_those_of_https(site):
    """The web process hears that it is called by https, and who calls: what a client says of itself is not believed."""
    cookie = site.ask("/admin/login/").headers["Set-Cookie"]
    assert "; Secure" in cookie and cookie.startswith("csrftoken=")
    token = cookie.partition("=")[2].partition(";")[0]
    form = f"csrfmiddlewaretoken={token}&username=ada&password=wrong".encode()
    for number in range(6):
        headers = {
            "Cookie": f"csrftoken={token}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Referer": f"{ADDRESS}/admin/login/",
            "X-Forwarded-For": f"203.0.113.{number}",
        }
        status = site.ask("/admin/login/", form, headers).status
        # Were it believed, each failure would count for somebody else, and nobody would be locked out.
        assert status == (429 if number >= 4 else 200), number


def test_pages_are_compressed(site):
    answer = site.ask("/admin/login/", headers={"Accept-Encoding": "gzip"})
    assert (answer.headers["Content-Encoding"], "Accept-Encoding" in answer.headers["Vary"]) == ("gzip", True)
    assert b"</html>" in gzip.decompress(answer.body)


def test_http_leads_to_https_but_takes_no_key(site, key):
    led = site.ask("/admin/?next=1", tls=False)
    assert (led.status, led.headers["Location"]) == (301, f"{ADDRESS}/admin/?next=1")
    assert site.ask("/api/v1/contacts", CONTACT, key, tls=False).status == 403
