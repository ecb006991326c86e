# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""What the pages of channels show of each kind, and what they offer of it."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_app.models import Channel
from channels_app.services import create_channel
from channels_app.transports import TRANSPORTS, kind_choices
from notifications.events import EVENT_TYPES
from notifications.models import Delivery, DeliveryAttempt, HistoryEntry
from tests.backoffice.notifications_fixtures import admin, page_of, people, said, text_of, url, warehouse
from tests.backoffice.reading import buttons_of
from tests.backoffice.reading import text_of as whole_text_of
from tests.notifications.deliveries import make_delivery

LIST = "channels_app_channel_changelist"
HOOK = "https://hooks.slack.com/services/T024BE7LD/B024BE7LE/s3cretpart"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def sales(db: None) -> Channel:
    return create_channel(
        name="Sales", kind="email", recipients=["ada@example.com", "Bob@example.com", "gone@example.com"]
    )


@pytest.fixture
def orders_in_slack(db: None) -> Channel:
    return create_channel(name="Orders in Slack", kind="slack", url=HOOK)


def make_mail(channel: Channel, replies: dict[str, str]) -> Delivery:
    """A delivery with one attempt to which the mail server replied so."""
    fields: dict[str, Any] = {"status": "failed", "next_attempt_at": None, "finished_at": timezone.now()}
    fields["reached"] = [address for address, reply in replies.items() if reply.startswith("2")]
    delivery = make_delivery(channel, attempts_made=1, outcome="refused", status_code=550, **fields)
    make_attempt(delivery, 1, replies)
    return delivery


def make_attempt(delivery: Delivery, number: int, replies: dict[str, str]) -> None:
    DeliveryAttempt.objects.create(
        delivery=delivery,
        number=number,
        trigger="first",
        outcome="refused",
        url="smtp://mail.example.com:587",
        status_code=550,
        response_headers=replies,
        started_at=timezone.now() - timedelta(minutes=5, seconds=30 - number),
        duration_ms=87,
    )


def history() -> list[tuple[str, str]]:
    return list(HistoryEntry.objects.order_by("id").values_list("action", "sentence"))


# The page


def test_an_email_channel_shows_its_recipients_and_nothing_that_is_not_its_own(admin, sales):
    text = text_of(admin.get(page_of(sales)))
    assert "Recipients ada@example.com Bob@example.com gone@example.com Kind E-mail" in text
    assert "The message says that it is a test." in text
    assert "A test shows what the mail server answers." in text
    for foreign in (
        "Address",
        "Extra headers",
        "Signing secret",
        "Rotate",
        "Reveal",
        "verify the signature",
        "receiver",
    ):
        assert foreign not in text, foreign


def test_a_slack_channel_shows_its_masked_url_and_nothing_that_is_not_its_own(admin, orders_in_slack):
    page = admin.get(page_of(orders_in_slack))
    text = text_of(page)
    assert "Address https://hooks.slack.com/******** Kind Slack" in text
    assert "Webhook URL https://hooks.slack.com/******** Reveal" in text
    assert "The message says that it is a test." in text
    assert "A test shows what the webhook answers." in text
    assert "s3cretpart" not in page.content.decode()
    for foreign in ("Recipients", "Extra headers", "Signing secret", "Rotate", "verify the signature", "receiver"):
        assert foreign not in text, foreign


@pytest.mark.parametrize("kind", [kind for kind, _ in kind_choices()])
def test_each_kind_offers_a_test_of_what_it_may_hear_of(admin, warehouse, sales, orders_in_slack, kind):
    channel = {"postback": warehouse, "email": sales, "slack": orders_in_slack}[kind]
    page = admin.get(page_of(channel)).content.decode()
    offered = re.findall(r'<option value="([\w.]+)"', page)
    assert offered == [each.key for each in EVENT_TYPES.values() if kind in each.kinds]
    assert len(offered) == (10 if kind == "postback" else 8)
    assert admin.post(page_of(channel, "test"), {"event_type": "refund.applied"}).status_code == 302
    assert Delivery.objects.get().channel == channel


