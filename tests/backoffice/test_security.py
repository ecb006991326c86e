# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""What browsers are told, and what becomes of whoever guesses passwords."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.test import Client, RequestFactory, override_settings
from django.utils import timezone
from django_structlog.signals import bind_extra_request_metadata

from api.client_address import client_address
from orders.models import Order
from tests.api.test_settings import PRODUCTION, load
from tests.backoffice.notifications_fixtures import people, url

PASSWORD = "correct horse"


@contextmanager
def addresses_in_the_log(seen: list[str]) -> Iterator[None]:
    """Notes the address in the context of each request's log lines."""

    def note(**_: Any) -> None:
        seen.append(structlog.contextvars.get_contextvars()["ip"])

    bind_extra_request_metadata.connect(note)
    try:
        yield
    finally:
        bind_extra_request_metadata.disconnect(note)


def policy(response: Any) -> dict[str, set[str]]:
    directives = (part.split(" ") for part in response["Content-Security-Policy"].split("; "))
    return {name: set(sources) for name, *sources in directives}


SHELL = {
    "default-src": {"'self'"},
    "script-src": {"'self'", "'unsafe-eval'"},
    "style-src": {"'self'", "'unsafe-inline'"},
    "img-src": {"'self'", "data:"},
    "object-src": {"'none'"},
    "form-action": {"'self'"},
    "base-uri": {"'self'"},
    "frame-ancestors": {"'none'"},
}
PLAIN = {
    "default-src": {"'none'"},
    "script-src": {"'self'"},
    "style-src": {"'self'"},
    "img-src": {"'self'", "data:"},
    "connect-src": {"'self'"},
    "form-action": {"'self'"},
    "base-uri": {"'none'"},
    "frame-ancestors": {"'none'"},
}


def test_the_shell_may_evaluate_and_run_nothing_inline(people):
    root = people["superuser"]
    nowhere = url("index") + "nowhere/"
    for address in (url("index"), url("search"), url("orders_order_changelist"), url("password_change"), nowhere):
        assert policy(root.get(address)) == SHELL, address
    assert policy(people["Viewers"].get(url("auth_user_changelist"))) == SHELL
    for address in (url("login"), url("password_reset")):
        assert policy(Client().get(address)) == SHELL, address


def test_other_pages_may_load_their_own_files_alone(people):
    root = people["superuser"]
    strict = Client(enforce_csrf_checks=True)
    answers = {
        "demo": root.get("/demo/receiver/"),
        "404": Client().get("/nowhere/"),
        "403 of the token": strict.post(url("login")),
        "400": Client().get("/", headers={"host": "evil.example"}),
        "redirect": Client().get("/"),
        "health": Client().get("/healthz"),
    }
    assert [answers[name].status_code for name in answers] == [200, 404, 403, 400, 302, 200]
    assert {name: policy(answer) for name, answer in answers.items()} == dict.fromkeys(answers, PLAIN)


def test_the_page_of_the_api_may_style_itself(db):
    own = policy(Client().get("/api/v1/docs"))
    assert (own["default-src"], own["script-src"]) == ({"'none'"}, {"'self'"})
    assert own["style-src"] == {"'self'", "'unsafe-inline'"}


