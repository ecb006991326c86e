# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""One delivery: its attempts, how it stands while it is not settled, and the retry."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifications import services
from notifications.events import EVENT_TYPES
from notifications.models import Delivery, Event, HistoryEntry
from tests.backoffice.notifications_fixtures import (
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

RETRY = ">Retry</button>"
HTMX = {"HX-Request": "true"}


def state_of(client, delivery, **query):
    return client.get(page_of(delivery, "state"), query)


def version_in(page) -> str:
    versions: list[str] = re.findall(r'hx-get="[^"?]*\?seen=([^"]*)"', page.content.decode())
    assert len(versions) == 1
    return versions[0]


# What the page shows


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"kept": True}, "Connection Kept from an earlier attempt"),
        ({"sent_again": True}, "Connection Fresh; one kept from an earlier attempt was closed"),
    ],
)
def test_a_kept_connection_is_named(people, failed, told, says):
    attempt = failed.attempts.get()
    attempt.connection = {"address": "203.0.113.9", "first_byte_ms": 41, **told}
    attempt.save()
    text = text_of(people["Viewers"].get(page_of(failed)))
    assert says in text
    assert "Lookup" not in text


def test_an_attempt_from_before_this_was_kept_says_nothing_of_it(people, failed):
    failed.attempts.update(connection={})
    assert "First byte" not in text_of(people["Viewers"].get(page_of(failed)))


def test_a_delivery_shows_each_attempt_and_the_body(people, failed):
    page = people["Viewers"].get(page_of(failed))
    text = text_of(page)
    event = failed.event
    for part in (
        f"Event id {event.pk}",
        f"Delivery id {failed.pk}",
        f"Order {event.order.number}",
        "Contact Ada@example.com",
        "Channel Warehouse",
        "Source Shop",
        "Attempt 1 HTTP error Status 503 · First · 87 ms ·",
        "took 87 ms",
        "Address 203.0.113.9",
        "Lookup 4 ms Connect 12 ms TLS 25 ms First byte 41 ms",
        "The receiver answered 503.",
        "POST https://example.com/hook",
        f"webhook-id {event.pk}",
        "Authorization ***",
        "Answer Status 503 Retry-After 120",
        "<b>try later</b>",
        '{ "type": "order.completed", "data": { "first_name": "Zoë" } }',
        "curl -gi https://example.com/hook",
        """--data-raw '{"type":"order.completed","data":{"first_name":"Zo\\u00eb"}}'""",
    ):
        assert part in text, part
    assert "&lt;b&gt;try later" in page.content.decode()
    assert "Retry is not possible" not in text
    assert RETRY not in page.content.decode()


def test_a_delivery_leads_to_what_it_is_about(people, failed):
    page = people["superuser"].get(page_of(failed)).content.decode()
    for link in (
        page_of(failed.event),
        page_of(failed.channel),
        page_of(failed.event.order),
        page_of(failed.event.contact),
        f"{url('notifications_delivery_changelist')}?q={failed.event_id}",
        page_of(failed.channel, "replay"),
    ):
        assert f'href="{link}"' in page, link
    page = people["Viewers"].get(page_of(failed)).content.decode()
    assert page_of(failed.channel, "replay") not in page


def test_an_attempt_without_an_answer_says_so(admin, failed):
    failed.attempts.update(
        outcome="timeout", status_code=None, response_headers={}, response_body="", error="30 s over."
    )
    text = text_of(admin.get(page_of(failed)))
    assert "Attempt 1 Timeout First · 87 ms" in text
    assert "Answer There was no answer." in text


@pytest.mark.usefixtures("banners_of_each_page")
def test_a_delivery_costs_the_same_queries_for_one_attempt_and_for_many(admin, failed, django_assert_num_queries):
    with CaptureQueriesContext(connection) as one:
        admin.get(page_of(failed))
    for number in range(2, 10):
        failed.attempts.create(number=number, trigger="manual", outcome="timeout", url="https://example.com/")
    with django_assert_num_queries(len(one)):
        admin.get(page_of(failed))


