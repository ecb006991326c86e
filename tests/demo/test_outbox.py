"""The demo's outbox: it keeps every mail in the place of sending it, whoever sends it and from where."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy
from smtplib import SMTP
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection
from django.db import DatabaseError, connection, transaction

from backoffice.accounts.tasks import send_password_links
from channels_app.transports.email.mailserver import SMTP_BACKEND
from demo import outbox
from demo.models import KeptMail
from demo.outbox import BACKEND
from tests.api.test_settings import PRODUCTION, load


@pytest.fixture
def send(settings) -> Callable[..., int]:
    """`send("<1@a>", "ada@example.com", ...)`: a mail under this Message-ID to these people. How many were kept."""
    settings.EMAIL_BACKEND = BACKEND
    settings.DEFAULT_FROM_EMAIL = "Tidings <tidings@example.com>"

    def send(message_id: str = "", *to: str, subject: str = "Order 1001", **fields) -> int:
        headers = {"Message-ID": message_id} if message_id else {}
        return EmailMessage(subject, "Hello", None, to or ["ada@example.com"], headers=headers, **fields).send()

    return send


@pytest.mark.parametrize(
    "environment, backend",
    [
        ({"DEMO": "1"}, BACKEND),
        ({"DEMO": "1", "EMAIL_URL": "  "}, BACKEND),
        ({"DEMO": "1", "EMAIL_URL": "smtp://mail.example.com:25"}, SMTP_BACKEND),
        (PRODUCTION, "django.core.mail.backends.console.EmailBackend"),
    ],
)
def test_it_is_in_use_in_the_demo_while_no_mail_server_is_named(tmp_path, environment, backend):
    assert load(tmp_path, **environment)["EMAIL_BACKEND"] == backend


@pytest.mark.django_db
def test_a_mail_is_kept_whole_and_nobody_is_called(send, monkeypatch):
    monkeypatch.setattr(SMTP, "connect", None)
    mail = EmailMultiAlternatives(
        "Zoë’s order", "Hello", "shop@example.com", ["ada@example.com"], ["bcc@example.com"], cc=["cc@example.com"]
    )
    mail.attach_alternative("<p>Hello</p>", "text/html")
    assert mail.send() == 1
    kept = KeptMail.objects.get()
    assert (kept.subject, kept.sender, kept.times_received) == ("Zoë’s order", "shop@example.com", 1)
    assert kept.recipients == ["ada@example.com", "cc@example.com", "bcc@example.com"]
    raw = bytes(kept.raw)
    assert raw.count(b"\n") == raw.count(b"\r\n") > 10
    sent = message_from_bytes(raw, policy=policy.default)
    assert (sent["Subject"], sent["Message-ID"]) == ("Zoë’s order", kept.message_id)
    assert [part.get_content_type() for part in sent.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert "bcc" not in raw.decode()


@pytest.mark.django_db
def test_a_link_for_a_new_password_is_kept(client, settings):
    settings.EMAIL_BACKEND = BACKEND
    settings.PUBLIC_URL = "https://shop.example.com"
    User.objects.create_user("grace", "grace@example.com", "a password", is_staff=True)
    client.post("/admin/password_reset/", {"email": "grace@example.com"})
    assert send_password_links() == 1
    kept = KeptMail.objects.get()
    assert kept.recipients == ["grace@example.com"]
    assert "https://shop.example.com/admin/password_reset/" in bytes(kept.raw).decode()


@pytest.mark.django_db
def test_the_same_message_id_again_is_counted_and_its_new_recipients_are_added(send):
    send("<1@a>", "ada@example.com", "bob@example.com", subject="First")
    send("<1@a>", "bob@example.com", "cleo@example.com", subject="Second")
    send("<2@a>", "ada@example.com", subject="First")
    assert list(KeptMail.objects.values_list("message_id", "subject", "recipients", "times_received")) == [
        ("<2@a>", "First", ["ada@example.com"], 1),
        ("<1@a>", "First", ["ada@example.com", "bob@example.com", "cleo@example.com"], 2),
    ]
    assert b"Subject: First" in bytes(KeptMail.objects.get(message_id="<1@a>").raw)


@pytest.mark.django_db
def test_without_a_message_id_each_mail_is_given_one_of_its_own(send):
    send()
    send()
    assert KeptMail.objects.filter(times_received=1).exclude(message_id="").count() == 2


@pytest.mark.django_db
def test_a_mail_to_nobody_is_not_kept(settings):
    settings.EMAIL_BACKEND = BACKEND
    assert get_connection().send_messages([EmailMessage("To nobody", "Hello")]) == 0
    assert not KeptMail.objects.exists()


@pytest.mark.django_db
def test_only_the_newest_are_kept(send, monkeypatch):
    assert outbox.KEPT == 1000
    monkeypatch.setattr(outbox, "KEPT", 3)
    for number in range(5):
        send(f"<{number}@a>")
    send("<2@a>")
    assert list(KeptMail.objects.values_list("message_id", "times_received")) == [
        ("<4@a>", 1),
        ("<3@a>", 1),
        ("<2@a>", 2),
    ]


@pytest.mark.django_db(transaction=True)
def test_more_sending_threads_than_connections_all_give_theirs_back(send):
    """Each thread stays until all have sent: were its connection not given back, the pool would run dry."""
    threads = 2 * connection.settings_dict["OPTIONS"]["pool"]["max_size"]
    all_have_sent = threading.Barrier(threads, timeout=60)

    def work(number: int) -> bool:
        send(f"<{number}@a>")
        holds_one = connection.connection is not None
        all_have_sent.wait()
        return holds_one

    with ThreadPoolExecutor(threads, thread_name_prefix="send") as pool:
        assert list(pool.map(work, range(threads))) == [False] * threads
    assert KeptMail.objects.count() == threads


@pytest.mark.django_db(transaction=True)
def test_the_same_message_id_from_many_threads_at_once_is_one_row(send):
    begin = threading.Barrier(8, timeout=60)

    def work(number: int) -> Any:
        begin.wait()
        return send("<1@a>", f"reader-{number}@example.com")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [1] * 8
    kept = KeptMail.objects.get()
    assert kept.times_received == 8
    assert sorted(kept.recipients) == [f"reader-{number}@example.com" for number in range(8)]


@pytest.mark.django_db(transaction=True)
def test_within_a_transaction_it_leaves_the_connection_open_and_goes_with_the_transaction(send):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        send("<1@a>")
        assert KeptMail.objects.count() == 1
        raise ZeroDivisionError
    assert KeptMail.objects.count() == 0


@pytest.mark.django_db
def test_a_database_that_refuses_is_told_unless_the_caller_wants_silence(send):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL default_transaction_read_only = on")
        cursor.execute("SET TRANSACTION READ ONLY")
        with pytest.raises(DatabaseError):
            send("<1@a>")
        assert get_connection(fail_silently=True).send_messages([EmailMessage("", "", None, ["a@example.com"])]) == 0
        transaction.set_rollback(True)
    assert not KeptMail.objects.exists()