def test_a_test_of_what_a_kind_may_not_hear_of_sends_nothing(admin, sales):
    assert admin.post(page_of(sales, "test"), {"event_type": "customer.created"}).status_code == 200
    assert Delivery.objects.count() == 0
    assert history() == []


# Recipients


def test_each_recipient_has_the_latest_reply_and_leads_to_its_delivery(admin, sales):
    older = make_mail(sales, {"ada@example.com": "550 5.1.1 No such user", "Bob@example.com": "250 2.1.5 OK"})
    newer = make_mail(sales, {"ada@example.com": "250 2.1.5 OK", "gone@example.com": "550 5.1.1 No such user"})
    page = admin.get(page_of(sales))
    assert (
        "Recipients ada@example.com 250 2.1.5 OK · 5 minutes ago Bob@example.com 250 2.1.5 OK · 5 minutes ago "
        "gone@example.com Refused 550 5.1.1 No such user · 5 minutes ago"
    ) in text_of(page)
    links = re.findall(r'<a href="([^"]+)" aria-label="The delivery that (\S+) was last sent"', page.content.decode())
    assert links == [
        (page_of(newer), "ada@example.com"),
        (page_of(older), "Bob@example.com"),
        (page_of(newer), "gone@example.com"),
    ]


def test_a_later_attempt_of_the_same_delivery_counts(admin, sales):
    delivery = make_mail(sales, {"ada@example.com": "451 4.7.1 Try again later", "bob@EXAMPLE.com": "250 OK"})
    assert "ada@example.com Refused for now 451 4.7.1 Try again later ·" in text_of(admin.get(page_of(sales)))
    make_attempt(delivery, 2, {"ada@example.com": "250 2.1.5 OK"})
    assert "Refused for now" in text_of(admin.get(page_of(sales)))  # the message itself was refused then
    Delivery.objects.update(reached=["ada@example.com", "bob@EXAMPLE.com"])
    text = text_of(admin.get(page_of(sales)))
    assert "ada@example.com 250 2.1.5 OK ·" in text
    assert "bob@EXAMPLE.com 250 OK ·" in text
    assert "Refused" not in text.partition("Health")[0]


def test_replies_are_for_those_who_may_read_the_log(sign_in, sales):
    make_mail(sales, {"ada@example.com": "550 5.1.1 No such user"})
    text = text_of(sign_in("channels_app.view_channel").get(page_of(sales)))
    assert "Recipients ada@example.com Bob@example.com gone@example.com Kind" in text


def test_replies_take_one_query_however_many_deliveries(admin, sales):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin.get(page_of(sales)).status_code == 200
        return len(captured)

    make_mail(sales, {"ada@example.com": "250 OK"})
    queries()  # what is cached from the first request on
    one = queries()
    for _ in range(30):
        make_mail(sales, {"ada@example.com": "550 No such user", "gone@example.com": "550 No such user"})
    assert queries() == one


# What is secret


def test_the_url_of_a_slack_channel_is_seen_by_revealing_it_alone(admin, orders_in_slack):
    for page in (*(page_of(orders_in_slack, each) for each in ("change", "edit", "pause", "delete")), url(LIST)):
        assert "s3cretpart" not in admin.get(page).content.decode(), page
    assert history() == []
    answer = admin.post(page_of(orders_in_slack, "reveal"))
    assert answer.status_code == 200
    assert f'<code class="ui-secret" id="secret" tabindex="-1" autofocus>{HOOK}</code>' in answer.content.decode()
    assert 'data-copy="#secret" aria-label="Copy the webhook URL"' in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert history() == [("revealed", "The URL of Orders in Slack was shown.")]
    assert "s3cretpart" not in admin.get(page_of(orders_in_slack)).content.decode()


