"""Asking for a link costs and says the same whoever it is for; how often it is sent has a limit."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backoffice.accounts import reset_requests, tasks
from backoffice.accounts.models import ResetRequest
from backoffice.accounts.tasks import send_password_links
from tests.backoffice.notifications_fixtures import url


@pytest.fixture(autouse=True)
def ada(db, settings) -> User:
    settings.PUBLIC_URL = "https://notify.example.com"
    return User.objects.create_user("ada", "ada@example.com", "forgotten", is_staff=True)


def ask(email: str, address: str = "203.0.113.7") -> Any:
    return Client(REMOTE_ADDR=address).post(url("password_reset"), {"email": email})


def test_the_page_does_the_same_whoever_it_is_for_and_mails_nothing(monkeypatch):
    published: list[Any] = []
    monkeypatch.setattr(send_password_links, "apply_async", lambda *args, **kwargs: published.append((args, kwargs)))
    done = []
    for email in ("ada@example.com", "nobody@example.com"):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answer = ask(email)
        shapes = [re.sub(r"'[^']*'|[0-9]+", "?", query["sql"]) for query in queries]
        done.append((answer.status_code, answer.url, answer.content, shapes))
    assert done[0] == done[1]
    assert not any("auth_user" in shape for shape in done[0][3])
    assert mail.outbox == []
    assert len(published) == 2
    assert "ada" not in repr(published)
    assert send_password_links() == 2
    assert [message.to for message in mail.outbox] == [["ada@example.com"]]
    assert set(ResetRequest.objects.values_list("email", flat=True)) == {""}


def test_a_broker_that_is_down_changes_nothing(monkeypatch):
    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr(send_password_links, "apply_async", refuse)
    for email in ("ada@example.com", "nobody@example.com"):
        assert (ask(email).status_code, ask(email).url) == (302, url("password_reset_done"))
    send_password_links()
    assert len(mail.outbox) == 2


def test_an_address_gets_three_an_hour_in_whatever_spelling():
    for email in ("ada@example.com", "ADA@example.com", "ada@EXAMPLE.com", "Ada@Example.com", "ada@example.com"):
        answer = ask(email)
        assert (answer.status_code, answer.url) == (302, url("password_reset_done"))
        send_password_links()
    assert len(mail.outbox) == 3
    assert ask("grace@example.com").status_code == 302
    assert ResetRequest.objects.count() == 4

    ResetRequest.objects.update(requested_at=Now() - timedelta(hours=1, seconds=1))
    ask("ada@example.com")
    send_password_links()
    assert len(mail.outbox) == 4


def test_a_client_asks_for_thirty_an_hour():
    for number in range(reset_requests.MOST_FROM_A_CLIENT + 5):
        assert ask(f"user{number}@example.com", address=f"2001:db8::{number + 1:x}").status_code == 302
    assert ResetRequest.objects.count() == reset_requests.MOST_FROM_A_CLIENT
    ask("ada@example.com", address="2001:db8:0:1::1")
    send_password_links()
    assert len(mail.outbox) == 1


def test_two_workers_do_not_send_the_same():
    ask("ada@example.com")
    request = reset_requests.claim()
    assert request is not None
    assert reset_requests.claim() is None
    ResetRequest.objects.update(due_at=Now())  # the first has died
    again = reset_requests.claim()
    assert again is not None
    assert (again.pk, again.tries) == (request.pk, 2)


def test_what_nobody_waits_for_any_longer_is_given_up_and_forgotten():
    ask("ada@example.com")
    ResetRequest.objects.update(due_at=Now() + timedelta(minutes=1), requested_at=Now() - timedelta(hours=2))
    send_password_links()
    assert ResetRequest.objects.get().email == ""
    ResetRequest.objects.update(requested_at=Now() - timedelta(days=2))
    send_password_links()
    assert not ResetRequest.objects.exists()
    assert mail.outbox == []


def test_the_request_is_kept_under_no_readable_address():
    ask("ada@example.com")
    send_password_links()
    kept = ResetRequest.objects.values().get()
    # A digest may spell "ada"; it spells neither of these.
    assert "@" not in repr(kept)
    assert "example" not in repr(kept)


def test_a_worker_that_ends_leaves_it_to_the_next(monkeypatch):
    ask("ada@example.com")
    monkeypatch.setattr(tasks.shutting_down, "is_set", lambda: True)
    assert send_password_links() == 0
    assert ResetRequest.objects.exclude(email="").count() == 1
