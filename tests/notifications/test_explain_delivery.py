"""`manage.py explain_delivery`: one delivery from its event to what comes next, and nothing written or given away."""

import re
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django.utils import timezone

from channels_app.models import Channel
from channels_app.services import create_channel, pause_channel
from notifications import erasure, services
from notifications.database_time import database_now
from notifications.models import ChannelHealth, Delivery, DeliveryAttempt, Event
from notifications.next_steps import next_steps
from tests.notifications.deliveries import claim_all, let_leases_run_out, make_delivery
from tests.orders.shop import item, pay, place

HOOK = "https://hooks.zapier.example/hooks/catch/12345/recognisable0key0/?token=recognisable1"
FINISHED: dict[str, Any] = {"next_attempt_at": None, "finished_at": Now()}
FAILED: dict[str, Any] = {
    "status": "failed",
    "attempts_made": 1,
    "outcome": "http_error",
    "status_code": 503,
    **FINISHED,
}
COULD_BE_SENT = (
    "It could be sent now: a worker claims it by the doorbell, or by its sweep within 0.05 s. "
    "If it stays here, see `manage.py check_delivery`."
)
BY_HAND = "Manual retry: staff may press Retry, or call POST /api/v1/deliveries/{id}/retry."
REPLAY = "Replay: a replay of the channel since before it failed takes it along."


def run(delivery_id: str) -> str:
    out = StringIO()
    call_command("explain_delivery", delivery_id, stdout=out)
    return out.getvalue()


def steps(delivery: Delivery) -> list[str]:
    found = Delivery.objects.select_related("event", "channel__health").get(pk=delivery.pk)
    return next_steps(found, now=database_now())


@pytest.mark.django_db(transaction=True)
class TestTheWholeStory:
    def test_a_delivery_that_failed_twice(self, engine, receiver, channel, attach, lead, mug, settings):
        settings.POSTBACK_RETRY_DELAYS_SECONDS = [60.0, 300.0]
        attach(channel, "order.completed")
        idle = create_channel(name="Ledger", kind="postback", url="https://example.com/")
        attach(idle, "order.completed", sources=("admin",))
        receiver.answer = lambda request: 503
        order = place(lead, item("mug"))
        pay(order)
        engine.deliver_due()
        Delivery.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))
        engine.deliver_due()
        delivery = Delivery.objects.get()
        event = Event.objects.get(type="order.completed")

        told = run(delivery.pk)

        due = f"{delivery.next_attempt_at:%Y-%m-%d %H:%M:%S}Z"
        told = re.sub(r"in (29\d|3\d\d) s", "in N s", told)
        told = re.sub(r"\d+ ms", "N ms", told)
        first, second = delivery.attempts.all()
        assert told.splitlines() == [
            f"Event {event.pk}",
            "  type      order.completed",
            "  source    shop",
            f"  recorded  {event.created_at:%Y-%m-%d %H:%M:%S}Z",
            f"  order     {order.number}",
            f"  contact   {lead.pk}",
            f"  body      {len(event.body.encode())} bytes",
            "",
            "Routing (channels attached to the event type when the event was recorded)",
            f"  {channel.pk}  Warehouse  delivered: A delivery was made, {delivery.pk}  <- this delivery",
            f"  {idle.pk}  Ledger  source_not_chosen: The channel does not listen to this source",
            "",
            f"Delivery {delivery.pk}",
            f"  channel   {channel.pk}  Warehouse (Postback, active)",
            f"  address   {receiver.url}",
            "  status    pending",
            "  outcome   http_error 503",
            f"  error     {delivery.error}",
            f"  recorded  {delivery.created_at:%Y-%m-%d %H:%M:%S}Z",
            "",
            "Attempts",
            f"  1  first      {first.started_at:%Y-%m-%d %H:%M:%S}Z  http_error 503  N ms",
            f"     {receiver.url}",
            f"     {first.error}",
            f"  2  automatic  {second.started_at:%Y-%m-%d %H:%M:%S}Z  http_error 503  N ms",
            f"     {receiver.url}",
            f"     {second.error}",
            "",
            "Next",
            f"  Attempt 3 is due at {due}, in N s. It is automatic retry 2 of 2: {delivery.error}",
        ]
        assert delivery.error

    def test_it_writes_nothing_not_even_by_mistake(self, channel, monkeypatch):
        delivery = make_delivery(channel)
        monkeypatch.setattr(
            "notifications.management.commands.explain_delivery.next_steps",
            lambda *_args, **_kwargs: [str(Delivery.objects.update(error="touched"))],
        )
        with pytest.raises(Exception, match="read-only transaction"):
            run(delivery.pk)
        delivery.refresh_from_db()
        assert delivery.error == ""