def test_a_delivery_whose_body_was_not_built_says_so(admin, failed):
    Event.objects.update(body=None)
    page = text_of(admin.get(page_of(failed)))
    assert "The body could not be built." in page
    assert "curl" not in page


def test_a_test_is_said_to_be_one(admin, warehouse):
    delivery = services.send_test(channel_id=warehouse.pk, event_type=EVENT_TYPES["order.completed"], by="t")
    assert "Order completed (a test)" in text_of(admin.get(page_of(delivery)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "Next attempt 20"),
        ({"lease_token": "6a9e0c1e-5f0e-4a57-8c5e-6b1f3c3f1f00"}, "Next attempt Being made now"),
    ],
)
def test_a_delivery_says_when_it_is_tried_next(admin, warehouse, change, said):
    delivery = make_delivery(warehouse)
    if change:
        change["lease_expires_at"] = timezone.now()
        Delivery.objects.update(**change)
    assert said in text_of(admin.get(page_of(delivery)))


def test_a_held_delivery_waits_for_the_channel(admin, warehouse):
    delivery = make_delivery(warehouse)
    services.pause_channel(channel_id=warehouse.pk, reason="Moving house", by="t")
    assert "Next attempt When the channel is resumed" in text_of(admin.get(page_of(delivery)))


# Until it is settled


def test_a_settled_delivery_does_not_look_again(admin, failed):
    assert page_of(failed, "state") not in admin.get(page_of(failed)).content.decode()
    page = state_of(admin, failed, seen="something else")
    assert page.status_code == 200
    assert "hx-get" not in page.content.decode()


def test_an_unsettled_delivery_looks_again_until_something_changed(admin, warehouse):
    delivery = make_delivery(warehouse)
    page = admin.get(page_of(delivery))
    assert 'hx-trigger="every 2s"' in page.content.decode()
    seen = version_in(page)
    same = state_of(admin, delivery, seen=seen)
    assert (same.status_code, same.content) == (204, b"")
    assert "no-store" in same["Cache-Control"]

    delivery.attempts.create(number=1, trigger="first", outcome="http_error", status_code=503, url="https://e.com/")
    Delivery.objects.update(attempts_made=1, outcome="http_error", status_code=503, error="The receiver answered 503.")
    changed = state_of(admin, delivery, seen=seen)
    assert changed.status_code == 200
    assert "no-store" in changed["Cache-Control"]
    assert version_in(changed) != seen
    content = changed.content.decode()
    assert "Attempt 1" in content
    assert 'hx-swap-oob="innerHTML">Pending after 1 attempt. The receiver answered 503.</div>' in content
    assert "<html" not in content

    Delivery.objects.update(status="succeeded", next_attempt_at=None, finished_at=timezone.now(), error="")
    settled = state_of(admin, delivery, seen=version_in(changed)).content.decode()
    assert "hx-get" not in settled
    assert 'hx-swap-oob="innerHTML">Succeeded after 1 attempt.</div>' in settled


def test_what_is_far_off_is_looked_for_less_often(admin, warehouse):
    delivery = make_delivery(warehouse, next_attempt_at=timezone.now() + timedelta(minutes=5))
    assert 'hx-trigger="every 10s"' in admin.get(page_of(delivery)).content.decode()


def test_what_has_ended_stays_as_a_person_left_it_and_what_goes_on_is_replaced(admin, warehouse):
    delivery = make_delivery(warehouse)
    delivery.attempts.create(number=1, trigger="first", outcome="timeout")
    delivery.attempts.create(number=2, trigger="automatic", outcome="started")
    page = admin.get(page_of(delivery)).content.decode()
    assert '<details class="ui-panel ui-attempt" id="attempt-1" hx-preserve>' in page
    assert '<details class="ui-panel ui-attempt" id="started-2" open>' in page


