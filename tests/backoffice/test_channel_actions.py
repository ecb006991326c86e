# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""What is done to a channel from its page: paused, resumed, revealed, rotated, replayed, deleted."""

import re

import pytest
from django.utils import timezone

from backoffice.channels import health
from channels_app.models import Channel
from notifications import services
from notifications.events import EVENT_TYPES
from notifications.models import Delivery, EventChannel, HistoryEntry, ReplayJob
from tests.backoffice.notifications_fixtures import admin, failed, order, page_of, people, said, text_of, url, warehouse
from tests.backoffice.reading import LATELY
from tests.notifications.deliveries import make_delivery

LIST = "channels_app_channel_changelist"
QUESTIONS = ("pause", "rotate", "replay", "delete")
AT_ONCE = ("resume", "reveal", "test")
SINCE = {"since": "2026-01-01T00:00:00"}


def stored(channel: Channel) -> tuple[str, str, str]:
    channel.refresh_from_db()
    return channel.status, channel.pause_reason, channel.encrypted_secret


def history() -> list[tuple[str, str, str]]:
    return list(HistoryEntry.objects.order_by("id").values_list("action", "by", "sentence"))


def shows_a_secret(response) -> bool:
    page = response.content.decode()
    return bool(re.search(r"whsec_[A-Za-z0-9+/=]{8}", page)) or "s3cret" in page


@pytest.mark.parametrize("action", QUESTIONS)
def test_what_matters_is_asked_first_on_a_page_that_a_dialog_can_show(admin, warehouse, action):
    before = stored(warehouse)
    answer = admin.get(page_of(warehouse, action))
    assert answer.status_code == 200
    assert answer.content.decode().count("data-dialog-content=") == 1
    assert stored(warehouse) == before
    assert history() == []
    assert not ReplayJob.objects.exists()


@pytest.mark.parametrize("action", AT_ONCE)
def test_what_is_done_at_once_is_done_by_post_only(admin, warehouse, action):
    assert admin.get(page_of(warehouse, action)).status_code == 405
    assert history() == []


@pytest.mark.parametrize("action", [*QUESTIONS, *AT_ONCE])
def test_only_administrators_act(people, warehouse, failed, action):
    before = stored(warehouse)
    for role in ("Viewers", "Order staff", "staff without a group"):
        assert people[role].post(page_of(warehouse, action), {"overlap": "now", **SINCE}).status_code == 403, role
        if action in QUESTIONS:
            assert people[role].get(page_of(warehouse, action)).status_code == 403, role
    assert stored(warehouse) == before
    assert history() == []
    assert (Delivery.objects.count(), ReplayJob.objects.count()) == (1, 0)


@pytest.mark.parametrize("action", ["change", "edit", *QUESTIONS, *AT_ONCE])
def test_a_channel_that_was_deleted_meanwhile_is_a_page_that_does_not_exist(admin, warehouse, action):
    services.archive_channel(channel_id=warehouse.pk, by="somebody else")
    answer = admin.post(page_of(warehouse, action), {}) if action in AT_ONCE else admin.get(page_of(warehouse, action))
    assert answer.status_code == 404


def test_pausing_and_resuming(admin, warehouse):
    answer = admin.post(page_of(warehouse, "pause"), {"reason": "Moving house"})
    assert (answer.status_code, answer.url) == (302, page_of(warehouse))
    assert said(answer) == ["Warehouse was paused. Its deliveries are held until it is resumed."]
    assert stored(warehouse)[:2] == ("paused", "Moving house")
    page = text_of(admin.get(page_of(warehouse)))
    assert "Moving house Nothing is held yet; new deliveries are held until it is resumed." in page

    answer = admin.post(page_of(warehouse, "resume"))
    assert said(answer)[-1] == "Warehouse was resumed. Nothing was held."
    assert stored(warehouse)[:2] == ("active", "")
    assert history() == [
        ("paused", "notification", "Warehouse was paused. Moving house"),
        ("resumed", "notification", "Warehouse was resumed."),
    ]


def test_a_pause_without_a_reason_names_who_paused(admin, warehouse):
    admin.post(page_of(warehouse, "pause"), {"reason": " "})
    assert stored(warehouse)[:2] == ("paused", "Paused by notification.")


