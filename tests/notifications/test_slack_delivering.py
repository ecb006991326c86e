"""The engine with channels of Slack and Mattermost: what is tried again, what is not, and their URL stays secret."""

import logging
from collections.abc import Iterator

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from channels_app.models import Channel
from channels_app.services import create_channel
from channels_app.transports.slack.refusals import NOT_FOUND, REFUSALS
from notifications import services
from notifications.events import EVENT_TYPES
from notifications.events.bodies import sample_body
from notifications.models import Delivery, Event
from tests.notifications.alerting import send_due
from tests.notifications.deliveries import make_due, story
from tests.servers.slackserver import SECRET, MattermostServer, Says, SlackServer, mattermost_error, texts

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=[SlackServer, MattermostServer], ids=["slack", "mattermost"])
def server(request: pytest.FixtureRequest) -> Iterator[SlackServer]:
    with request.param() as server:
        yield server


@pytest.fixture
def sales(db: None, server: SlackServer) -> Channel:
    return create_channel(name="Sales", kind="slack", url=server.url)


def make_delivery(channel: Channel) -> Delivery:
    event = Event(type="order.completed", source="funnel", created_at=timezone.now())
    event.body = sample_body(EVENT_TYPES["order.completed"], event_id=event.pk, created_at=event.created_at)
    event.save(force_insert=True)
    return Delivery.objects.create(event=event, event_type=event.type, channel=channel)


def delivered(delivery: Delivery) -> Delivery:
    return Delivery.objects.get(pk=delivery.pk)


def test_an_event_arrives_in_words_and_names_itself(engine, server, sales):
    delivery = make_delivery(sales)
    engine.deliver_due()
    assert story(delivery) == [(1, "first", "succeeded", 200)]
    (message,) = server.taken
    assert message["text"].startswith("Order 1001 completed: ")
    assert delivery.event_id in message["text"]
    assert delivery.event_id in texts(message["blocks"])[-1]
    attempt = delivery.attempts.get()
    assert attempt.url == sales.url
    assert attempt.url == f"{server.url.removesuffix(server.path)}/********"


def test_too_many_requests_are_tried_again_when_the_receiver_says_and_not_before(engine, server, sales):
    server.will_say(Says(429, "rate_limited", {"Retry-After": "1000"}))
    delivery = make_delivery(sales)
    engine.deliver_due()
    waiting, attempt = delivered(delivery), delivery.attempts.get()
    assert waiting.status == "pending"
    assert 999 < (waiting.next_attempt_at - attempt.started_at).total_seconds() < 1100
    engine.deliver_due()
    assert server.taken == []

    make_due()
    engine.deliver_due()

    assert story(delivery) == [(1, "first", "http_error", 429), (2, "automatic", "succeeded", 200)]
    assert len(server.taken) == 1
    assert len({body for _, _, body in server.requests}) == 1


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (403, "invalid_token"),
        (403, "action_prohibited"),
        (403, "team_disabled"),
        (404, "no_service"),
        (404, "no_service_id"),
        (404, "no_team"),
        (404, "channel_not_found"),
        (404, "user_not_found"),
        (400, "invalid_payload"),
        (400, "no_text"),
        (400, "invalid_blocks"),
        (400, "web.incoming_webhook.invalid.app_error"),
        (404, "web.incoming_webhook.channel.app_error"),
    ],
)
def test_what_is_refused_for_good_fails_at_once_whatever_the_settings_say(engine, settings, status, word):
    settings.POSTBACK_RETRY_STATUS_CODES = [400, 403, 404]
    is_mattermost = word.startswith("web.")
    with MattermostServer() if is_mattermost else SlackServer() as server:
        server.will_say(mattermost_error(status, word, "No.") if is_mattermost else Says(status, word))
        delivery = make_delivery(create_channel(name="Sales", kind="slack", url=server.url))
        engine.deliver_due()
    failed = delivered(delivery)
    assert story(delivery) == [(1, "first", "http_error", status)]
    assert (failed.status, failed.next_attempt_at) == ("failed", None)
    assert failed.error == delivery.attempts.get().error == f"{REFUSALS[word]} ({word})."
    assert len(server.requests) == 1
    assert Channel.objects.get().status == "active"