def test_a_look_costs_few_queries(admin, failed):
    with CaptureQueriesContext(connection) as queries:
        state_of(admin, failed)
    about_it = [query for query in queries if '"notifications_' in query["sql"]]
    assert len(about_it) == 2  # the delivery with what it is about; its attempts


def test_nobody_else_gets_the_state_and_no_login_page_in_its_place(people, failed):
    answer = people["anonymous"].get(page_of(failed, "state"), headers={"HX-Request": "true"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["HX-Redirect"] == f"/admin/login/?next={page_of(failed)}"
    assert state_of(people["staff without a group"], failed).status_code == 403
    assert people["superuser"].post(page_of(failed, "state")).status_code == 405


# Retry


@pytest.mark.parametrize("role", ["Notification administrators", "Order staff"])
def test_a_retry_begins_a_fresh_cycle(people, failed, role):
    client = people[role]
    assert RETRY in client.get(page_of(failed)).content.decode()
    answer = client.post(page_of(failed, "retry"))
    assert (answer.status_code, answer.url) == (302, page_of(failed))
    assert said(answer) == ["Order completed is being sent to Warehouse again."]
    failed.refresh_from_db()
    assert (failed.status, failed.next_trigger, failed.finished_at) == ("pending", "manual", None)
    page = client.get(page_of(failed))
    assert "Retry is not possible. It is waiting to be sent." in text_of(page)
    assert 'hx-trigger="every 2s"' in page.content.decode()
    assert HistoryEntry.objects.get(action="retried").by == role.split()[0].lower()


def test_a_retry_in_the_page_answers_with_the_part_that_changed_and_takes_the_focus(admin, failed):
    answer = admin.post(page_of(failed, "retry"), headers=HTMX)
    assert answer.status_code == 200
    content = answer.content.decode()
    assert content.startswith('\n<div id="delivery"') or content.lstrip().startswith('<div id="delivery"')
    assert '<h2 id="state" tabindex="-1" autofocus>' in content
    assert '<p class="ui-note">Order completed is being sent to Warehouse again.</p>' in content
    assert 'hx-swap-oob="innerHTML">Order completed is being sent to Warehouse again.</div>' in content
    assert 'hx-trigger="every 2s"' in content
    assert RETRY not in content
    assert said(answer) == []
    failed.refresh_from_db()
    assert (failed.status, failed.next_trigger) == ("pending", "manual")


def test_a_retry_that_is_refused_says_why_and_changes_nothing(admin, failed):
    services.pause_channel(channel_id=failed.channel_id, reason="Moving house", by="t")
    sentence = "The channel is paused. Resume it first."
    page = admin.get(page_of(failed))
    assert f"Retry is not possible. {sentence}" in text_of(page)
    assert RETRY not in page.content.decode()
    answer = admin.post(page_of(failed, "retry"))
    assert said(answer) == [f"No retry: {sentence}"]
    answer = admin.post(page_of(failed, "retry"), headers=HTMX).content.decode()
    assert f'<p class="ui-note ui-note-error">No retry: {sentence}</p>' in answer
    failed.refresh_from_db()
    assert (failed.status, failed.next_attempt_at) == ("failed", None)
    assert not HistoryEntry.objects.filter(action="retried").exists()


def test_a_retry_of_an_event_type_without_one_is_refused(admin, warehouse, order):
    delivery = make_failed(warehouse, order, "contact.created")
    assert "Retry is not possible. Contact created has no manual retry." in text_of(admin.get(page_of(delivery)))
    assert said(admin.post(page_of(delivery, "retry"))) == ["No retry: Contact created has no manual retry."]
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
    for page in ("change", "state"):
        assert admin.get(url(f"notifications_delivery_{page}", "dlv_5Fnobody")).status_code == 404
    assert admin.post(url("notifications_delivery_retry", "dlv_5Fnobody")).status_code == 404