def test_a_reason_that_is_too_long_pauses_nothing(admin, warehouse):
    answer = admin.post(page_of(warehouse, "pause"), {"reason": "x" * 501})
    assert answer.status_code == 200
    assert "Ensure this value has at most 500 characters (it has 501)." in text_of(answer)
    assert stored(warehouse)[0] == "active"
    assert history() == []


def test_pausing_what_somebody_else_paused_keeps_the_first_reason(admin, warehouse):
    services.pause_channel(channel_id=warehouse.pk, reason="Flood", by="somebody else")
    answer = admin.post(page_of(warehouse, "pause"), {"reason": "Moving house"})
    assert said(answer) == ["Warehouse was paused already. Its reason stays: Flood"]
    assert stored(warehouse)[1] == "Flood"


def test_resuming_what_is_not_paused_says_so(admin, warehouse):
    assert said(admin.post(page_of(warehouse, "resume"))) == ["Warehouse was not paused."]
    assert history() == []


@pytest.mark.parametrize(("held", "words"), [(1, "1 delivery"), (3, "3 deliveries"), (4, "more than 3 deliveries")])
def test_what_is_held_is_counted_up_to_a_bound(admin, warehouse, monkeypatch, held, words):
    monkeypatch.setattr(health, "COUNT_AT_MOST", 3)
    for _ in range(held):
        make_delivery(warehouse)
    services.send_test(channel_id=warehouse.pk, event_type=EVENT_TYPES["order.completed"], by="test")
    services.pause_channel(channel_id=warehouse.pk, reason="Flood", by="test")
    assert f"Held until it is resumed: {words}." in text_of(admin.get(page_of(warehouse)))
    answer = admin.post(page_of(warehouse, "resume"))
    assert said(answer) == [f"Warehouse was resumed. What was held goes out now: {words}."]


def test_the_secret_is_seen_by_revealing_it_alone(admin, warehouse):
    for page in (*(page_of(warehouse, action) for action in ("change", "edit", *QUESTIONS)), url(LIST)):
        assert not shows_a_secret(admin.get(page)), page
    assert history() == []

    answer = admin.post(page_of(warehouse, "reveal"))
    assert answer.status_code == 200
    assert warehouse.secret in answer.content.decode()
    assert "Authorization: Bearer s3cret" in text_of(answer)
    assert "no-store" in answer["Cache-Control"]
    assert history() == [
        ("revealed", "notification", "The secret and the extra headers of Warehouse were shown."),
    ]
    assert not shows_a_secret(admin.get(page_of(warehouse)))


@pytest.mark.parametrize(
    ("overlap", "both_sign", "sentence"),
    [("24h", True, "The old one signs as well for 24 hours."), ("now", False, "The old one signs no more.")],
)
def test_rotating_shows_the_new_secret_once(admin, warehouse, overlap, both_sign, sentence):
    old = warehouse.secret
    answer = admin.post(page_of(warehouse, "rotate"), {"overlap": overlap})
    assert (answer.status_code, answer.url) == (302, page_of(warehouse))
    assert said(answer) == [f"Warehouse has a new secret. It is shown below, and later by Reveal. {sentence}"]
    warehouse.refresh_from_db()
    assert warehouse.secret != old
    assert warehouse.destination().secrets == ((warehouse.secret, old) if both_sign else (warehouse.secret,))
    first = admin.get(page_of(warehouse)).content.decode()
    assert warehouse.secret in first
    assert old not in first
    assert ("Earlier secrets that sign as well" in first) == both_sign
    assert not shows_a_secret(admin.get(page_of(warehouse)))
    assert [entry[0] for entry in history()] == ["rotated"]


def test_an_old_secret_that_signs_no_more_is_not_spoken_of(admin, warehouse):
    admin.post(page_of(warehouse, "rotate"), {"overlap": "24h"})
    Channel.objects.update(previous_secret_until=timezone.now())
    assert "Earlier secrets" not in text_of(admin.get(page_of(warehouse)))


@pytest.mark.parametrize("given", [{}, {"overlap": "soon"}])
def test_a_rotation_without_a_choice_keeps_the_secret(admin, warehouse, given):
    before = stored(warehouse)
    answer = admin.post(page_of(warehouse, "rotate"), given)
    assert answer.status_code == 200
    assert "Choose one." in text_of(answer)
    assert stored(warehouse) == before
    assert history() == []


