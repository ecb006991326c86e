"""The whole demo: its own channels, the engine, and its own receivers over HTTP."""

from collections import Counter
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from config.demo.management.commands.load_demo import DEMO_LOGIN
from config.demo.models import ReceivedPostback
from notifications.models import Delivery
from notifications.services import retry_delivery
from tests.notifications.conftest import engine, quick_delivery
from tests.notifications.deliveries import story
from tests.waiting import wait_until

__all__ = ["engine", "quick_delivery"]


@pytest.mark.django_db(transaction=True)
def test_what_the_demo_sends_arrives_signed_and_what_failed_arrives_after_a_repair(live_server, engine, settings):
    settings.PUBLIC_URL = f"http://127.0.0.1:{live_server.thread.port}"
    call_command("load_demo", stdout=StringIO())

    def all_finished() -> bool:
        engine.deliver_due()
        return not Delivery.objects.filter(status="pending").exists()

    wait_until(all_finished)
    assert Counter(Delivery.objects.values_list("channel__name", "status")) == {
        ("Local receiver", "succeeded"): 41,
        ("Failing receiver", "failed"): 4,
    }
    assert Counter(
        ReceivedPostback.objects.values_list("receiver", "signature_holds", "answered", "times_received")
    ) == {("warehouse", True, 200, 1): 41, ("failing", True, 503, 4): 4}

    failed = Delivery.objects.filter(channel__name="Failing receiver", event_type="refund.applied").first()
    assert failed is not None
    staff = Client()
    assert staff.login(username=DEMO_LOGIN[0], password=DEMO_LOGIN[1])
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
