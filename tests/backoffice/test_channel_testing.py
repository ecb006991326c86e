# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""Send test: the answer as it arrives on the channel's page, and the delivery's page without scripts."""

import threading
from datetime import timedelta

import pytest
from django.contrib.admin.utils import quote
from django.utils import timezone

from channels_app.services import create_channel
from notifications.events import EVENT_TYPES
from notifications.models import Delivery, HistoryEntry
from tests.backoffice.notifications_fixtures import admin, page_of, people, said, url, warehouse
from tests.backoffice.reading import text_of
from tests.waiting import wait_until

HTMX = {"HX-Request": "true"}


def answer_url(channel, delivery, seen: str = "") -> str:
    return url("channels_app_channel_test_answer", quote(channel.pk), delivery.pk) + f"?seen={seen}"


def test_without_scripts_it_leads_to_the_delivery(admin, warehouse):
    answer = admin.post(page_of(warehouse, "test"), {"event_type": "refund.applied"})
    delivery = Delivery.objects.get()
    assert (answer.status_code, answer.url) == (302, page_of(delivery))
    assert said(answer) == ["A test is being sent. Its answer appears here."]
    assert (delivery.next_trigger, delivery.event_type) == ("test", "refund.applied")
    assert delivery.event_id.startswith("evt_test_")
    assert admin.get(page_of(delivery)).status_code == 200
    assert list(HistoryEntry.objects.values_list("action", "by", "sentence")) == [
        ("tested", "notification", "A test of Refund applied was sent to Warehouse.")
    ]


@pytest.mark.parametrize("key", EVENT_TYPES)
def test_a_sample_of_any_event_type_can_be_sent(admin, warehouse, key):
    assert f'value="{key}"' in admin.get(page_of(warehouse)).content.decode()
    assert admin.post(page_of(warehouse, "test"), {"event_type": key}).status_code == 302
    assert Delivery.objects.get().event_type == key


def test_a_test_of_nothing_sends_nothing(admin, warehouse):
    assert admin.post(page_of(warehouse, "test"), {"event_type": "moon.landed"}).status_code == 200
    assert Delivery.objects.count() == 0
    assert HistoryEntry.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_the_answer_arrives_on_the_same_page(admin, channel, receiver, engine):
    on, go_on = threading.Event(), threading.Event()

    def answer_slowly(_request) -> int:
        on.set()
        assert go_on.wait(20)
        return 200

    receiver.answer = answer_slowly
    first = admin.post(page_of(channel, "test"), {"event_type": "order.completed"}, headers=HTMX)
    delivery = Delivery.objects.get()
    assert first.status_code == 200
    assert text_of(first) == "Pending Order completed waits for a worker."
    assert answer_url(channel, delivery, "waiting") in first.content.decode()
    assert "<main" not in first.content.decode()
    assert admin.get(answer_url(channel, delivery, "waiting")).status_code == 204

    sending = threading.Thread(target=engine.deliver_due, daemon=True)
    sending.start()
    assert on.wait(20)
    second = admin.get(answer_url(channel, delivery, "waiting"))
    assert "Order completed is on its way." in text_of(second)
    assert answer_url(channel, delivery, "sending") in second.content.decode()
    assert admin.get(answer_url(channel, delivery, "sending")).status_code == 204

    go_on.set()
    last = wait_until(lambda: _changed(admin.get(answer_url(channel, delivery, "sending"))))
    sending.join(20)
    assert "Succeeded Order completed: the receiver answered 200 after" in text_of(last)
    assert "<code" not in last.content.decode() and ">ok</pre>" in last.content.decode()
    assert "hx-get" not in last.content.decode()
    assert last["HX-Trigger"] == "ui-test-settled"
    assert page_of(delivery) in last.content.decode()
    assert len(receiver.received) == 1


def _changed(response):
    return response if response.status_code == 200 else None


@pytest.mark.django_db(transaction=True)
def test_a_refused_connection_is_told_in_words(admin, engine):
    nobody = create_channel(name="Nobody", kind="postback", url="http://127.0.0.1:9/hook")
    admin.post(page_of(nobody, "test"), {"event_type": "order.completed"}, headers=HTMX)
    delivery = Delivery.objects.get()
    engine.deliver_due()
    words = text_of(admin.get(answer_url(nobody, delivery, "waiting")))
    delivery.refresh_from_db()
    assert delivery.error
    assert f"Connection error Order completed: {delivery.error}" in words


def test_what_no_worker_takes_is_said_to_be_late(admin, warehouse):
    admin.post(page_of(warehouse, "test"), {"event_type": "order.completed"}, headers=HTMX)
    delivery = Delivery.objects.get()
    Delivery.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    late = admin.get(answer_url(warehouse, delivery, "waiting"))
    assert "No worker has taken it yet. Is the worker running?" in text_of(late)
    assert admin.get(answer_url(warehouse, delivery, "late")).status_code == 204


def test_only_those_who_read_the_log_follow_a_test_of_this_channel(people, sign_in, warehouse):
    people["superuser"].post(page_of(warehouse, "test"), {"event_type": "order.completed"}, headers=HTMX)
    delivery = Delivery.objects.get()
    other = create_channel(name="Other", kind="postback", url="https://example.com/other")
    assert people["Viewers"].get(answer_url(warehouse, delivery)).status_code == 200
    assert people["Viewers"].get(answer_url(other, delivery)).status_code == 404
    assert sign_in("channels_app.view_channel").get(answer_url(warehouse, delivery)).status_code == 403
    assert people["Viewers"].post(answer_url(warehouse, delivery)).status_code == 405
