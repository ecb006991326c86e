# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""Channels in the back office: added, edited, paused, revealed and deleted."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from channels_app.forms import MASK
from channels_app.models import Channel
from channels_app.services import pause_channel
from notifications import services
from notifications.catalogue import EVENT_TYPES
from notifications.models import Delivery, EventChannel, ReplayJob
from tests.admin.notifications_fixtures import (
    admin,
    failed,
    order,
    page_of,
    people,
    said,
    text_of,
    url,
    warehouse,
)
from tests.notifications.deliveries import make_delivery

LIST, ADD = "channels_app_channel_changelist", "channels_app_channel_add"


def stored(channel: Channel) -> tuple[str, str, dict[str, str], str]:
    channel.refresh_from_db()
    return channel.name, channel.url, channel.headers, channel.status


def shows_a_secret(response) -> bool:
    page = response.content.decode()
    return bool(re.search(r"whsec_[A-Za-z0-9+/=]{8}", page)) or "s3cret" in page


def test_the_list_shows_active_and_paused_channels_and_no_deleted_ones(admin, warehouse):
    mailing = Channel.objects.create(name="Mailing", kind="postback", url="https://example.com/mail")
    pause_channel(channel_id=mailing.pk, reason="Moving house")
    gone = Channel.objects.create(name="Gone", kind="postback", url="https://example.com/gone")
    services.archive_channel(channel_id=gone.pk)
    page = text_of(admin.get(url(LIST)))
    assert "Mailing Postback https://example.com/mail paused Warehouse Postback https://example.com/hook active" in page
    assert "Gone" not in page
    assert admin.get(page_of(gone)).status_code == 404


def test_a_new_channel_shows_its_secret_once(admin):
    answer = admin.post(
        url(ADD),
        {"name": " Warehouse ", "url": "https://EXAMPLE.com/hook", "headers": "Authorization: Bearer s3cret\n\nX-A:1"},
    )
    channel = Channel.objects.get()
    assert (answer.status_code, answer.url) == (302, page_of(channel))
    assert said(answer) == ["Warehouse was created."]
    assert stored(channel) == (
        "Warehouse",
        "https://example.com/hook",
        {"Authorization": "Bearer s3cret", "X-A": "1"},
        "active",
    )
    first = admin.get(page_of(channel))
    assert channel.secret in first.content.decode()
    assert "s3cret" not in first.content.decode()
    assert "no-store" in first["Cache-Control"]
    assert not shows_a_secret(admin.get(page_of(channel)))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "x" * 101}, "Ensure this value has at most 100 characters (it has 101)."),
        ({"url": ""}, "This field is required."),
        ({"url": "ftp://example.com"}, "The URL must begin with https:// or http://."),
        ({"headers": "nonsense"}, "Line 1 must look like Name: value."),
        ({"headers": "A: 1\na: 2"}, "The header a is given twice."),
        ({"headers": "Host: example.com"}, "The header Host is set by Tidings and cannot be given."),
        ({"headers": f"X-New: {MASK}"}, "Give a value for X-New."),
    ],
)
def test_a_refused_channel_writes_nothing_and_says_why(admin, change, sentence):
    answer = admin.post(url(ADD), {"name": "Warehouse", "url": "https://example.com", "headers": "", **change})
    assert answer.status_code == 200
    assert sentence in text_of(answer)
    assert said(answer) == []
    assert not Channel.objects.exists()


def test_editing_keeps_masked_headers_and_replaces_others(admin, warehouse):
    warehouse.headers = {"Authorization": "Bearer s3cret", "X-Old": "1"}
    warehouse.save()
    page = admin.get(page_of(warehouse, "edit"))
    assert not shows_a_secret(page)
    assert f"Authorization: {MASK}\nX-Old: {MASK}" in page.content.decode()

    answer = admin.post(
        page_of(warehouse, "edit"),
        {"name": "Depot", "url": "https://example.com/new", "headers": f"authorization: {MASK}\nX-New: 2"},
    )
    assert (answer.status_code, answer.url) == (302, page_of(warehouse))
    assert said(answer) == ["Depot was updated."]
    assert stored(warehouse) == (
        "Depot",
        "https://example.com/new",
        {"authorization": "Bearer s3cret", "X-New": "2"},
        "active",
    )


def test_a_refused_edit_changes_nothing(admin, warehouse):
    before = stored(warehouse)
    answer = admin.post(page_of(warehouse, "edit"), {"name": "Depot", "url": "nowhere", "headers": ""})
    assert answer.status_code == 200
    assert "The URL must begin with https:// or http://." in text_of(answer)
    assert stored(warehouse) == before


