"""From the first login to the last SIGTERM, on the servers of Debian and on those of `make run`."""

import http.client
import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit, urlunsplit

import psycopg
import pytest

from tests.production.installation import KEYS, Installation
from tests.production.programs import PostgreSQL, Redis
from tests.production.shop import Shop
from tests.servers.mailserver import MailServer
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@dataclass(frozen=True)
class Servers:
    settings: dict[str, str]
    connect: Callable[[], psycopg.Connection]


@pytest.fixture(params=["Debian's", "those of make run"])
def servers(request: pytest.FixtureRequest) -> Servers:
    """An empty database, and a Redis or Valkey."""
    name = "whole_path"
    if request.param == "Debian's":
        postgres: PostgreSQL = request.getfixturevalue("postgres")
        redis: Redis = request.getfixturevalue("redis")
        postgres.create(name)
        return Servers({"DATABASE_URL": postgres.url(name), "REDIS_URL": redis.url(7)}, lambda: postgres.connect(name))
    given = urlsplit(os.environ["DATABASE_URL"])
    with psycopg.connect(urlunsplit(given._replace(path="/postgres")), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    url = urlunsplit(given._replace(path=f"/{name}"))
    redis_url = urlsplit(os.environ["REDIS_URL"])._replace(query="db=7")
    return Servers({"DATABASE_URL": url, "REDIS_URL": urlunsplit(redis_url)}, lambda: psycopg.connect(url))


class Browser:
    """Comes by https, through a proxy on this machine, and keeps cookies."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cookies: dict[str, str] = {}

    def ask(self, path: str, **fields: str) -> tuple[int, str, str]:
        """Status, where it leads to, and text. With `fields` it is a form that is sent."""
        headers = {
            "Host": urlsplit(KEYS["PUBLIC_URL"]).netloc,
            "X-Forwarded-Proto": "https",
            "Referer": KEYS["PUBLIC_URL"],
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
        }
        if fields:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request("POST" if fields else "GET", path, urlencode(fields) if fields else None, headers)
            answer = connection.getresponse()
            for line in answer.headers.get_all("Set-Cookie") or ():
                self._cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
            return answer.status, answer.headers.get("Location", ""), answer.read().decode()
        finally:
            connection.close()

    def log_in(self, name: str, password: str) -> None:
        _, _, page = self.ask("/admin/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token
        status, leads_to, _ = self.ask(
            "/admin/login/", username=name, password=password, csrfmiddlewaretoken=token[1], next="/admin/"
        )
        assert (status, leads_to) == (302, "/admin/")


def tell_by_mail(tidings: Installation, address: str) -> None:
    channel = tidings.call("POST", "/channels", {"name": "Staff", "kind": "email", "recipients": [address]})["id"]
    tidings.call("POST", "/event-types/order.completed/channels", {"channel": channel})


def test_each_part_is_restarted_while_orders_come_in(install, servers, receiver):
    with MailServer() as mail:
        tidings = install(**servers.settings, EMAIL_URL=f"smtp://127.0.0.1:{mail.port}")
        tidings.prepare()
        tidings.seal()
        web = tidings.start("gunicorn")
        worker, beat = tidings.start("worker"), tidings.start("beat")
        person = Browser(tidings.port)
        person.log_in("ada", "a-password-of-ada")
        assert person.ask("/admin/")[0] == 200

        tidings.attach(receiver.url, "contact.created", "order.completed")
        tell_by_mail(tidings, "staff@example.com")
        tidings.buy()
        wait_until(lambda: "order.completed" in receiver.types and len(mail.mails) == 1, timeout=60)
        assert mail.mails[0].recipients == ["staff@example.com"]

        shop = Shop(tidings)
        shop.start()
        shop.make_more()
        web.process.send_signal(signal.SIGHUP)
        shop.make_more()
        tidings.start("worker")
        worker.ask_to_stop()
        worker.process.wait(60)
        tidings.forget(worker)
        shop.make_more()
        beat.ask_to_stop()
        beat.process.wait(60)
        tidings.forget(beat)
        tidings.start("beat")
        shop.make_more()
        shop.stop()
        assert shop.refusals == []
        wait_until(lambda: len(receiver.received) >= shop.made + 2, timeout=60)
        assert person.ask("/admin/")[0] == 200  # and is logged in still
        tidings.stop()

    made = Counter(
        request.event["data"]["contact"]["email"]
        for request in receiver.received
        if request.event["type"] == "contact.created"
    )
    assert made == Counter([*(f"ada{number}@example.com" for number in range(shop.made)), "bea@example.com"])
    with servers.connect() as connection:
        unsettled = "SELECT count(*) FROM notifications_delivery WHERE status <> 'succeeded'"
        assert connection.execute(unsettled).fetchone() == (0,)