def test_a_url_that_cannot_be_read_says_what_to_do(admin, orders_in_slack):
    Channel.objects.update(encrypted_url="unreadable")
    text = text_of(admin.get(page_of(orders_in_slack)))
    assert (
        "Status: Unreadable Pause Edit Delete The URL of this channel cannot be read: the key that encrypted it is not "
        "in SECRETS_ENCRYPTION_KEYS. Put it back there, or give the URL again. Address"
    ) in text
    answer = admin.post(page_of(orders_in_slack, "reveal"))
    assert "The URL cannot be read: the key that encrypted it is not in SECRETS_ENCRYPTION_KEYS." in text_of(answer)
    edit = page_of(orders_in_slack, "edit")
    assert f'<a class="ui-button ui-button-small" href="{edit}">Edit</a>' in answer.content.decode()

    again = {"name": "Orders in Slack", "url": "https://hooks.slack.com/services/T1/B1/other"}
    assert admin.post(edit, again).status_code == 302
    orders_in_slack.refresh_from_db()
    assert orders_in_slack.whole_url == again["url"]
    assert "Unreadable" not in text_of(admin.get(page_of(orders_in_slack)))


def test_a_channel_without_a_secret_reveals_nothing(admin, sales):
    assert admin.post(page_of(sales, "reveal")).status_code == 404
    assert history() == []


@pytest.mark.parametrize("channel", ["sales", "orders_in_slack"])
def test_a_channel_that_does_not_sign_has_no_secret_to_rotate(admin, request, channel):
    channel = request.getfixturevalue(channel)
    assert admin.get(page_of(channel, "rotate")).status_code == 404
    assert admin.post(page_of(channel, "rotate"), {"overlap": "now"}).status_code == 404
    channel.refresh_from_db()
    assert channel.encrypted_secret == ""
    assert history() == []


def test_viewers_are_offered_neither_reveal_nor_rotate(people, orders_in_slack):
    page = people["Viewers"].get(page_of(orders_in_slack))
    assert buttons_of(page) == []
    assert people["Viewers"].post(page_of(orders_in_slack, "reveal")).status_code == 403
    assert history() == []


# A test's answer


def test_the_answer_of_a_mail_server_tells_of_each_recipient(admin, sales):
    admin.post(page_of(sales, "test"), {"event_type": "order.completed"}, headers=HTMX)
    delivery = Delivery.objects.get()
    make_attempt(delivery, 1, {"ada@example.com": "250 2.1.5 OK", "gone@example.com": "550 5.1.1 No such user"})
    error = "2 of 3 recipients have it. gone@example.com was refused: 550 5.1.1 No such user."
    Delivery.objects.update(
        status="succeeded", next_attempt_at=None, finished_at=timezone.now(), status_code=250, error=error
    )
    text = whole_text_of(admin.get(url("channels_app_channel_test_answer", quote(sales.pk), delivery.pk)))
    assert f"Refused Order completed: the mail server answered 550 after 87 ms. {error}" in text
    assert (
        "Replies for each recipient ada@example.com 250 2.1.5 OK gone@example.com 550 5.1.1 No such user What was sent"
    ) in text


def test_the_answer_of_a_webhook_is_its_word(admin, orders_in_slack):
    admin.post(page_of(orders_in_slack, "test"), {"event_type": "order.completed"}, headers=HTMX)
    delivery = Delivery.objects.get()
    DeliveryAttempt.objects.create(
        delivery=delivery,
        number=1,
        trigger="test",
        outcome="http_error",
        url=orders_in_slack.url,
        status_code=404,
        response_body="no_service",
        duration_ms=87,
    )
    Delivery.objects.update(
        status="failed", next_attempt_at=None, finished_at=timezone.now(), error="The webhook was removed."
    )
    answer = admin.get(url("channels_app_channel_test_answer", quote(orders_in_slack.pk), delivery.pk))
    text = whole_text_of(answer)
    assert "HTTP error Order completed: the webhook answered 404 after 87 ms. The webhook was removed." in text
    assert 'aria-label="Body of the answer">no_service</pre>' in answer.content.decode()


def test_what_was_sent_without_an_answer_is_said_to_be_sent(admin, sales):
    admin.post(page_of(sales, "test"), {"event_type": "order.completed"}, headers=HTMX)
    delivery = Delivery.objects.get()
    DeliveryAttempt.objects.create(delivery=delivery, number=1, trigger="test", outcome="succeeded", duration_ms=12)
    Delivery.objects.update(status="succeeded", next_attempt_at=None, finished_at=timezone.now())
    text = whole_text_of(admin.get(url("channels_app_channel_test_answer", quote(sales.pk), delivery.pk)))
    assert "Succeeded Order completed: sent in 12 ms." in text