def test_headers_that_cannot_be_read_stay_unless_replaced(admin, warehouse):
    Channel.objects.update(encrypted_headers="unreadable", encrypted_secret="unreadable")
    assert "cannot be read" in text_of(admin.get(page_of(warehouse)))
    assert "The secret cannot be read" in text_of(admin.post(page_of(warehouse, "reveal")))
    assert "Left empty they stay as they are" in text_of(admin.get(page_of(warehouse, "edit")))
    form = {"name": "Depot", "url": "https://example.com/hook", "headers": ""}
    assert admin.post(page_of(warehouse, "edit"), form).status_code == 302
    warehouse.refresh_from_db()
    assert (warehouse.name, warehouse.encrypted_headers) == ("Depot", "unreadable")
    admin.post(page_of(warehouse, "edit"), {**form, "headers": "X-A: 1"})
    assert stored(warehouse)[2] == {"X-A": "1"}


def test_the_secret_is_seen_by_revealing_it_alone(people, warehouse):
    admin = people["Notification administrators"]
    for page in (page_of(warehouse), page_of(warehouse, "edit"), page_of(warehouse, "delete"), url(LIST)):
        assert not shows_a_secret(admin.get(page)), page
    for role in ("Viewers", "Order staff"):
        assert people[role].post(page_of(warehouse, "reveal")).status_code == 403
    assert LogEntry.objects.count() == 0

    answer = admin.post(page_of(warehouse, "reveal"))
    assert answer.status_code == 200
    assert warehouse.secret in answer.content.decode()
    assert "Authorization: Bearer s3cret" in text_of(answer)
    assert "no-store" in answer["Cache-Control"]
    assert LogEntry.objects.get().change_message == "Revealed the secret."
    assert not shows_a_secret(admin.get(page_of(warehouse)))


def test_pausing_and_resuming(admin, warehouse):
    answer = admin.post(page_of(warehouse, "pause"), {"reason": "Moving house"})
    assert (answer.status_code, answer.url) == (302, page_of(warehouse))
    assert said(answer) == ["Warehouse was paused. Its deliveries are held until it is resumed."]
    warehouse.refresh_from_db()
    assert (warehouse.status, warehouse.pause_reason) == ("paused", "Moving house")
    page = text_of(admin.get(page_of(warehouse)))
    assert "Moving house" in page and "Resume" in page

    answer = admin.post(page_of(warehouse, "resume"))
    assert said(answer)[-1] == "Warehouse was resumed. Held deliveries are sent now."
    warehouse.refresh_from_db()
    assert (warehouse.status, warehouse.pause_reason) == ("active", "")


def test_a_pause_without_a_reason_names_who_paused(admin, warehouse):
    admin.post(page_of(warehouse, "pause"), {"reason": " "})
    warehouse.refresh_from_db()
    assert warehouse.pause_reason == "Paused by notification."


def test_a_reason_that_is_too_long_pauses_nothing(admin, warehouse):
    answer = admin.post(page_of(warehouse, "pause"), {"reason": "x" * 501})
    assert answer.status_code == 200
    assert "Ensure this value has at most 500 characters (it has 501)." in text_of(answer)
    warehouse.refresh_from_db()
    assert warehouse.status == "active"


def test_deleting_asks_first_and_says_what_will_fail(admin, warehouse):
    services.attach_channel(event_type=EVENT_TYPES["order.completed"], channel_id=warehouse.pk, sources=["shop"])
    waiting = [make_delivery(warehouse) for _ in range(2)]
    question = page_of(warehouse, "delete")
    text = text_of(admin.get(question))
    assert "It is detached from 1 event type. 2 pending deliveries will fail." in text
    assert stored(warehouse)[3] == "active"

    answer = admin.post(question)
    assert (answer.status_code, answer.url) == (302, url(LIST))
    assert said(answer) == ["Warehouse was deleted."]
    assert stored(warehouse)[3] == "archived"
    assert not EventChannel.objects.exists()
    assert {Delivery.objects.get(pk=delivery.pk).status for delivery in waiting} == {"failed"}
    assert admin.post(question).status_code == 404


def test_the_page_shows_attachments_and_recent_deliveries(people, warehouse, failed):
    services.attach_channel(event_type=EVENT_TYPES["order.completed"], channel_id=warehouse.pk, sources=["shop"])
    text = text_of(people["Viewers"].get(page_of(warehouse)))
    assert "Event type Sources Order completed Shop" in text
    assert f"Order completed {failed.event.order.number} Failed 503" in text
    assert not {"Edit", "Delete", "Pause", "Reveal"} & set(text.split())


@pytest.mark.parametrize("action", ["pause", "resume", "reveal"])
def test_actions_are_post_only(admin, warehouse, action):
    assert admin.get(page_of(warehouse, action)).status_code == 405
    assert stored(warehouse)[3] == "active"


