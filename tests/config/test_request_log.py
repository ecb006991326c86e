# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""The id of a request, and its one line in the log."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection
from django.test import Client

from api.keys import create_key
from api.models import ApiKey
from notifications.models import Event
from orders.services import create_contact
from tests.backoffice.notifications_fixtures import people, url
from tests.config.log_lines import Lines, log_lines
from tests.config.serving import Server, serving
from tests.orders.shop import contact_input

GIVEN = "4bf92f3577b34da6a3ce929d0e0e4736"
MADE = re.compile(r"req_[0-9a-z]{26}")
ADDRESSES = [
    ("GET", "/", 302),
    ("GET", "/admin/login/", 200),
    ("GET", "/nowhere/", 404),
    ("GET", "/healthz", 200),
    ("GET", "/api/v1/openapi.json", 200),
    ("GET", "/api/v1/nowhere", 404),
    ("PUT", "/api/v1/products", 405),
    ("GET", "/api/v1/products", 401),
    ("POST", "/admin/login/", 413),
]


@pytest.fixture
def lines() -> Iterator[Lines]:
    with log_lines() as lines:
        yield lines


@pytest.fixture
def behind_a_proxy(settings: Any) -> None:
    settings.TRUSTED_PROXY_COUNT = 1


@pytest.fixture
def shop(db: None) -> dict[str, str]:
    return {"Authorization": f"Bearer {create_key(name='Shop', scopes=['storefront'])[1]}"}


def ask(method: str = "GET", path: str = "/healthz", status: int = 200, **headers: str) -> Any:
    body = b"a" * 2_000_000 if status == 413 else b""
    return Client().generic(method, path, body, "text/plain", headers=headers)


def make_contact(shop: dict[str, str], **headers: str) -> Any:
    body = {"source": "shop", "email": "ada@example.com"}
    return Client().post("/api/v1/contacts", body, "application/json", headers={**shop, **headers})


@pytest.mark.parametrize(("method", "path", "status"), ADDRESSES)
def test_each_answer_and_its_line_have_the_id_that_the_proxy_gave(db, behind_a_proxy, lines, method, path, status):
    answer = ask(method, path, status, **{"X-Request-ID": GIVEN})
    assert (answer.status_code, answer["X-Request-ID"]) == (status, GIVEN)
    (line,) = lines.of("request")
    assert (line["request_id"], line["status"], line["method"]) == (GIVEN, status, method)


@pytest.mark.parametrize(("method", "path", "status"), ADDRESSES)
def test_without_a_proxy_each_has_a_new_one(db, lines, method, path, status):
    answers = [ask(method, path, status, **{"X-Request-ID": GIVEN}) for _ in range(2)]
    made = [answer["X-Request-ID"] for answer in answers]
    assert all(MADE.fullmatch(each) for each in made)
    assert made == sorted(set(made))
    assert [line["request_id"] for line in lines.of("request")] == made