@pytest.mark.django_db
def test_one_that_is_not_there_is_named():
    with pytest.raises(CommandError, match="There is no delivery dlv_0"):
        run("dlv_0")


@pytest.mark.django_db
def test_no_secret_is_printed():
    zap = services.create_channel(name="Zap", kind="postback", url=HOOK, url_is_secret=True, by="ada")
    zap.headers = {"X-Key": "recognisable2"}
    zap.save()
    delivery = make_delivery(zap)
    Event.objects.update(body='{"who": "recognisable3"}')
    DeliveryAttempt.objects.create(
        delivery=delivery, number=1, trigger="first", url=HOOK, request_headers={"X-Key": "recognisable2"},
        response_headers={"X-Echo": "recognisable4"}, response_body="recognisable5",
    )  # fmt: skip
    told = run(delivery.pk)
    assert "recognisable" not in told
    assert zap.secret not in told
    assert told.count("https://hooks.zapier.example/********") == 2


@pytest.mark.django_db
def test_a_receivers_words_do_not_steer_the_terminal(channel):
    delivery = make_delivery(channel, error="It said \x1b[2Jgone.\nNext")
    assert "  error     It said \N{REPLACEMENT CHARACTER}[2Jgone.\N{REPLACEMENT CHARACTER}Next\n" in run(delivery.pk)