@pytest.mark.parametrize("secure", [False, True])
def test_every_answer_says_that_it_is_not_to_be_framed_sniffed_or_told_of(people, secure, static_file):
    root, stranger = people["superuser"], Client()
    bad = {"data": b"a" * 2_000_000, "content_type": "text/plain"}
    with override_settings(SECURE_HSTS_SECONDS=365 * 86400 if secure else 0):
        root.handler.load_middleware()
        stranger.handler.load_middleware()
        answers = {
            200: [root.get(url("index"), secure=secure), stranger.get(url("login"), secure=secure)],
            302: [stranger.get("/", secure=secure), stranger.get(url("index"), secure=secure)],
            404: [
                stranger.get(each, secure=secure) for each in ("/nowhere/", "/api/v1/nowhere", "/static/nowhere.css")
            ],
            400: [
                stranger.get(each, secure=secure, headers={"host": "evil.example"}) for each in ("/", "/api/v1/docs")
            ],
            401: [stranger.get("/api/v1/orders/1", secure=secure)],
            405: [stranger.put(each, secure=secure) for each in ("/healthz", "/api/v1/products")],
            413: [stranger.post(each, **bad, secure=secure) for each in ("/", "/api/v1/contacts", "/healthz")],
            403: [stranger.get("/metrics", secure=secure, headers={"via": "1.1 proxy"})],
        }
        answers[200] += [stranger.get(each, secure=secure) for each in ("/healthz", "/readyz", "/metrics", static_file)]
        answers[200] += [stranger.get(each, secure=secure) for each in ("/api/v1/openapi.json", "/api/v1/docs")]
    for status, given in answers.items():
        for answer in given:
            answer.close()
            assert answer.status_code == status, answer.request["PATH_INFO"]
            assert answer["X-Frame-Options"] == "DENY"
            assert answer["X-Content-Type-Options"] == "nosniff"
            assert answer["Referrer-Policy"] == "same-origin"
            assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
            assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
            assert "camera=()" in answer["Permissions-Policy"]
            assert "geolocation=()" in answer["Permissions-Policy"]
            assert "clipboard-write" not in answer["Permissions-Policy"]
            assert "default-src" in answer["Content-Security-Policy"]
            assert "Access-Control-Allow-Origin" not in answer
            assert answer.get("Strict-Transport-Security") == ("max-age=31536000" if secure else None)


@pytest.fixture
def static_file(tmp_path: Path, settings: Any) -> str:
    """The path of a file that WhiteNoise serves."""
    (tmp_path / "a.css").write_text("a {}")
    settings.STATIC_ROOT = tmp_path
    settings.WHITENOISE_AUTOREFRESH = True
    return "/static/a.css"


def test_hsts_speaks_of_subdomains_by_choice(tmp_path: Path) -> None:
    public = {**PRODUCTION, "PUBLIC_URL": "https://notify.example.com"}
    assert not load(tmp_path, **public)["SECURE_HSTS_INCLUDE_SUBDOMAINS"]
    assert not load(tmp_path, **public, HSTS_INCLUDE_SUBDOMAINS="")["SECURE_HSTS_INCLUDE_SUBDOMAINS"]
    assert load(tmp_path, **public, HSTS_INCLUDE_SUBDOMAINS="yes")["SECURE_HSTS_INCLUDE_SUBDOMAINS"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_cookies_and_hsts_follow_the_public_url(tmp_path: Path, scheme: str) -> None:
    loaded = load(tmp_path, **PRODUCTION, PUBLIC_URL=f"{scheme}://notify.example.com")
    secure = scheme == "https"
    assert (loaded["SESSION_COOKIE_SECURE"], loaded["CSRF_COOKIE_SECURE"]) == (secure, secure)
    assert (loaded["SESSION_COOKIE_HTTPONLY"], loaded["CSRF_COOKIE_HTTPONLY"]) == (True, True)
    assert loaded.get("SECURE_HSTS_SECONDS", 0) == (365 * 86400 if secure else 0)
    assert loaded["DEFAULT_FROM_EMAIL"] == "Tidings <tidings@notify.example.com>"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HSTS_INCLUDE_SUBDOMAINS", "some"),
        ("TRUSTED_PROXY_COUNT", "-1"),
        ("TRUSTED_PROXY_COUNT", "all"),
        ("EMAIL_FROM", "nobody"),
        ("EMAIL_FROM", "a@b@c"),
    ],
)
def test_a_new_setting_that_cannot_be_used_is_refused_by_name(tmp_path, name, value):
    with pytest.raises(ImproperlyConfigured, match=f"^{name} "):
        load(tmp_path, **{**PRODUCTION, name: value})


# Guessing passwords


@pytest.fixture
def ada(db) -> User:
    return User.objects.create_superuser("ada", "ada@example.com", PASSWORD)


def log_in(password: str, username: str = "ada", address: str = "203.0.113.7", **headers: str) -> Any:
    return Client(REMOTE_ADDR=address, headers=headers).post(url("login"), {"username": username, "password": password})


def guess(times: int, **who: Any) -> list[int]:
    return [log_in(f"wrong {number}", **who).status_code for number in range(times)]


def test_the_fifth_failure_locks_out_and_the_page_says_what_to_do(ada):
    assert guess(5) == [200, 200, 200, 200, 429]
    answer = log_in(PASSWORD)
    assert answer.status_code == 429
    assert "sessionid" not in answer.cookies
    assert answer["Retry-After"] == "900"
    assert policy(answer) == PLAIN
    page = answer.content.decode()
    assert "<h1>Too many failed logins</h1>" in page
    assert "Wait 15 minutes" in page
    assert f'href="{url("password_reset")}"' in page