@pytest.mark.parametrize("given", ["a", "0" * 128, "AB:CD_12.3/x=~+y-", "Root=1-67891233-abcdef012345678912345678"])
def test_what_a_proxy_may_call_a_request(db, behind_a_proxy, given):
    assert ask(**{"X-Request-ID": given})["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "0" * 129, "a b", "a,b", 'a"b', "a\tb", "<b>", "a\nb", "é", "a\0b", "{}", "٣"])
def test_anything_else_is_not_taken_over(db, behind_a_proxy, lines, given):
    assert MADE.fullmatch(ask(**{"X-Request-ID": given})["X-Request-ID"])


def test_the_id_is_kept_with_the_events_of_the_request(behind_a_proxy, shop):
    assert make_contact(shop, **{"X-Request-ID": GIVEN}).status_code == 201
    assert list(Event.objects.values_list("type", "request_id")) == [("contact.created", GIVEN)]


def test_an_answer_that_is_repeated_has_the_id_of_the_repeat(behind_a_proxy, shop):
    again = {**shop, "Idempotency-Key": "1"}
    assert make_contact(again, **{"X-Request-ID": "first"})["X-Request-ID"] == "first"
    answer = make_contact(again, **{"X-Request-ID": "second"})
    assert (answer["Idempotent-Replayed"], answer["X-Request-ID"]) == ("true", "second")
    assert list(Event.objects.values_list("request_id", flat=True)) == ["first"]


def test_what_no_request_asks_for_has_none_also_after_one(behind_a_proxy, shop):
    ask(**{"X-Request-ID": GIVEN})
    assert structlog.contextvars.get_contextvars() == {}
    create_contact(source="shop", data=contact_input())
    assert list(Event.objects.values_list("request_id", flat=True)) == [None]


def test_a_line_tells_who_asked_for_which_route_and_how_it_went(shop, lines):
    answer = make_contact(shop)
    (line,) = lines.of("request")
    assert line.pop("timestamp").endswith("Z")
    assert 0 <= line.pop("duration_ms") < 60_000
    assert line == {
        "event": "request",
        "level": "info",
        "logger": "config.request_log",
        "request_id": answer["X-Request-ID"],
        "ip": "127.0.0.1",
        "method": "POST",
        "route": "/api/v1/contacts",
        "status": 201,
        "api_key_id": ApiKey.objects.get().pk,
    }


def test_a_page_is_told_with_its_user_and_a_stranger_with_none(people, lines):
    people["superuser"].get(url("index"))
    Client().get(url("login"))
    user = User.objects.get(username="root")
    assert [line.get("user_id") for line in lines.of("request")] == [user.pk, None]


def test_the_key_is_told_also_where_it_may_not(shop, lines):
    assert Client().get("/api/v1/channels", headers=shop).status_code == 403
    (line,) = lines.of("request")
    assert (line["route"], line["level"]) == ("/api/v1/channels", "warning")
    assert line["api_key_id"]


@pytest.mark.parametrize(("path", "level"), [("/healthz", "info"), ("/nowhere", "warning"), ("/", "info")])
def test_the_level_is_that_of_the_status(db, lines, path, level):
    Client().get(path)
    assert [line["level"] for line in lines.of("request")] == [level]


def test_no_line_holds_a_path_a_query_or_a_header(db, lines, settings):
    settings.PUBLIC_URL = "https://notify.example.com"
    User.objects.create_superuser("ada", "ada@example.com", "correct horse")
    Client().post(url("password_reset"), {"email": "ada@example.com"})
    secrets = {"token": "swordfish-1", "X-Token": "swordfish-2", "Cookie": "swordfish=swordfish-3"}
    for path in (
        "/admin/password_reset/MQ/swordfish-4/",
        "/swordfish-5/",
        "/admin/login/",
        "/api/v1/orders/swordfish-6",
    ):
        for enforce in (False, True):
            client = Client(enforce_csrf_checks=enforce)
            client.get(path, secrets, headers={"X-Token": "swordfish-2", "Authorization": "Bearer swordfish-7"})
            client.post(f"{path}?token=swordfish-1", {"password": "swordfish-8"}, headers=secrets)
    told = {(line["method"], line["route"], line["status"]) for line in lines.of("request")}
    assert ("GET", None, 404) in told
    assert ("POST", "/admin/login/", 403) in told
    assert any(route and "<token>" in route for _, route, _ in told)
    assert "swordfish" not in lines.text
    assert "ada@example.com" not in lines.text


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Client:
    def fail(*_: Any) -> None:
        raise RuntimeError("Because.")

    monkeypatch.setattr("backoffice.site.TidingsAdminSite.each_context", fail)
    return Client(raise_request_exception=False)


def test_a_fault_has_its_line_and_its_traceback_once_each(db, broken, lines):
    answer = broken.get("/admin/login/?token=swordfish")
    assert answer.status_code == 500
    read = [json.loads(line) for line in lines.text.splitlines()]
    told = [(each["event"], each["level"], each["route"], each["request_id"]) for each in read]
    id_ = answer["X-Request-ID"]
    assert told == [
        ("request_failed", "error", "/admin/login/", id_),
        ("request", "error", "/admin/login/", id_),
    ]
    assert "RuntimeError: Because." in read[0]["exception"]
    assert "swordfish" not in lines.text


def test_an_answer_that_is_made_while_it_is_sent_has_its_line_at_the_end(people, lines):
    answer = people["superuser"].get(url("notifications_delivery_csv"))
    assert answer.streaming
    assert lines.of("request") == []
    assert b"".join(answer.streaming_content)
    answer.close()
    (line,) = lines.of("request")
    assert (line["status"], line["request_id"]) == (200, answer["X-Request-ID"])
    assert line["user_id"]
    assert structlog.contextvars.get_contextvars() == {}


def test_head_is_told_as_head_and_words_of_the_client_s_own_are_not(shop, lines):
    Client().head("/api/v1/products", headers=shop)
    Client().generic("SWORDFISH", "/healthz")
    assert [line["method"] for line in lines.of("request")] == ["HEAD", "_OTHER"]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_of_the_web_process_each_request_has_one_line_of_json(subprocess_environment, tmp_path):
    log = tmp_path / "web.log"
    settings = {"DEMO": "", "SECRET_KEY": "a-secret-of-its-own", "TRUSTED_PROXY_COUNT": "1"}
    settings["SECRETS_ENCRYPTION_KEYS"] = "Zm9yIHRoZSB0ZXN0cyBvZiBwcm9kdWN0aW9uLCAzMiA="
    with serving({**subprocess_environment, **settings}, log=log) as server:
        status, headers, _ = server.request("GET", "/readyz?token=swordfish", headers={"X-Request-ID": GIVEN})
        refused = server.says(b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n").decode()
    assert (status, headers["X-Request-ID"]) == (200, GIVEN)
    read = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    (line,) = (each for each in read if each.get("route") == "/readyz")
    assert (line["event"], line["status"], line["level"], line["request_id"]) == ("request", 200, "info", GIVEN)
    assert line["duration_ms"] >= 0
    (line,) = (each for each in read if each["event"] == "request_refused")
    assert line["status"] == 400
    assert f"X-Request-ID: {line['request_id']}\r\n" in refused
    assert "swordfish" not in log.read_text()
