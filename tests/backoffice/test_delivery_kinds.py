# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""One delivery to a channel that people read: how it was sent, what came back, and who has it."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backoffice.notifications.deliveries import curl_of, sends_body
from channels_app.models import Channel
from channels_app.services import create_channel
from notifications.models import Delivery, DeliveryAttempt, Event
from tests.backoffice.notifications_fixtures import admin, failed, order, page_of, people, text_of, warehouse
from tests.notifications.deliveries import make_delivery

ADA, BOB, EVE, GONE = (f"{name}@example.com" for name in ("ada", "Bob", "eve", "gone"))
MAIL = {
    "To": f"{ADA}, {BOB}, {EVE}, {GONE}",
    "Subject": "Order 1042 was completed",
    "Message-ID": "<dlv_1@shop.example>",
}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def mail(db: None) -> Delivery:
    """Two of four recipients have it; one was put off and is tried again, one does not exist."""
    channel = create_channel(name="Sales", kind="email", recipients=[ADA, BOB, EVE, GONE])
    delivery = make_delivery(channel, attempts_made=1, outcome="refused", status_code=451, reached=[BOB, ADA])
    DeliveryAttempt.objects.create(
        delivery=delivery,
        number=1,
        trigger="first",
        outcome="refused",
        url="smtp://mail.example.com:587",
        status_code=451,
        request_headers=MAIL,
        response_headers={
            ADA: "250 2.1.5 OK",
            BOB: "250 2.1.5 OK",
            EVE: "451 4.7.1 Try again later",
            GONE: "550 5.1.1 No such user",
        },
        duration_ms=87,
        error="2 of 4 recipients have it.",
    )
    return delivery


@pytest.fixture
def slack(db: None) -> Delivery:
    """Its webhook was removed."""
    channel = create_channel(name="Slack", kind="slack", url="https://hooks.slack.com/services/T0/B0/s3cretpart")
    fields: dict[str, Any] = {"status": "failed", "next_attempt_at": None, "finished_at": timezone.now()}
    delivery = make_delivery(channel, attempts_made=1, outcome="http_error", status_code=404, **fields)
    DeliveryAttempt.objects.create(
        delivery=delivery,
        number=1,
        trigger="first",
        outcome="http_error",
        url=channel.url,
        status_code=404,
        request_headers={"Content-Type": "application/json; charset=utf-8"},
        response_headers={"Server": "Apache"},
        response_body="no_service",
        duration_ms=87,
    )
    return delivery


def who_has_it(text: str) -> str:
    return text[text.index("Who has it") :].partition(" What the message")[0]


def settle(delivery: Delivery, status: str) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(status=status, next_attempt_at=None, finished_at=timezone.now())


def test_an_email_shows_the_server_the_message_and_each_reply(people, mail):
    text = text_of(people["Viewers"].get(page_of(mail)))
    for part in (
        "Attempt 1 Refused Status 451 · First · 87 ms ·",
        "Message SMTP smtp://mail.example.com:587",
        f"To {MAIL['To']}",
        f"Subject {MAIL['Subject']}",
        f"Message-ID {MAIL['Message-ID']}",
        "The message in words is made from the body below.",
        "Answer Status 451 Replies for each recipient:",
        f"{ADA} 250 2.1.5 OK",
        f"{GONE} 550 5.1.1 No such user",
        "What the message is made from The message in words is made from this body at each attempt. Body",
    ):
        assert part in text, part
    for foreign in ("POST", "curl", "cURL", "the same on every attempt", "What was sent", "Without a body"):
        assert foreign not in text, foreign


def test_a_message_to_slack_shows_the_masked_url_and_its_word(people, slack):
    page = people["Viewers"].get(page_of(slack))
    text = text_of(page)
    for part in (
        "Request POST https://hooks.slack.com/********",
        "The message in words is made from the body below.",
        "Answer Status 404 Server Apache no_service",
        "What the message is made from",
    ):
        assert part in text, part
    for foreign in ("SMTP", "curl", "cURL", "the same on every attempt", "Who has it", "Replies for each recipient"):
        assert foreign not in text, foreign
    assert "s3cretpart" not in page.content.decode()


def test_a_postback_has_no_list_of_those_who_have_it(admin, failed):
    text = text_of(admin.get(page_of(failed)))
    assert "With the body below, the same on every attempt." in text
    assert "What was sent" in text
    assert "Who has it" not in text


def test_who_has_it_is_told_of_each_recipient_in_the_order_of_the_channel(admin, mail):
    assert who_has_it(text_of(admin.get(page_of(mail)))) == (
        f"Who has it {ADA} 250 2.1.5 OK Has it {BOB} 250 2.1.5 OK Has it "
        f"{EVE} 451 4.7.1 Try again later Refused for now {GONE} 550 5.1.1 No such user Refused"
    )


