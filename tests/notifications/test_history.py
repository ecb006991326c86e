"""Whatever people do with notifications leaves one entry that says who did what; what changes nothing leaves none."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from channels_app.models import Channel
from notifications import services
from notifications.errors import Conflict
from notifications.events import EVENT_TYPES
from notifications.models import HistoryEntry
from notifications.replay import start_replay
from tests.notifications.deliveries import make_delivery

REFUNDS = EVENT_TYPES["refund.applied"]


def entries() -> list[tuple[str, str, str]]:
    """Oldest first."""
    return list(HistoryEntry.objects.order_by("id").values_list("by", "action", "sentence"))


@pytest.fixture
def warehouse(db: None) -> Channel:
    channel = services.create_channel(
        name="Warehouse", kind="postback", url="https://example.com/?key=s3cret", headers={"X-Key": "s3cret"}, by="ada"
    )
    HistoryEntry.objects.all().delete()
    return channel


def test_each_change_of_a_channel_is_kept_in_words(warehouse):
    services.update_channel(channel_id=warehouse.pk, name="Depot", url="https://example.com/two", by="ada")
    services.update_channel(channel_id=warehouse.pk, headers={"X-Key": "0ther"}, by="ada")
    services.pause_channel(channel_id=warehouse.pk, reason="Moving house.", by="grace")
    services.resume_channel(channel_id=warehouse.pk, by="grace")
    services.rotate_secret(channel_id=warehouse.pk, overlap=timedelta(hours=24), by="ada")
    services.rotate_secret(channel_id=warehouse.pk, overlap=timedelta(), by="ada")
    services.reveal_secret(channel_id=warehouse.pk, by="ada")
    services.send_test(channel_id=warehouse.pk, event_type=REFUNDS, by="API key warehouse")
    services.archive_channel(channel_id=warehouse.pk, by="grace")
    assert entries() == [
        ("ada", "edited", "Depot was edited: name (was Warehouse), URL."),
        ("ada", "edited", "Depot was edited: extra headers."),
        ("grace", "paused", "Depot was paused. Moving house."),
        ("grace", "resumed", "Depot was resumed."),
        ("ada", "rotated", "Depot was given a new signing secret. The old one signs for 24 h more."),
        ("ada", "rotated", "Depot was given a new signing secret. The old one ended."),
        ("ada", "revealed", "The secret and the extra headers of Depot were shown."),
        ("API key warehouse", "tested", "A test of Refund applied was sent to Depot."),
        ("grace", "deleted", "Depot was deleted."),
    ]
    assert set(HistoryEntry.objects.values_list("channel", flat=True)) == {warehouse.pk}


def test_each_change_of_the_routing_is_kept_in_words(warehouse):
    services.set_event_type_enabled(event_type=REFUNDS, enabled=True, by="ada")
    services.attach_channel(event_type=REFUNDS, channel_id=warehouse.pk, sources=["shop", "admin"], by="ada")
    services.change_sources(event_type=REFUNDS, channel_id=warehouse.pk, sources=["funnel"], by="ada")
    services.detach_channel(event_type=REFUNDS, channel_id=warehouse.pk, by="ada")
    services.set_event_type_enabled(event_type=REFUNDS, enabled=False, by="grace")
    assert entries() == [
        ("ada", "enabled", "Refund applied was turned on."),
        ("ada", "attached", "Warehouse was linked to Refund applied: Admin, Shop."),
        ("ada", "sources", "Warehouse listens to Funnel for Refund applied, no longer to Admin, Shop."),
        ("ada", "detached", "Warehouse was removed from Refund applied."),
        ("grace", "disabled", "Refund applied was turned off."),
    ]
    assert set(HistoryEntry.objects.values_list("event_type", flat=True)) == {"refund.applied"}


def test_a_retry_is_kept_with_its_delivery(warehouse):
    delivery = make_delivery(
        warehouse, event_type="refund.applied", status="failed", next_attempt_at=None, finished_at=timezone.now()
    )
    services.retry_delivery(delivery_id=delivery.pk, by="grace")
    entry = HistoryEntry.objects.get()
    assert (entry.by, entry.action, entry.delivery_id) == ("grace", "retried", delivery.pk)
    assert entry.sentence == "Refund applied to Warehouse was retried."


def test_a_replay_is_kept_and_counting_for_one_is_not(warehouse):
    since = datetime(2026, 11, 1, 8, 30, tzinfo=UTC)
    make_delivery(
        warehouse, event_type="refund.applied", status="failed", next_attempt_at=None, finished_at=timezone.now()
    )
    start_replay(channel_id=warehouse.pk, since=since, dry_run=True, by="ada")
    assert entries() == []
    start_replay(channel_id=warehouse.pk, since=datetime(9999, 1, 1, tzinfo=UTC), by="ada")
    assert entries() == []
    start_replay(channel_id=warehouse.pk, since=since, by="ada")
    sentence = "Warehouse is sent 1 failed delivery again, of those since 2026-11-01 08:30:00 UTC."
    assert entries() == [("ada", "replayed", sentence)]


def test_what_changes_nothing_leaves_no_entry(warehouse):
    services.pause_channel(channel_id=warehouse.pk, reason="Moving house.", by="grace")
    services.attach_channel(event_type=REFUNDS, channel_id=warehouse.pk, sources=["shop"], by="ada")
    services.set_event_type_enabled(event_type=REFUNDS, enabled=True, by="ada")
    before = entries()
    services.pause_channel(channel_id=warehouse.pk, reason="Again.", by="ada")
    services.update_channel(channel_id=warehouse.pk, name="Warehouse", headers={"X-Key": "s3cret"}, by="ada")
    services.change_sources(event_type=REFUNDS, channel_id=warehouse.pk, sources=["shop"], by="ada")
    switch = services.set_event_type_enabled(event_type=REFUNDS, enabled=True, by="grace")
    services.set_event_type_enabled(event_type=EVENT_TYPES["order.completed"], enabled=False, by="grace")
    with pytest.raises(Conflict):
        services.attach_channel(event_type=REFUNDS, channel_id=warehouse.pk, sources=["shop"], by="ada")
    with pytest.raises(ValidationError):
        services.update_channel(channel_id=warehouse.pk, url="nonsense", by="ada")
    assert entries() == before
    assert switch.changed_by == "ada"


def test_no_secret_gets_into_the_history(warehouse):
    services.update_channel(channel_id=warehouse.pk, url="https://example.com/?key=t0ken", by="ada")
    services.rotate_secret(channel_id=warehouse.pk, overlap=timedelta(), by="ada")
    services.reveal_secret(channel_id=warehouse.pk, by="ada")
    warehouse.refresh_from_db()
    kept = " ".join(sentence for _, _, sentence in entries())
    assert not any(secret in kept for secret in ("s3cret", "t0ken", warehouse.secret))
