from datetime import timedelta

import pytest
from django.utils import timezone

from notifications import retention
from notifications.latencies import BOUNDS_MS
from notifications.models import Alert, ChannelHour, Delivery, DeliveryAttempt, Event
from tests.notifications.deliveries import make_delivery

pytestmark = pytest.mark.django_db(transaction=True)


def finished(channel, *, days: float, status: str = "succeeded") -> Delivery:
    delivery = make_delivery(channel, status=status, next_attempt_at=None, finished_at=timezone.now())
    DeliveryAttempt.objects.create(delivery=delivery, number=1, trigger="first", outcome="succeeded")
    Event.objects.filter(pk=delivery.event_id).update(created_at=timezone.now() - timedelta(days=days))
    return delivery


def test_what_is_older_than_the_retention_goes_whole_and_in_batches(channel, settings, monkeypatch):
    settings.RETENTION_DAYS = 30
    monkeypatch.setattr(retention, "BATCH", 2)
    for _ in range(5):
        finished(channel, days=31, status="failed")
    kept = finished(channel, days=29)
    unheard = Event.objects.create(type="order.completed", source="shop", body="{}")
    Event.objects.filter(pk=unheard.pk).update(created_at=timezone.now() - timedelta(days=31))
    assert retention.purge() == 6
    assert list(Event.objects.values_list("pk", flat=True)) == [kept.event_id]
    assert list(Delivery.objects.values_list("pk", flat=True)) == [kept.pk]
    assert DeliveryAttempt.objects.count() == 1
    assert retention.purge() == 0


def test_an_event_that_is_still_to_be_sent_to_somebody_stays(channel, settings):
    settings.RETENTION_DAYS = 30
    delivery = finished(channel, days=31)
    pending = Delivery.objects.create(event=delivery.event, event_type="order.completed", channel=channel)
    assert retention.purge() == 0
    assert set(Delivery.objects.values_list("pk", flat=True)) == {delivery.pk, pending.pk}


def test_counts_and_alerts_go_as_well_and_what_is_younger_stays(channel, settings):
    settings.RETENTION_DAYS = 30
    now = timezone.now()
    for days in (31, 29):
        ChannelHour.objects.create(
            channel=channel, hour=now - timedelta(days=days), succeeded=1, latencies=[0] * len(BOUNDS_MS)
        )
        alert = Alert.objects.create(kind="paused", channel=channel, sent_at=now)
        Alert.objects.filter(pk=alert.pk).update(created_at=now - timedelta(days=days))
    retention.purge()
    assert [hour.hour for hour in ChannelHour.objects.all()] == [now - timedelta(days=29)]
    assert list(Alert.objects.values_list("pk", flat=True)) == [alert.pk]
