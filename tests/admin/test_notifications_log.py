# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""The delivery log, its retry, and the events with their routing in words."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from channels_app.models import Channel
from channels_app.services import create_channel, pause_channel
from notifications import services
from notifications.models import Delivery, Event
from tests.admin.notifications_fixtures import (
    admin,
    failed,
    make_failed,
    order,
    page_of,
    people,
    said,
    text_of,
    url,
    warehouse,
)
from tests.notifications.deliveries import make_delivery

LOG, EVENTS = "notifications_delivery_changelist", "notifications_event_changelist"


def listed(client, query: str = "", name: str = LOG) -> list[str]:
    """The ids behind the rows of a list, in their order."""
    page = client.get(url(name) + query)
    assert page.status_code == 200
    model = name.split("_")[1]
    links = re.findall(rf'<a href="/admin/notifications/{model}/([^/"?]+)/change/', page.content.decode())
    return [link.replace("_5F", "_") for link in dict.fromkeys(links)]


@pytest.fixture
def log(warehouse, order, failed) -> dict[str, Delivery]:
    """One delivery of each shown status."""
    mailing = create_channel(name="Mailing", kind="postback", url="https://example.com/mail")
    paused = create_channel(name="Paused", kind="postback", url="https://example.com/paused")
    pause_channel(channel_id=paused.pk, reason="Moving house")
    succeeded = make_failed(mailing, None, "refund.applied")
    Delivery.objects.filter(pk=succeeded.pk).update(status="succeeded", outcome="succeeded", status_code=200)
    return {
        "failed": failed,
        "succeeded": succeeded,
        "held": make_delivery(paused, event_type="contact.created"),
        "pending": make_delivery(warehouse),
    }


def test_the_log_is_newest_first_and_says_what_became_of_each(people, log):
    client = people["Viewers"]
    assert listed(client) == [log[status].pk for status in ("pending", "held", "succeeded", "failed")]
    text = text_of(client.get(url(LOG)))
    number = log["failed"].event.order.number
    assert f"Order completed {number} Warehouse failed 503 1" in text
    assert "Refund applied – Mailing succeeded 200 1" in text
    assert "Contact created – Paused held – 0" in text


@pytest.mark.parametrize("status", ["pending", "held", "succeeded", "failed"])
def test_the_log_is_filtered_by_the_status_as_shown(admin, log, status):
    assert listed(admin, f"?status={status}") == [log[status].pk]


def test_the_log_is_filtered_by_event_type_and_channel_together(admin, log):
    warehouse_id = log["failed"].channel_id
    assert listed(admin, f"?channel={warehouse_id}") == [log["pending"].pk, log["failed"].pk]
    assert listed(admin, "?event_type=refund.applied") == [log["succeeded"].pk]
    assert listed(admin, f"?status=failed&event_type=order.completed&channel={warehouse_id}&q=") == [log["failed"].pk]
    assert listed(admin, f"?status=held&channel={warehouse_id}") == []
    assert listed(admin, "?status=&event_type=&channel=&q=") == listed(admin)


@pytest.mark.parametrize("by", ["delivery id", "event id", "order number", "e-mail", "e-mail in capitals"])
def test_the_log_is_searched_exactly(admin, log, by):
    wanted = log["failed"]
    term = {
        "delivery id": wanted.pk,
        "event id": wanted.event_id,
        "order number": wanted.event.order.number,
        "e-mail": "ada@example.com",
        "e-mail in capitals": "ADA@EXAMPLE.COM",
    }[by]
    assert listed(admin, f"?q=%20{term}%20") == [wanted.pk]
    assert listed(admin, f"?q={term}x") == []


def test_the_form_above_the_log_keeps_what_was_asked(admin, log):
    page = admin.get(url(LOG) + f"?status=failed&channel={log['failed'].channel_id}&q=1001").content.decode()
    assert re.findall(r'<option value="([^"]+)" selected>', page) == ["failed", log["failed"].channel_id]
    assert 'name="q" value="1001"' in page
    for label in re.findall(r'<label for="(log-\w+)"', page):
        assert f'id="{label}"' in page


def test_a_deleted_channel_keeps_its_name_in_the_log(admin, log):
    services.archive_channel(channel_id=log["failed"].channel_id)
    assert "Warehouse (deleted)" in text_of(admin.get(page_of(log["failed"])))
    assert log["failed"].pk in listed(admin, f"?channel={log['failed'].channel_id}")


@pytest.mark.parametrize("name", [LOG, EVENTS])
def test_a_list_costs_the_same_queries_for_one_row_and_for_many_and_counts_nothing(
    admin,
    warehouse,
    order,
    django_assert_num_queries,
    name,
):
    make_failed(warehouse, order)
    with CaptureQueriesContext(connection) as one:
        assert len(listed(admin, name=name)) == 1
    assert not [query["sql"] for query in one if "COUNT(" in query["sql"]]
    for number in range(9):
        channel = Channel.objects.create(name=f"C{number}", kind="postback", url="https://example.com/")
        make_failed(channel, order)
    with django_assert_num_queries(len(one)):
        assert len(listed(admin, name=name)) == 10


