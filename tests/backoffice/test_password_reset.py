"""People without a password, or without any user at all."""

import re
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client

from backoffice.accounts.tasks import send_password_links
from tests.backoffice.notifications_fixtures import url

NEW = "a-New-passw0rd"


@pytest.fixture
def public(settings):
    settings.PUBLIC_URL = "https://notify.example.com"
    settings.ALLOWED_HOSTS = ["*"]


@pytest.fixture
def ada(db) -> User:
    return User.objects.create_user("ada", "Ada@example.com", "forgotten", is_staff=True)


def ask(email: str, **headers: str) -> Any:
    """Ask for a link; what a worker does then is done, too."""
    answer = Client(headers=headers).post(url("password_reset"), {"email": email})
    send_password_links()
    return answer


def link_in_the_mail() -> str:
    (message,) = mail.outbox
    (link,) = re.findall(r"https?://\S+", str(message.body))
    return str(link)


def test_the_link_in_the_mail_sets_a_new_password_and_works_once(public, ada):
    assert url("password_reset") in Client().get(url("login")).content.decode()
    answer = ask("ada@EXAMPLE.com", host="evil.example")
    assert (answer.status_code, answer.url) == (302, url("password_reset_done"))

    (message,) = mail.outbox
    assert (message.subject, message.to) == ("Set a new password for Tidings", ["Ada@example.com"])
    assert message.from_email == "Tidings <tidings@localhost>"
    assert "ada at Tidings" in message.body
    assert "evil" not in message.body
    link = link_in_the_mail()
    assert link.startswith("https://notify.example.com/admin/password_reset/")

    browser = Client()
    form = browser.get(link.removeprefix("https://notify.example.com"), follow=True)
    (address, _status) = form.redirect_chain[-1]
    assert address.endswith("/set-password/")
    assert "Choose a new password" in form.content.decode()
    refused = browser.post(address, {"new_password1": NEW, "new_password2": "another"})
    assert refused.status_code == 200
    assert "The two password fields didn’t match." in refused.content.decode()
    answer = browser.post(address, {"new_password1": NEW, "new_password2": NEW})
    assert (answer.status_code, answer.url) == (302, url("password_reset_complete"))
    assert browser.get(answer.url).status_code == 200

    ada.refresh_from_db()
    assert ada.check_password(NEW)
    assert "sessionid" not in browser.cookies or "_auth_user_id" not in browser.session
    assert browser.post(url("login"), {"username": "ada", "password": NEW}).status_code == 302
    again = Client().get(link.removeprefix("https://notify.example.com"))
    assert "This link does not work any more</h1>" in again.content.decode()


@pytest.mark.parametrize("email", ["nobody@example.com", "grace@example.com", "nopassword@example.com"])
def test_the_answer_does_not_tell_who_has_an_account(public, ada, email):
    User.objects.create_user("grace", "grace@example.com", "x", is_active=False)
    User.objects.create_user("robot", "nopassword@example.com")
    answer = ask(email)
    assert (answer.status_code, answer.url) == (302, url("password_reset_done"))
    assert mail.outbox == []
    assert Client().get(answer.url).status_code == 200


def test_an_address_that_is_none_is_marked(public, ada):
    answer = ask("ada")
    assert answer.status_code == 200
    assert "Enter a valid email address." in answer.content.decode()
    assert mail.outbox == []


def test_a_new_password_ends_the_lockout(public, ada):
    for _ in range(5):
        Client().post(url("login"), {"username": "ada", "password": "wrong"})
    assert AccessAttempt.objects.get().failures_since_start == 5
    ask("ada@example.com")
    browser = Client()
    form = browser.get(link_in_the_mail().removeprefix("https://notify.example.com"), follow=True)
    browser.post(form.redirect_chain[-1][0], {"new_password1": NEW, "new_password2": NEW})
    assert browser.post(url("login"), {"username": "ada", "password": NEW}).status_code == 302


def test_without_a_public_address_no_link_is_sent_and_the_page_says_what_to_do(settings, ada):
    settings.PUBLIC_URL = ""
    assert "changepassword USERNAME" in Client().get(url("password_reset")).content.decode()
    answer = ask("ada@example.com")
    assert answer.status_code == 200
    assert "changepassword USERNAME" in answer.content.decode()
    assert mail.outbox == []


def test_a_password_is_changed_by_whoever_knows_the_old_one(ada):
    browser = Client()
    browser.force_login(ada)
    page = url("password_change")
    form = {"old_password": "wrong", "new_password1": NEW, "new_password2": NEW}
    refused = browser.post(page, form)
    assert refused.status_code == 200
    assert "Your old password was entered incorrectly." in refused.content.decode()
    answer = browser.post(page, {**form, "old_password": "forgotten"})
    assert (answer.status_code, answer.url) == (302, url("password_change_done"))
    assert browser.get(answer.url).status_code == 200
    ada.refresh_from_db()
    assert ada.check_password(NEW)


def test_with_nobody_in_the_database_the_login_page_says_how_to_make_the_first_user(db):
    page = Client().get(url("login")).content.decode()
    assert "python manage.py createsuperuser" in page


def test_with_somebody_in_the_database_it_does_not(ada):
    assert "createsuperuser" not in Client().get(url("login")).content.decode()


def test_whoever_may_not_enter_is_told_so_at_the_login(db):
    browser = Client()
    browser.force_login(User.objects.create_user("visitor"))
    page = browser.get(url("index"), follow=True).content.decode()
    assert "You are logged in as visitor, who may not enter the back office." in page


def test_a_wrong_password_is_said_and_what_was_typed_stays(ada):
    page = Client().post(url("login"), {"username": "ada", "password": "wrong"}).content.decode()
    assert 'role="alert"' in page
    assert re.search(r'name="username" value="ada"', page)