# Adding


def test_the_first_question_says_what_each_kind_is_for(admin):
    page = admin.get(url("channels_app_channel_add"))
    text = text_of(page)
    for kind, label in kind_choices():
        assert f"{label} {TRANSPORTS[kind].about}" in text
        assert len(re.findall(rf'<input type="radio" name="kind" value="{kind}"', page.content.decode())) == 1


def test_an_email_channel_is_added(admin):
    add = f"{url('channels_app_channel_add')}?kind=email"
    text = text_of(admin.get(add))
    assert "Recipients E-mail addresses, one a line. At most 50. They see each other." in text
    answer = admin.post(add, {"name": "Sales", "recipients": "ada@example.com\n\nBob@example.com; ada@example.com"})
    channel = Channel.objects.get()
    assert (answer.status_code, answer.url) == (302, page_of(channel))
    assert (channel.kind, channel.recipients) == ("email", ["ada@example.com", "Bob@example.com"])
    assert said(answer) == ["Sales was created. A test shows whether it gets there."]
    assert history() == [("created", "Sales was created.")]


def test_a_refused_recipient_writes_nothing_and_is_named(admin):
    answer = admin.post(
        f"{url('channels_app_channel_add')}?kind=email", {"name": "Sales", "recipients": "ada@example.com\nbob"}
    )
    assert answer.status_code == 200
    assert "bob is not an e-mail address." in text_of(answer)
    assert not Channel.objects.exists()
    assert history() == []


def test_a_slack_channel_is_added_and_its_url_kept_where_none_is_given(admin):
    answer = admin.post(f"{url('channels_app_channel_add')}?kind=slack", {"name": "Slack", "url": HOOK})
    channel = Channel.objects.get()
    assert (answer.status_code, answer.url) == (302, page_of(channel))
    assert (channel.kind, channel.url, channel.whole_url) == ("slack", "https://hooks.slack.com/********", HOOK)
    assert "s3cretpart" not in channel.encrypted_url

    edit = admin.get(page_of(channel, "edit"))
    assert "s3cretpart" not in edit.content.decode()
    assert "Leave it empty to keep the present one (https://hooks.slack.com/********)." in text_of(edit)
    answer = admin.post(page_of(channel, "edit"), {"name": "Orders", "url": ""})
    assert said(answer)[-1] == "Orders was updated. Its next attempts use what you gave."
    channel.refresh_from_db()
    assert (channel.name, channel.whole_url) == ("Orders", HOOK)
    assert history() == [("created", "Slack was created."), ("edited", "Orders was edited: name (was Slack).")]


# The list


def test_the_list_finds_recipients_and_shows_some_of_them(admin, sales, orders_in_slack, warehouse):
    Channel.objects.filter(pk=sales.pk).update(recipients=[f"person{each}@example.com" for each in range(5)])
    page = text_of(admin.get(url(LIST), {"q": "PERSON4@"}))
    assert "Sales E-mail person0@example.com, person1@example.com, person2@example.com and 2 more active" in page
    assert "Warehouse" not in page and "Orders in Slack" not in page
    page = text_of(admin.get(url(LIST), {"q": "hooks.slack"}))
    assert "Orders in Slack Slack https://hooks.slack.com/******** active" in page
    assert "Sales" not in page.partition("Orders in Slack")[2]


@pytest.mark.parametrize(
    ("backend", "sentence"),
    [
        ("console", "Its mails are not sent but printed by the worker, since EMAIL_URL is not set."),
        ("smtp", ""),
    ],
)
def test_an_email_channel_whose_mail_is_not_sent_says_so(admin, sales, orders_in_slack, settings, backend, sentence):
    User.objects.update(email="ada@example.com")
    settings.EMAIL_BACKEND = f"django.core.mail.backends.{backend}.EmailBackend"
    page, alerts = text_of(admin.get(page_of(sales))), text_of(admin.get(url("alerts")))
    assert ("Its mails are not sent" in page) == bool(sentence)
    assert sentence in page
    assert "Its mails are not sent" not in text_of(admin.get(page_of(orders_in_slack)))
    assert ("Mail is not sent but printed" in alerts) == bool(sentence)
