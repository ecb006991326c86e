"""The whole demo: its own channels, the engine, its own receivers over HTTP, and its outbox."""

from collections import Counter
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from backoffice.accounts.demo_login import DEMO_LOGIN
from channels_app.models import Channel
from demo.models import KeptMail, ReceivedPostback, SlackMessage
from demo.outbox import BACKEND
from notifications import alert_raising
from notifications.events import EVENT_TYPES
from notifications.models import Delivery
from notifications.services import retry_delivery
from notifications.tasks import send_alerts
from tests.notifications.conftest import engine, quick_delivery
from tests.notifications.deliveries import story
from tests.waiting import wait_until

__all__ = ["engine", "quick_delivery"]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_demo_shows_every_status_and_outcome_and_what_failed_arrives_after_a_repair(
    live_server, engine, settings, monkeypatch
):
    monkeypatch.setattr(alert_raising, "TOGETHER_WITHIN", timedelta())
    settings.PUBLIC_URL = f"http://127.0.0.1:{live_server.thread.port}"
    settings.EMAIL_BACKEND = BACKEND
    call_command("load_demo", stdout=StringIO())

    def nothing_is_due() -> bool:
        engine.deliver_due()
        waiting = Delivery.objects.filter(status="pending", next_trigger__in=["first", "automatic"])
        return not waiting.filter(channel__paused_at=None, next_attempt_at__lte=timezone.now()).exists()

    wait_until(nothing_is_due)
    assert Counter(
        (delivery.channel.name, delivery.shown_status, delivery.outcome, delivery.status_code, delivery.attempts_made)
        for delivery in Delivery.objects.select_related("channel")
    ) == {
        ("Local receiver", "succeeded", "succeeded", 200, 1): 55,
        ("Failing receiver (503)", "failed", "http_error", 503, 4): 5,
        ("Busy receiver (503, try in an hour)", "pending", "http_error", 503, 1): 3,
        ("Moved receiver (404)", "failed", "http_error", 404, 1): 2,
        ("Gone receiver (410 pauses it)", "failed", "gone", 410, 1): 1,
        ("Nobody listens (connection error)", "failed", "connection_error", None, 4): 1,
        ("Internal address (blocked)", "failed", "blocked", None, 1): 3,
        ("Bookkeeping (paused)", "held", "", None, 0): 3,
        ("Back office team", "succeeded", "succeeded", None, 1): 16,
        ("Sales on Slack", "succeeded", "succeeded", 200, 1): 20,
        ("Slack channel that was removed (404)", "failed", "http_error", 404, 1): 1,
    }
    succeeded = Delivery.objects.filter(channel__name="Local receiver", status="succeeded")
    assert set(succeeded.values_list("event_type", flat=True)) == set(EVENT_TYPES)
    assert dict(Channel.objects.exclude(paused_at=None).values_list("name", "pause_reason")) == {
        "Gone receiver (410 pauses it)": "The receiver answered 410 Gone: it wants no more messages.",
        "Bookkeeping (paused)": "The bookkeeping moves to a new server. Resume when it is done.",
    }
    assert Counter(
        ReceivedPostback.objects.values_list("receiver", "signature_holds", "answered", "times_received")
    ) == {
        ("warehouse", True, 200, 1): 55,
        ("failing", True, 503, 4): 5,
        ("busy", True, 503, 1): 3,
        ("moved", True, 404, 1): 2,
        ("gone", True, 410, 1): 1,
    }
    assert Counter(SlackMessage.objects.values_list("receiver", "answered", "answer")) == {
        ("sales", 200, "ok"): 20,
        ("removed", 404, "no_service"): 1,
    }
    to_the_team = KeptMail.objects.filter(recipients=["olga.berg@example.com", "back-office@example.com"])
    assert Counter(to_the_team.values_list("times_received", flat=True)) == {1: 16}
    send_alerts()
    engine.deliver_due()
    alerts = KeptMail.objects.filter(recipients=["admin@example.com"])
    told = " ".join(alerts.values_list("subject", flat=True))
    assert [name for name in ("Failing receiver", "Gone receiver", "Local receiver") if name in told] == [
        "Failing receiver",
        "Gone receiver",
    ]

    failed = Delivery.objects.filter(channel__name="Failing receiver (503)", event_type="refund.applied").first()
    assert failed is not None
    staff = Client()
    username, password = DEMO_LOGIN
    assert staff.post("/admin/login/", {"username": username, "password": password}).status_code == 302
    staff.post("/demo/receiver/failing/repair/", {"works": "yes"})
    retry_delivery(delivery_id=failed.pk, by="admin")
    engine.deliver_due()

    failed.refresh_from_db()
    assert failed.status == "succeeded"
    assert story(failed) == [
        (1, "first", "http_error", 503),
        (2, "automatic", "http_error", 503),
        (3, "automatic", "http_error", 503),
        (4, "automatic", "http_error", 503),
        (5, "manual", "succeeded", 200),
    ]
    arrived = ReceivedPostback.objects.get(receiver="failing", webhook_id=failed.event_id)
    assert (arrived.times_received, arrived.answered, arrived.signature_holds) == (5, 200, True)