def test_only_the_permitted_change_channels(people, warehouse):
    before = stored(warehouse)
    form = {"name": "Depot", "url": "https://example.com/", "headers": ""}
    for role in ("Viewers", "Order staff", "staff without a group"):
        client: Client = people[role]
        for action in ("edit", "pause", "resume", "delete", "reveal"):
            assert client.post(page_of(warehouse, action), form).status_code == 403, (role, action)
        assert client.post(url(ADD), form).status_code == 403
    assert stored(warehouse) == before
    assert Channel.objects.count() == 1


def test_what_is_done_to_a_channel_stands_in_its_history(admin, warehouse):
    admin.post(page_of(warehouse, "pause"), {"reason": "Moving house"})
    admin.post(page_of(warehouse, "resume"))
    history = LogEntry.objects.order_by("pk")
    assert [(entry.user.username, entry.change_message) for entry in history] == [
        ("notification", "Paused: Moving house"),
        ("notification", "Resumed."),
    ]


@pytest.mark.parametrize(("overlap", "both_sign"), [("24h", True), ("now", False)])
def test_rotating_shows_the_new_secret_once(admin, warehouse, overlap, both_sign):
    old = warehouse.secret
    answer = admin.post(page_of(warehouse, "rotate"), {"overlap": overlap})
    assert (answer.status_code, said(answer)) == (302, ["Warehouse has a new secret."])
    warehouse.refresh_from_db()
    assert warehouse.secret != old
    assert warehouse.destination().secrets == ((warehouse.secret, old) if both_sign else (warehouse.secret,))
    first = admin.get(page_of(warehouse)).content.decode()
    assert warehouse.secret in first
    assert old not in first
    assert ("The one before signs as well" in first) == both_sign
    assert not shows_a_secret(admin.get(page_of(warehouse)))
    assert LogEntry.objects.filter(object_id=warehouse.pk, change_message__startswith="Rotated").count() == 1


def test_a_rotation_without_a_choice_keeps_the_secret(admin, warehouse):
    old = warehouse.secret
    answer = admin.post(page_of(warehouse, "rotate"), {"overlap": "soon"})
    assert answer.status_code == 200
    warehouse.refresh_from_db()
    assert warehouse.secret == old


def test_a_test_is_recorded_and_leads_to_its_delivery(admin, warehouse):
    answer = admin.post(page_of(warehouse, "test"), {"event_type": "refund.applied"})
    delivery = Delivery.objects.get()
    assert (answer.status_code, answer.url) == (302, page_of(delivery))
    assert (delivery.next_trigger, delivery.event_type) == ("test", "refund.applied")
    assert delivery.event_id.startswith("evt_test_")
    assert admin.get(page_of(delivery)).status_code == 200


def test_a_test_of_nothing_sends_nothing(admin, warehouse):
    assert admin.post(page_of(warehouse, "test"), {"event_type": "moon.landed"}).status_code == 200
    assert Delivery.objects.count() == 0


def test_a_replay_is_counted_first_and_then_sent(admin, failed, warehouse):
    since = {"since": "2026-01-01T00:00:00"}
    counted = admin.post(page_of(warehouse, "replay"), since)
    assert "1 failed delivery can be sent again" in text_of(counted)
    assert ReplayJob.objects.get().dry_run is True
    answer = admin.post(page_of(warehouse, "replay"), {**since, "confirmed": "yes"})
    assert said(answer) == ["1 failed delivery will be sent again, a few at a time."]
    assert ReplayJob.objects.filter(dry_run=False, status="running", count=1).count() == 1
    again = admin.post(page_of(warehouse, "replay"), {**since, "confirmed": "yes"})
    assert said(again)[-1] == "A replay of this channel is running already."
    assert ReplayJob.objects.filter(dry_run=False).count() == 1


def test_a_replay_of_nothing_says_so(admin, warehouse):
    counted = admin.post(page_of(warehouse, "replay"), {"since": "2026-01-01T00:00:00"})
    assert "Nothing failed on Warehouse since then." in text_of(counted)
    assert admin.post(page_of(warehouse, "replay"), {"since": "yesterday"}).status_code == 200
    assert ReplayJob.objects.filter(status="running").count() == 0


@pytest.mark.parametrize("action", ["rotate", "test", "replay"])
def test_the_newer_actions_are_for_administrators_and_by_post(people, warehouse, action):
    for name in ("Order staff", "Viewers"):
        assert people[name].post(page_of(warehouse, action), {}).status_code == 403
    assert people["superuser"].get(page_of(warehouse, action)).status_code == 405
    assert Delivery.objects.count() == ReplayJob.objects.count() == 0