@pytest.mark.parametrize("length", [151, 400])
def test_a_name_longer_than_any_is_refused_and_not_counted(ada, length):
    answer = log_in(PASSWORD, username="a" * length)
    assert answer.status_code == 200
    assert "Please enter the correct username and password" in answer.content.decode()
    assert AccessAttempt.objects.count() == 0


def test_the_lockout_is_of_one_name_from_one_address(ada):
    User.objects.create_superuser("grace", password=PASSWORD)
    guess(5)
    assert log_in(PASSWORD, address="203.0.113.8").status_code == 302
    assert log_in(PASSWORD, username="grace").status_code == 302
    assert log_in(PASSWORD).status_code == 429


def test_another_browser_does_not_get_round_it(ada):
    statuses = [log_in("wrong", **{"user-agent": f"Browser {number}"}).status_code for number in range(5)]
    assert statuses[-1] == 429


def test_a_name_that_nobody_has_is_treated_alike(ada):
    assert guess(5, username="nobody") == guess(5, username="ada")


def test_the_wait_ends_a_quarter_of_an_hour_after_the_fifth_failure_and_asking_meanwhile_does_not_lengthen_it(ada):
    guess(5)
    fifth = AccessAttempt.objects.get().attempt_time
    assert log_in("wrong again").status_code == 429
    assert AccessAttempt.objects.get().attempt_time == fifth
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14))
    assert log_in(PASSWORD).status_code == 429
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))
    assert log_in(PASSWORD).status_code == 302


def test_a_login_begins_the_count_anew(ada):
    guess(4)
    assert log_in(PASSWORD).status_code == 302
    assert not AccessAttempt.objects.exists()
    assert guess(4) == [200, 200, 200, 200]


def test_an_operator_unlocks(ada, capsys):
    guess(5)
    call_command("axes_reset_username", "ada")
    assert log_in(PASSWORD).status_code == 302


def test_no_password_is_kept(ada):
    guess(2)
    kept = AccessAttempt.objects.get()
    assert "wrong" not in kept.post_data + kept.get_data
    assert kept.username == "ada"


def test_only_logins_are_counted(people, django_assert_num_queries, ada):
    guess(5)
    with django_assert_num_queries(0):
        Client(REMOTE_ADDR="203.0.113.7").get("/healthz")
    assert Client(REMOTE_ADDR="203.0.113.7").get("/api/v1/orders/1").status_code == 401
    assert people["superuser"].get(url("index"), REMOTE_ADDR="203.0.113.7").status_code == 200


# Whose request it is


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "198.51.100.1", "10.0.0.1"),
        (0, None, "10.0.0.1"),
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "192.0.2.66, 198.51.100.1", "198.51.100.1"),
        (2, "192.0.2.66, 198.51.100.1, 10.0.0.9", "198.51.100.1"),
        (2, "2001:db8::1,10.0.0.9", "2001:db8::1"),
        (2, "198.51.100.1", "10.0.0.1"),
        (1, None, None),
        (1, "unknown", None),
        (1, "198.51.100.1:50123", "198.51.100.1"),
        (1, "[2001:db8::1]:50123", "2001:db8::1"),
        (1, "[2001:db8::1]", "2001:db8::1"),
        (1, '"[2001:db8::1]:50123"', "2001:db8::1"),
        (1, "2001:DB8:0::1", "2001:db8::1"),
        (1, "::ffff:198.51.100.1", "198.51.100.1"),
        (1, "[::ffff:198.51.100.1]:50123", "198.51.100.1"),
        (1, "64:ff9b::198.51.100.1", "198.51.100.1"),
        (1, "fe80::1%eth0", "fe80::1"),
        (1, "198.51.100.1:", None),
        (1, "198.51.100.1:port", None),
        (1, "[198.51.100.1", None),
        (2, "192.0.2.66:1, 198.51.100.1:2, 10.0.0.9:3", "198.51.100.1"),
    ],
)
def test_only_what_our_own_proxies_say_is_believed(settings, proxies, forwarded, address):
    settings.TRUSTED_PROXY_COUNT = proxies
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", headers=headers)
    assert client_address(request) == address