def test_those_that_a_pending_message_is_yet_to_be_sent_to_are_named(admin, mail):
    mail.attempts.all().delete()
    Delivery.objects.update(reached=[])
    expected = f"Who has it {ADA} Not yet {BOB} Not yet {EVE} Not yet {GONE} Not yet"
    assert who_has_it(text_of(admin.get(page_of(mail)))) == expected


def test_a_settled_message_does_not_concern_who_came_later(admin, mail):
    settle(mail, "failed")
    Channel.objects.update(recipients=["new@example.com", GONE, ADA.upper()])
    mail.attempts.update(response_headers={GONE: "550 5.1.1 No such user", EVE: "250 2.1.5 OK"})
    assert who_has_it(text_of(admin.get(page_of(mail)))) == (
        f"Who has it {GONE} 550 5.1.1 No such user Refused {ADA} Has it {BOB} Has it {EVE} Not reached"
    )


def test_the_latest_reply_to_a_recipient_is_the_one_that_counts(admin, mail):
    mail.attempts.create(
        number=2, trigger="automatic", outcome="refused", response_headers={EVE: "250 2.1.5 OK", GONE: "550 Gone"}
    )
    Delivery.objects.update(reached=[ADA, BOB, EVE], attempts_made=2)
    text = who_has_it(text_of(admin.get(page_of(mail))))
    assert f"{EVE} 250 2.1.5 OK Has it {GONE} 550 Gone Refused" in text


def test_who_has_it_comes_with_what_changes(admin, mail):
    content = admin.get(page_of(mail, "state"), {"seen": "something else"}).content.decode()
    assert '<div class="ui-delivery" id="who-has-it" hx-swap-oob="true">' in content
    assert content.count("Has it<") == 2
    page = admin.get(page_of(mail)).content.decode()
    assert page.count('id="who-has-it"') == 1
    assert "hx-swap-oob" not in page[page.index('id="who-has-it"') :]


def test_a_retry_in_the_page_brings_it_too(admin, mail):
    settle(mail, "failed")
    content = admin.post(page_of(mail, "retry"), headers=HTMX).content.decode()
    assert "is being sent to Sales again." in content
    assert content.count('id="who-has-it" hx-swap-oob="true"') == 1
    mail.refresh_from_db()
    assert (mail.status, mail.reached) == ("pending", [BOB, ADA])


def test_a_mail_that_went_by_no_smtp_server_says_so(admin, mail):
    mail.attempts.update(outcome="succeeded", url="", status_code=None, response_headers={}, error="")
    settle(mail, "succeeded")
    text = text_of(admin.get(page_of(mail)))
    assert "Message By EMAIL_URL, which leads to no SMTP server" in text
    assert "Answer It was taken without an answer." in text


def test_an_attempt_whose_worker_died_says_nothing_of_a_server(admin, mail):
    mail.attempts.update(outcome="unknown", url="", status_code=None, response_headers={}, request_headers={})
    text = text_of(admin.get(page_of(mail)))
    assert "Message – None" in text
    assert "Answer There was no answer." in text
    assert "EMAIL_URL" not in text


def test_a_mail_server_that_cannot_be_reached_has_not_answered(admin, mail):
    mail.attempts.update(outcome="connection_error", status_code=None, response_headers={}, request_headers={})
    text = text_of(admin.get(page_of(mail)))
    assert "Message SMTP smtp://mail.example.com:587 None" in text
    assert "Answer There was no answer." in text
    assert "The message in words is made from the body below." not in text


@pytest.mark.usefixtures("banners_of_each_page")
def test_a_delivery_costs_the_same_queries_for_one_attempt_and_for_many(admin, mail, django_assert_num_queries):
    with CaptureQueriesContext(connection) as one:
        admin.get(page_of(mail))
    for number in range(2, 10):
        mail.attempts.create(number=number, trigger="automatic", outcome="refused", response_headers={EVE: "451 No"})
    with django_assert_num_queries(len(one)):
        admin.get(page_of(mail))


def test_only_a_postback_can_be_sent_again_by_hand(failed, mail, slack):
    assert [sends_body(delivery) for delivery in (failed, mail, slack)] == [True, False, False]
    assert [curl_of(delivery.attempts.get(), delivery) for delivery in (mail, slack)] == ["", ""]
    assert curl_of(failed.attempts.get(), failed).startswith("curl -gi https://example.com/hook \\\n")


@pytest.mark.parametrize("change", [{"body": None}, {"erased_at": timezone.now()}])
def test_a_postback_whose_body_is_gone_cannot_be_sent_again_by_hand(failed, change):
    Event.objects.update(**change)
    delivery = Delivery.objects.select_related("event", "channel").get()
    assert curl_of(delivery.attempts.get(), delivery) == ""
