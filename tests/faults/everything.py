"""`python -m tests.faults.everything URL`: one of each thing that writes a time, in a process of its own."""

import sys
from datetime import timedelta
from decimal import Decimal

import django


def main(url: str) -> None:
    from django.db.models.functions import Now
    from django.test import Client

    from api.keys import create_key, revoke_key
    from api.tasks import purge_idempotency_records
    from notifications import alert_targets, erasure, services
    from notifications.events import EVENT_TYPES
    from notifications.models import Delivery
    from notifications.pausing import pause_channel
    from notifications.replay import start_replay
    from notifications.tasks import purge, send_alerts
    from orders import services as shop
    from orders.inputs import TrackingInput
    from orders.models import Funnel, Product, Subscription, Survey
    from tests.calling import Caller
    from tests.notifications.alerting import send_due
    from tests.orders.shop import contact_input, item, pay, place, refund

    Product.objects.get_or_create(
        sku="club",
        defaults={
            "title": "Club",
            "kind": "subscription",
            "interval": "month",
            "unit_price": Decimal(9),
            "currency": "USD",
        },
    )
    Survey.objects.get_or_create(slug="how", defaults={"title": "How?"})
    Funnel.objects.get_or_create(slug="other", defaults={"name": "Other"})
    channel = services.create_channel(name="Warehouse", kind="postback", url=url, by="test")
    # Nobody listens there, so what is told to it is to be told again.
    away = services.create_channel(name="Away", kind="postback", url="http://127.0.0.1:1/", by="test")
    alert_targets.choose(channel_id=away.pk, by="test")
    for event_type in EVENT_TYPES.values():
        services.set_event_type_enabled(event_type=event_type, enabled=True, by="test")
        services.attach_channel(event_type=event_type, channel_id=channel.pk, sources=["shop", "funnel"], by="test")

    order = place(contact_input(), item("mug"), item("club"), source="funnel")
    pay(order, "21.50", "r1")
    shop.reach_thank_you(number=order.number)
    refund(order, "1")
    shop.set_tracking(number=order.number, tracking=TrackingInput(carrier="UPS", number="1Z"))
    shop.cancel_subscription(subscription_id=Subscription.objects.get(order=order).pk)
    shop.complete_survey(slug="how", source="shop", answers={}, email="bob@example.com")
    services.send_test(channel_id=channel.pk, event_type=EVENT_TYPES["order.completed"], by="test")

    _, key = create_key(name="Shop", scopes=["storefront"])
    call = Caller(key, Client(SERVER_NAME="localhost"))
    asked = {"source": "shop", "email": "eve@example.com", "first_name": "Eve", "last_name": "B"}
    answers = [
        call("POST", "/contacts", asked, headers={"Idempotency-Key": "one"}, SERVER_NAME="localhost") for _ in "ab"
    ]
    assert [answer.status_code for answer in answers] == [201, 201], answers[0].content
    assert purge_idempotency_records() == 0
    record, _ = create_key(name="Old", scopes=["storefront"])
    revoke_key(record)

    services.rotate_secret(channel_id=channel.pk, overlap=timedelta(hours=24), by="test")
    pause_channel(channel_id=channel.pk, reason="For a while.", by="test")
    send_alerts()
    services.resume_channel(channel_id=channel.pk, by="test")
    failed = {"status": "failed", "next_attempt_at": None, "finished_at": Now()}
    Delivery.objects.filter(event_type="order.completed").exclude(next_trigger="test").update(**failed)
    retried = Delivery.objects.filter(status="failed").latest("pk")
    services.retry_delivery(delivery_id=retried.pk, by="test")
    Delivery.objects.filter(pk=retried.pk).update(**failed)
    start_replay(channel_id=channel.pk, since=retried.created_at, by="test")
    pause_channel(channel_id=channel.pk, reason="Once more.", by="test")
    send_due()
    erasure.erase("bob@example.com", by="test")
    assert purge() == 0
    services.archive_channel(channel_id=channel.pk, by="test")


if __name__ == "__main__":
    django.setup()
    main(sys.argv[1])
