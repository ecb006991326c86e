# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""What browsers are told, and what becomes of whoever guesses passwords."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.utils import timezone

from config.client_address import client_address
from orders.models import Order
from tests.admin.notifications_fixtures import people, url
from tests.api.test_settings import PRODUCTION, load

PASSWORD = "correct horse"


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


def test_every_page_says_that_it_is_not_to_be_framed_sniffed_or_told_of(people):
    for answer in (people["superuser"].get(url("index")), Client().get(url("login")), Client().get("/nowhere/")):
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "Strict-Transport-Security" not in answer


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_cookies_and_hsts_follow_the_public_url(tmp_path: Path, scheme: str) -> None:
    loaded = load(tmp_path, **PRODUCTION, PUBLIC_URL=f"{scheme}://notify.example.com")
    secure = scheme == "https"
    assert (loaded["SESSION_COOKIE_SECURE"], loaded["CSRF_COOKIE_SECURE"]) == (secure, secure)
    assert (loaded["SESSION_COOKIE_HTTPONLY"], loaded["CSRF_COOKIE_HTTPONLY"]) == (True, True)
    assert loaded.get("SECURE_HSTS_SECONDS", 0) == (30 * 86400 if secure else 0)
    assert loaded["DEFAULT_FROM_EMAIL"] == "Tidings <tidings@notify.example.com>"


@pytest.mark.parametrize(
    ("name", "value"),
    [("TRUSTED_PROXY_COUNT", "-1"), ("TRUSTED_PROXY_COUNT", "all"), ("EMAIL_FROM", "nobody"), ("EMAIL_FROM", "a@b@c")],
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