def test_deleting_says_what_will_fail_and_leaves_the_log(admin, warehouse):
    services.attach_channel(
        event_type=EVENT_TYPES["order.completed"], channel_id=warehouse.pk, sources=["shop"], by="test"
    )
    waiting = [make_delivery(warehouse) for _ in range(2)]
    question = page_of(warehouse, "delete")
    text = text_of(admin.get(question))
    assert "It is detached from 1 event type. What is not sent yet fails: 2 deliveries." in text

    answer = admin.post(question)
    assert (answer.status_code, answer.url) == (302, url(LIST))
    assert said(answer) == ["Warehouse was deleted. The delivery log keeps what was sent to it."]
    assert stored(warehouse)[0] == "archived"
    assert not EventChannel.objects.exists()
    assert {Delivery.objects.get(pk=delivery.pk).status for delivery in waiting} == {"failed"}
    assert history()[-1] == ("deleted", "notification", "Warehouse was deleted.")
    assert admin.post(question).status_code == 404


def test_a_replay_is_counted_first_and_then_sent(admin, failed, warehouse):
    counted = admin.post(page_of(warehouse, "replay"), SINCE)
    assert "1 failed delivery can be sent again" in text_of(counted)
    assert ReplayJob.objects.filter(dry_run=False).count() == 0
    answer = admin.post(page_of(warehouse, "replay"), {**SINCE, "confirmed": "yes"})
    assert said(answer) == ["1 failed delivery will be sent again, a few at a time."]
    assert ReplayJob.objects.filter(dry_run=False, status="running", count=1).count() == 1
    text = text_of(admin.get(page_of(warehouse)))
    assert re.search(rf"A replay is running since {LATELY} : 0 of 1 were put on their way again\.", text)
    again = admin.post(page_of(warehouse, "replay"), {**SINCE, "confirmed": "yes"})
    assert said(again)[-1] == "Nothing was sent. A replay of this channel is running already."
    assert ReplayJob.objects.filter(dry_run=False).count() == 1


def test_a_replay_to_a_paused_channel_says_what_to_do_first(admin, failed, warehouse):
    services.pause_channel(channel_id=warehouse.pk, reason="Flood", by="test")
    counted = admin.post(page_of(warehouse, "replay"), SINCE)
    assert "The channel is paused. Resume it first." in text_of(counted)
    assert 'name="confirmed"' in counted.content.decode()
    assert "Send again" not in text_of(counted)
    answer = admin.post(page_of(warehouse, "replay"), {**SINCE, "confirmed": "yes"})
    assert said(answer)[-1] == "Nothing was sent. The channel is paused. Resume it first."
    assert ReplayJob.objects.filter(status="running").count() == 0


def test_a_replay_of_nothing_says_so(admin, warehouse):
    counted = admin.post(page_of(warehouse, "replay"), SINCE)
    assert "Nothing failed on Warehouse since 2026-01-01 00:00:00 UTC ." in text_of(counted)
    sent = admin.post(page_of(warehouse, "replay"), {**SINCE, "confirmed": "yes"})
    assert said(sent) == ["Nothing failed on Warehouse since then, so nothing is sent again."]
    assert ReplayJob.objects.filter(status="running").count() == 0


def test_a_replay_needs_a_time(admin, failed, warehouse):
    answer = admin.post(page_of(warehouse, "replay"), {"since": "yesterday"})
    assert "Enter a valid date/time." in text_of(answer)
    assert 'value="yesterday"' in answer.content.decode()
    assert not ReplayJob.objects.exists()


def test_no_page_says_that_a_secret_that_can_be_revealed_is_shown_once(admin, warehouse):
    add = f"{url('channels_app_channel_add')}?kind=postback"
    new = {"kind": "postback", "name": "Depot", "url": "https://example.com/"}
    new = admin.post(url("event_type_add_channel", "order.completed"), new)
    created = admin.post(add, {"name": "Depot", "url": "https://example.com/hook"}, follow=True)
    rotated = admin.post(page_of(warehouse, "rotate"), {"overlap": "24h"}, follow=True)
    document = admin.get("/api/v1/openapi.json").content.decode()
    told = [text_of(admin.get(add)), text_of(admin.get(page_of(warehouse, "rotate"))), new.content.decode()]
    for text in [*told, text_of(created), text_of(rotated)]:
        assert "Reveal" in text
        assert not re.search(r"\b(this|shown|it|secret,) once\b", text), text
    assert not re.search(r"shown (this )?once", document)