@pytest.mark.django_db
class TestWhatComesNext:
    def test_a_first_attempt_that_nothing_keeps(self, channel):
        assert steps(make_delivery(channel)) == ["Attempt 1 is due. It is the first attempt.", COULD_BE_SENT]

    def test_in_flight(self, channel):
        delivery = make_delivery(channel)
        assert claim_all() == [delivery.pk]
        (sentence,) = steps(delivery)
        assert re.fullmatch(
            r"Attempt 1 is in flight under a lease until \S+ \S+Z\. If its worker dies, the row is due again then\.",
            sentence,
        )

    def test_a_lease_that_ran_out(self, channel):
        delivery = make_delivery(channel)
        claim_all()
        let_leases_run_out()
        (sentence,) = steps(delivery)
        assert sentence.startswith("The lease of attempt 1 ran out at ")
        assert sentence.endswith("The next sweep of a worker closes the attempt as unknown.")

    def test_held(self, channel):
        delivery = make_delivery(channel)
        pause_channel(channel_id=channel.pk, reason="moving house")
        assert steps(delivery) == [
            "It is held: the channel is paused (moving house). It is due once somebody resumes the channel."
        ]
        assert claim_all() == []

    def test_a_deleted_channel(self, channel):
        delivery = make_delivery(channel)
        Channel.objects.filter(pk=channel.pk).update(archived_at=Now())
        assert steps(delivery) == ["The channel is deleted: the next sweep of a worker fails this delivery."]

    def test_back_off(self, channel):
        delivery = make_delivery(channel)
        health = ChannelHealth.objects.create(channel=channel, failures_in_row=5, probe_at=Now() + timedelta(hours=1))
        (_, sentence) = steps(delivery)
        assert sentence.startswith("The channel is in back-off after 5 failures in a row: its next probe goes at ")
        assert claim_all() == []
        health.probe_at = None
        health.save()
        assert steps(delivery)[1] == COULD_BE_SENT
        make_delivery(channel, lease_token=uuid4(), lease_expires_at=Now() + timedelta(minutes=1))
        assert steps(delivery)[1] == (
            "The channel is in back-off after 5 failures in a row: one probe at a time, and one is in flight."
        )
        assert claim_all() == []

    @pytest.mark.parametrize(("own", "cap"), [(None, 2), (1, 1), (7, 2)])
    def test_the_cap(self, channel, settings, own, cap):
        settings.CHANNEL_CONCURRENCY = 2
        ChannelHealth.objects.create(channel=channel, in_flight_cap=own)
        delivery = make_delivery(channel)
        for _ in range(cap):
            assert steps(delivery)[1] == COULD_BE_SENT
            make_delivery(channel, lease_token=uuid4(), lease_expires_at=Now() + timedelta(minutes=1))
        assert steps(delivery)[1] == f"The channel is at its cap: {cap} of {cap} in flight."
        assert claim_all() == []

    def test_tests_have_a_cap_of_their_own_and_know_neither_pause_nor_back_off(self, channel):
        pause_channel(channel_id=channel.pk, reason="moving house")
        ChannelHealth.objects.create(channel=channel, failures_in_row=9, probe_at=Now() + timedelta(hours=1))
        delivery = make_delivery(channel, next_trigger="test")
        assert steps(delivery) == [
            "Attempt 1 is due. It is a test, which is sent once, outside every rate.",
            COULD_BE_SENT,
        ]
        for _ in range(2):
            leased = {"lease_token": uuid4(), "lease_expires_at": Now() + timedelta(minutes=1)}
            make_delivery(channel, next_trigger="test", **leased)
        assert steps(delivery)[1] == "The channel is at its cap: 2 of 2 in flight."
        assert claim_all() == []

    @pytest.mark.parametrize(
        ("trigger", "why"),
        [
            ("manual", "A person retried it, so it goes before all others of its channel."),
            ("recovered", "The worker of the attempt before died, so it is claimed alone."),
            ("replay", "A replay of the channel took it along."),
        ],
    )
    def test_why_there_is_a_further_attempt(self, channel, trigger, why):
        delivery = make_delivery(channel, next_trigger=trigger, attempts_made=4)
        assert steps(delivery)[0] == f"Attempt 5 is due. {why}"

    def test_what_the_receiver_has(self, channel):
        assert steps(make_delivery(channel, status="succeeded", **FINISHED)) == ["Nothing: the receiver has it."]

    @pytest.mark.parametrize(
        ("fields", "why"),
        [
            ({"automatic_retries": 3}, "No attempt follows: all 3 automatic retries are used."),
            (
                {"status_code": 404, "automatic_retries": 1},
                "No attempt follows: the outcome http_error 404 is not retried automatically.",
            ),
            (
                {"outcome": "timeout", "status_code": None},
                "No attempt follows: the outcome timeout is not retried automatically.",
            ),
            (
                {"outcome": "unknown", "status_code": None, "unknowns_in_row": 3},
                "No attempt follows: 3 workers in a row died with it.",
            ),
            (
                {"attempts_made": 0, "outcome": "internal_error", "error": "The body could not be built."},
                "It failed without an attempt: The body could not be built.",
            ),
        ],
    )
    def test_why_one_has_failed(self, channel, fields: dict[str, Any], why):
        delivery = make_delivery(channel, **{**FAILED, **fields})
        assert steps(delivery) == [why, BY_HAND, REPLAY]
        services.retry_delivery(delivery_id=delivery.pk, by="ada")

    def test_where_a_manual_retry_is_refused(self, channel):
        delivery = make_delivery(channel, event_type="contact.created", **FAILED, automatic_retries=3)
        assert steps(delivery)[1:] == ["Manual retry: refused. Contact created has no manual retry.", REPLAY]

    def test_a_body_that_was_not_built_is_no_part_of_a_replay(self, channel):
        delivery = make_delivery(channel, **FAILED)
        Event.objects.update(body=None)
        assert steps(delivery)[1:] == [BY_HAND]

    def test_a_test_that_failed(self, channel):
        event = Event.objects.create(id="evt_test_01", type="order.completed", source="shop", body="{}")
        delivery = Delivery.objects.create(event=event, event_type=event.type, channel=channel, **FAILED)
        assert steps(delivery) == [
            "No attempt follows: a test is sent once.",
            "Manual retry: refused. It is a test. Send another one.",
        ]

    def test_of_a_deleted_channel_and_of_an_erased_person(self, channel: Channel):
        delivery = make_delivery(channel, **FAILED)
        Event.objects.update(erased_at=Now())
        assert steps(delivery) == [
            "No attempt follows: the person whom it tells of was erased.",
            f"Manual retry: refused. {erasure.ERASED}",
        ]
        Channel.objects.filter(pk=channel.pk).update(archived_at=Now())
        assert steps(delivery)[0] == "No attempt follows: the channel is deleted."