def test_a_proxy_on_a_socket_has_no_address(settings):
    assert client_address(RequestFactory().get("/", REMOTE_ADDR="")) is None


def test_a_forged_address_does_not_get_round_the_lockout(ada):
    statuses = [log_in("wrong", **{"x-forwarded-for": f"198.51.100.{number}"}).status_code for number in range(5)]
    assert statuses[-1] == 429


def test_a_port_that_changes_does_not_get_round_the_lockout(ada, settings):
    settings.TRUSTED_PROXY_COUNT = 1
    for address in ("198.51.100.1:{}", "[2001:db8::1]:{}"):
        AccessAttempt.objects.all().delete()
        said = [{"x-forwarded-for": address.format(50000 + number)} for number in range(5)]
        assert [log_in("wrong", **headers).status_code for headers in said] == [200, 200, 200, 200, 429]


def test_a_subscriber_of_ipv6_is_one(ada):
    last = [log_in("wrong", address=f"2001:db8:1:2:{number:x}::{number}").status_code for number in range(5)][-1]
    assert last == 429
    assert log_in(PASSWORD, address="2001:db8:1:2:ffff:ffff:ffff:ffff").status_code == 429
    assert log_in(PASSWORD, address="2001:db8:1:3::1").status_code == 302


def test_an_address_that_tries_many_names_is_locked_out_with_each(ada, settings):
    assert settings.LOGIN_FAILURES_OF_AN_ADDRESS == 50
    statuses = [log_in("wrong", username=f"name{number}").status_code for number in range(50)]
    assert statuses == [200] * 49 + [429]
    answer = log_in(PASSWORD)
    assert answer.status_code == 429
    assert "Logging in is blocked from where you are. Wait 15 minutes" in answer.content.decode()
    assert log_in(PASSWORD, address="203.0.113.8").status_code == 302


def test_an_address_is_let_in_again_after_the_wait(ada, settings):
    settings.LOGIN_FAILURES_OF_AN_ADDRESS = 4
    assert [log_in("wrong", username=f"name{number}").status_code for number in range(4)] == [200, 200, 200, 429]
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))
    assert log_in(PASSWORD).status_code == 302


def test_clients_that_nobody_names_are_not_one(ada, settings):
    settings.LOGIN_FAILURES_OF_AN_ADDRESS = 4
    assert {log_in("wrong", username=f"name{number}", address="").status_code for number in range(6)} == {200}


def test_a_log_line_has_the_address_that_logins_count_by(db, settings):
    settings.TRUSTED_PROXY_COUNT = 1
    seen = []
    with addresses_in_the_log(seen):
        Client(REMOTE_ADDR="10.0.0.1").get("/healthz", headers={"x-forwarded-for": "192.0.2.66, 198.51.100.1:4711"})
        settings.TRUSTED_PROXY_COUNT = 0
        Client(REMOTE_ADDR="10.0.0.1").get("/healthz", headers={"x-forwarded-for": "192.0.2.66"})
    assert seen == ["198.51.100.1", "10.0.0.1"]


# What PostgreSQL cannot hold


@pytest.mark.parametrize(
    "path",
    [
        "/admin/notifications/delivery/%00/change/",
        "/admin/orders/contact/con_%00/change/",
        "/admin/integrations/system-notifications/order.completed/channels/%00/sources/",
        "/admin/orders/order/?contact=%00",
        "/admin/orders/transaction/?id__in=a&id__in=%00",
        "/admin/orders/order/?%00=1",
        "/admin/login/?next=%00",
    ],
)
def test_an_address_with_a_nul_is_a_bad_request(people, path):
    for who in ("superuser", "anonymous"):
        answer = people[who].get(path)
        assert answer.status_code == 400
        assert "This address cannot be read" in answer.content.decode()
    assert people["superuser"].post(path).status_code == 400


def test_a_chosen_contact_or_product_with_a_nul_is_refused_at_its_field(people):
    sent = {"contact": "\0", "items-0-product": "\0", "items-0-quantity": "2", "currency": "USD"}
    sent |= {"items-TOTAL_FORMS": "5", "items-INITIAL_FORMS": "0"}
    answer = people["superuser"].post(url("orders_order_add"), sent)
    assert answer.status_code == 200
    assert answer.context_data["form"].errors == {"contact": ["This field is required."]}
    assert answer.context_data["items"].errors[0] == {"product": ["This field is required."]}
    assert Order.objects.count() == 0