def test_so_does_a_url_that_leads_to_nothing(engine, server, sales, settings):
    settings.POSTBACK_RETRY_STATUS_CODES = [404]
    server.will_say(Says(404, ""))
    delivery = make_delivery(sales)
    engine.deliver_due()
    assert story(delivery) == [(1, "first", "http_error", 404)]
    assert delivered(delivery).error == f"{NOT_FOUND}."


def test_another_refusal_is_tried_again_as_the_settings_say(engine, server, sales, settings):
    settings.POSTBACK_RETRY_STATUS_CODES = [409, 500]
    server.will_say(Says(409, "busy"), Says(500, "rollup_error"))
    delivery = make_delivery(sales)
    engine.deliver_due()
    assert [(outcome, status) for _, _, outcome, status in story(delivery)] == [
        ("http_error", 409),
        ("http_error", 500),
        ("succeeded", 200),
    ]
    errors = list(delivery.attempts.order_by("number").values_list("error", flat=True))
    assert errors == [
        "The receiver answered 409 Conflict (busy).",
        "Slack had a fault of its own (rollup_error).",
        "",
    ]


def test_an_archived_channel_pauses_ours_and_says_what_to_do(engine, server, sales):
    server.will_say(Says(410, "channel_is_archived"))
    delivery = make_delivery(sales)
    engine.deliver_due()
    later = make_delivery(sales)
    engine.deliver_due()
    sales.refresh_from_db()
    sentence = (
        "The webhook posts to an archived Slack channel. Unarchive it, or create a new webhook and change the URL of "
        "this channel; then resume this channel (channel_is_archived)."
    )
    assert (sales.status, sales.pause_reason) == ("paused", sentence)
    assert story(delivery) == [(1, "first", "gone", 410)]
    assert delivered(delivery).error == sentence
    assert delivered(later).shown_status == "held"
    assert len(server.requests) == 1

    services.resume_channel(channel_id=sales.pk, by="ada")
    engine.deliver_due()

    assert story(later) == [(1, "first", "succeeded", 200)]


def everything_stored() -> str:
    with connection.cursor() as cursor:
        lines = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT row::text FROM "{table}" row')
            lines += [f"{table} {line}" for (line,) in cursor.fetchall()]
    return "\n".join(lines)


def test_the_url_is_told_nowhere_whatever_the_receiver_says(engine, server, sales, settings, caplog):
    caplog.set_level(logging.DEBUG)
    settings.ADMINS = [("Operators", "operators@example.com")]
    echo = f"you called {server.url}, {server.path}, {server.path.split('/')[-1]}"
    for says in (
        *(Says(status, echo, {"X-Echo": server.path}) for status in (200, 400, 403, 404, 429, 302)),
        *(Says(500, echo) for _ in range(8)),
        Says(410, echo),
    ):
        server.will_say(says)
        make_delivery(sales)
    engine.deliver_due()
    Channel.objects.update(paused_at=None, pause_reason="")
    settings.POSTBACK_ALLOWED_NETWORKS = []
    make_delivery(sales)
    make_due()
    engine.deliver_due()
    services.send_test(channel_id=sales.pk, event_type=EVENT_TYPES["order.completed"], by="ada")
    services.update_channel(channel_id=sales.pk, url=f"http://127.0.0.1:1{server.path}", by="ada")
    engine.deliver_due()
    send_due()

    outcomes = {outcome for delivery in Delivery.objects.all() for _, _, outcome, _ in story(delivery)}
    assert {"succeeded", "http_error", "gone", "blocked"} <= outcomes
    stored = everything_stored()
    mails = "\n".join(f"{message.subject}\n{message.body}" for message in mail.outbox)
    assert "you called ********, ********, ********" in stored
    assert "notifications_alert" in stored
    assert "attempt" in caplog.text
    for place in (stored, caplog.text, mails):
        assert SECRET.lower() not in place.lower()