def test_a_delivery_shows_each_attempt_and_the_body(people, failed):
    page = people["Viewers"].get(page_of(failed))
    text = text_of(page)
    event = failed.event
    for part in (
        f"Event {event.pk}",
        f"Delivery {failed.pk}",
        f"Order {event.order.number}",
        "Contact Ada@example.com",
        "Attempt 1 HTTP error Status 503 · First ·",
        "· 87 ms",
        "The receiver answered 503.",
        "POST https://example.com/hook",
        f"webhook-id {event.pk}",
        "Authorization ***",
        "Retry-After 120",
        "<b>try later</b>",
        '{ "type": "order.completed", "data": { "first_name": "Zoë" } }',
    ):
        assert part in text, part
    assert "&lt;b&gt;try later" in page.content.decode()
    assert "Retry is not possible" not in text and 'type="submit">Retry' not in page.content.decode()


def test_a_delivery_costs_the_same_queries_for_one_attempt_and_for_many(
    admin,
    failed,
    django_assert_num_queries,
):
    with CaptureQueriesContext(connection) as one:
        admin.get(page_of(failed))
    for number in range(2, 10):
        failed.attempts.create(number=number, trigger="manual", outcome="timeout")
    with django_assert_num_queries(len(one)):
        admin.get(page_of(failed))


def test_a_delivery_whose_body_was_not_built_says_so(admin, failed):
    Event.objects.update(body=None)
    assert "The body could not be built." in text_of(admin.get(page_of(failed)))
    assert "The body could not be built." in text_of(admin.get(page_of(failed.event)))


@pytest.mark.parametrize("role", ["Notification administrators", "Order staff"])
def test_a_retry_begins_a_fresh_cycle(people, failed, role):
    client = people[role]
    assert 'type="submit">Retry' in client.get(page_of(failed)).content.decode()
    answer = client.post(page_of(failed, "retry"))
    assert (answer.status_code, answer.url) == (302, page_of(failed))
    assert said(answer) == ["Order completed is being sent to Warehouse again."]
    failed.refresh_from_db()
    assert (failed.status, failed.next_trigger, failed.finished_at) == ("pending", "manual", None)
    text = text_of(client.get(page_of(failed)))
    assert "Retry is not possible. It is waiting to be sent." in text


def test_a_retry_that_is_refused_says_why_and_changes_nothing(admin, failed):
    pause_channel(channel_id=failed.channel_id, reason="Moving house")
    sentence = "The channel is paused. Resume it first."
    page = admin.get(page_of(failed))
    assert f"Retry is not possible. {sentence}" in text_of(page)
    assert 'type="submit">Retry' not in page.content.decode()
    answer = admin.post(page_of(failed, "retry"))
    assert said(answer) == [f"No retry: {sentence}"]
    failed.refresh_from_db()
    assert (failed.status, failed.next_attempt_at) == ("failed", None)


def test_an_event_type_without_manual_retry_says_so(admin, warehouse, order):
    delivery = make_failed(warehouse, order, "contact.created")
    assert "Contact created has no manual retry." in text_of(admin.get(page_of(delivery)))
    admin.post(page_of(delivery, "retry"))
    delivery.refresh_from_db()
    assert delivery.status == "failed"


def test_a_retry_is_for_the_permitted_and_by_post(people, failed):
    assert people["superuser"].get(page_of(failed, "retry")).status_code == 405
    for role in ("Viewers", "staff without a group"):
        assert people[role].post(page_of(failed, "retry")).status_code == 403
    assert people["anonymous"].post(page_of(failed, "retry")).status_code == 302
    failed.refresh_from_db()
    assert failed.status == "failed"


def test_what_does_not_exist_is_404(admin, failed):
    for name in ("delivery", "event"):
        assert admin.get(url(f"notifications_{name}_change", "dlv_5Fnobody")).status_code == 404
    assert admin.post(url("notifications_delivery_retry", "dlv_5Fnobody")).status_code == 404


# Events


def test_events_are_filtered_and_searched(admin, log):
    newest_first = list(Event.objects.order_by("-pk").values_list("pk", flat=True))
    assert listed(admin, name=EVENTS) == newest_first
    completed = log["failed"].event
    assert listed(admin, "?event_type=refund.applied", EVENTS) == [log["succeeded"].event_id]
    assert listed(admin, "?source=funnel", EVENTS) == []
    for term in (completed.pk, completed.order.number, "ada@example.com"):
        assert listed(admin, f"?q={term}", EVENTS) == [completed.pk]
    assert f"Order completed Shop {completed.order.number} Ada Byron 1 of 2" in text_of(admin.get(url(EVENTS)))


def test_an_event_says_for_each_channel_what_became_of_it(people, failed):
    event = failed.event
    event.routing = [
        {"channel": "chn_x", "name": outcome.value, "outcome": outcome.value, "delivery": None}
        for outcome in Event.RoutingOutcome
    ]
    event.routing[0]["delivery"] = failed.pk
    event.save()
    text = text_of(people["Order staff"].get(page_of(event)))
    assert (
        "delivered A delivery was made Failed Open "
        "held A delivery was made and held: the channel was paused – "
        "event_disabled The event type was turned off – "
        "source_not_chosen The channel does not listen to this source – "
        "kind_not_allowed This event type is for postbacks only –"
    ) in text
    assert '"first_name": "Zoë"' in text


def test_an_event_that_reached_nobody_says_so(admin, failed):
    Event.objects.update(routing=[])
    assert "No channel was attached to this event type, so nobody was told." in text_of(
        admin.get(page_of(failed.event))
    )
    assert "None attached" in text_of(admin.get(url(EVENTS)))
