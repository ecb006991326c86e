"""What must be so of every kind of channel. A further kind runs through all of it with its receiver in `receivers`."""

import threading
from datetime import timedelta

import pytest
from django.contrib.admin.utils import quote
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from channels_app.models import Channel
from channels_app.services import create_channel, update_channel
from channels_app.transports import TRANSPORTS, Message, Outcome, takes
from notifications import services
from notifications.delivery.maintenance import CHANNEL_DELETED, recover
from notifications.errors import Conflict
from notifications.events import EVENT_TYPES
from notifications.events.bodies import sample_body
from notifications.models import ChannelHealth, ChannelHour, Delivery, DeliveryAttempt, Event, EventChannel
from notifications.notices import notice_of
from notifications.receivers import route
from notifications.replay import advance, start_replay
from tests.channels_app.kinds.conftest import use
from tests.channels_app.kinds.receivers import BUSY, HANGS_UP, NEVER, RECEIVERS, TAKEN
from tests.notifications.deliveries import claim_all, let_leases_run_out, make_due, story
from tests.orders.shop import item, place
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
FOR_ALL = [key for key, event_type in EVENT_TYPES.items() if not event_type.postback_only]
OUTCOMES_OF_A_REFUSAL = {Outcome.HTTP_ERROR, Outcome.REFUSED}
GIVEN = {"url": "https://example.com/hook", "headers": {"X-Key": "1"}, "recipients": ["ada@example.com"]}


def make_delivery(channel: Channel, key: str = "order.completed", **fields: object) -> Delivery:
    """A due delivery of a sample of this event type."""
    event = Event(type=key, source="funnel", created_at=timezone.now())
    event.body = sample_body(EVENT_TYPES[key], event_id=event.pk, created_at=event.created_at)
    event.save(force_insert=True)
    return Delivery.objects.create(event=event, event_type=key, channel=channel, **fields)


def outcomes(delivery: Delivery) -> list[str]:
    return [outcome for _, _, outcome, _ in story(delivery)]


def status(delivery: Delivery) -> str:
    delivery.refresh_from_db()
    return delivery.status


class TestRegistry:
    def test_it_is_registered_under_its_own_name_and_everything_else_knows_it(self):
        assert {kind: transport.kind for kind, transport in TRANSPORTS.items()} == {kind: kind for kind in TRANSPORTS}
        assert set(RECEIVERS) == set(TRANSPORTS)
        assert all(0 < len(kind) <= 20 and transport.label for kind, transport in TRANSPORTS.items())

    def test_every_event_type_but_the_postback_only_ones_takes_it(self, kind):
        refusing = [key for key, event_type in EVENT_TYPES.items() if kind not in event_type.kinds]
        assert refusing == ([] if kind == "postback" else ["customer.created", "survey.completed"])


class TestMaking:
    @pytest.mark.django_db
    def test_what_the_kind_needs_is_asked_for_and_what_it_does_not_take_is_refused(self, kind):
        wanted = takes(kind)
        needed = {name for name in ("url", "recipients") if getattr(wanted, name)}
        with pytest.raises(ValidationError) as missing:
            create_channel(name="Warehouse", kind=kind)
        assert set(missing.value.message_dict) == needed
        for name, value in GIVEN.items():
            if not getattr(wanted, name):
                with pytest.raises(ValidationError) as refused:
                    create_channel(
                        name="Warehouse", kind=kind, **{each: GIVEN[each] for each in needed}, **{name: value}
                    )
                assert set(refused.value.message_dict) == {name}
        assert not Channel.objects.exists()

    @pytest.mark.django_db
    def test_what_was_given_is_kept_and_changed(self, kind):
        wanted = takes(kind)
        given = {name: value for name, value in GIVEN.items() if getattr(wanted, name)}
        channel = create_channel(name="Warehouse", kind=kind, **given)
        destination = Channel.objects.get(pk=channel.pk).destination()
        assert (destination.url, destination.headers, list(destination.recipients)) == (
            given.get("url", ""),
            given.get("headers", {}),
            given.get("recipients", []),
        )
        assert bool(destination.secrets) == wanted.signing_secret
        update_channel(channel_id=channel.pk, name="Depot")
        assert Channel.objects.get().destination() == destination
        if wanted.url:
            update_channel(channel_id=channel.pk, url="https://example.org/other")
            assert Channel.objects.get().destination().url == "https://example.org/other"
        if wanted.recipients:
            update_channel(channel_id=channel.pk, recipients=["bob@example.com", "Bob@Example.com "])
            assert Channel.objects.get().destination().recipients == ("bob@example.com",)

    @pytest.mark.django_db
    def test_a_secret_url_is_stored_and_shown_nowhere_in_clear(self, kind):
        if not takes(kind).secret_url:
            pytest.skip("Its URL is no secret.")
        channel = create_channel(name="Sales", kind=kind, url="https://hooks.example.com/services/T0/B0/recognisable")
        assert channel.url == channel.address == "https://hooks.example.com/********"
        with connection.cursor() as cursor:
            cursor.execute("SELECT row_to_json(channels_app_channel)::text FROM channels_app_channel")
            assert "recognisable" not in cursor.fetchone()[0]
        assert "recognisable" not in repr(channel.destination())
        with pytest.raises(ValidationError) as refused:
            update_channel(channel_id=channel.pk, url=channel.url)
        assert set(refused.value.message_dict) == {"url"}
        assert Channel.objects.get().whole_url == "https://hooks.example.com/services/T0/B0/recognisable"


class TestAnswers:
    def test_each_event_type_arrives(self, engine, receiver, channel):
        made = [make_delivery(channel, key) for key in FOR_ALL]
        engine.deliver_due()
        assert sorted((arrived.kind, arrived.path, arrived.event) for arrived in receiver.received) == sorted(
            (channel.kind, "/hook", delivery.event_id) for delivery in made
        )
        for delivery in made:
            assert outcomes(delivery) == ["succeeded"]
            assert (status(delivery), delivery.error) == ("succeeded", "")
        hour = ChannelHour.objects.get(channel=channel)
        assert (hour.succeeded, hour.failed, sum(hour.latencies)) == (len(made), 0, len(made))

    def test_people_are_led_to_the_order_and_the_contact(self, engine, receiver, channel, lead, mug, settings):
        settings.PUBLIC_URL = "https://tidings.example.com"
        delivery = make_delivery(channel)
        order = place(lead, item("mug"))
        Event.objects.update(order=order, contact=lead)
        engine.deliver_due()
        assert outcomes(delivery) == ["succeeded"]
        (arrived,) = receiver.received
        for page in (f"/admin/orders/order/{order.pk}/change/", f"/admin/orders/contact/{quote(lead.pk)}/change/"):
            assert (f"https://tidings.example.com{page}" in arrived.body) == (channel.kind != "postback")

    def test_not_now_is_tried_again_under_the_same_name(self, engine, receiver, channel):
        answers = iter([BUSY, BUSY, TAKEN])
        receiver.answer = lambda _: next(answers)
        delivery = make_delivery(channel)
        engine.deliver_due()
        assert [trigger for _, trigger, _, _ in story(delivery)] == ["first", "automatic", "automatic"]
        assert set(outcomes(delivery)[:2]) <= OUTCOMES_OF_A_REFUSAL
        assert status(delivery) == "succeeded"
        assert len(receiver.received) == 3
        assert len({(arrived.name, arrived.body) for arrived in receiver.received}) == 1

    def test_not_now_is_tried_three_times_again_at_most(self, engine, receiver, channel):
        receiver.answer = lambda _: BUSY
        delivery = make_delivery(channel)
        engine.deliver_due()
        assert (len(story(delivery)), status(delivery)) == (4, "failed")
        assert delivery.error
        assert ChannelHealth.objects.get().failures_in_row == 4

    def test_never_fails_at_once_with_a_sentence(self, engine, receiver, channel):
        receiver.answer = lambda _: NEVER
        delivery = make_delivery(channel)
        engine.deliver_due()
        (outcome,) = outcomes(delivery)
        assert outcome in OUTCOMES_OF_A_REFUSAL
        assert status(delivery) == "failed"
        assert delivery.error.endswith(".")
        assert ChannelHealth.objects.get().latest_error == delivery.error

    def test_who_hangs_is_cut_at_the_deadline_and_not_tried_again(self, engine, receiver, channel, settings):
        settings.POSTBACK_TIMEOUT_SECONDS = 0.5
        ended = threading.Event()
        receiver.answer = lambda _: TAKEN if ended.wait(20) else NEVER
        delivery = make_delivery(channel)
        engine.deliver_due()
        ended.set()
        assert (outcomes(delivery), status(delivery)) == (["timeout"], "failed")
        assert delivery.error.startswith("The 0.5 s for one attempt were over while ")
        assert 500 <= delivery.attempts.get().duration_ms < 5000
        assert ChannelHealth.objects.get().in_flight_cap == 1

    def test_who_hangs_up_without_an_answer_is_tried_again(self, engine, receiver, channel):
        answers = iter([HANGS_UP, TAKEN])
        receiver.answer = lambda _: next(answers)
        delivery = make_delivery(channel)
        engine.deliver_due()
        assert (outcomes(delivery), status(delivery)) == (["connection_error", "succeeded"], "succeeded")

    def test_nobody_listens(self, engine, receiver, settings):
        channel = create_channel(name="Nowhere", **receiver.nowhere())
        use(receiver, settings)
        delivery = make_delivery(channel)
        engine.deliver_due()
        assert (outcomes(delivery), status(delivery)) == (["connection_error"] * 4, "failed")
        assert delivery.error.startswith("Nothing listens on 127.0.0.1 port ")

    def test_it_sends_without_a_database(self, receiver, channel):
        destination = Channel.objects.get(pk=channel.pk).destination()
        body = sample_body(EVENT_TYPES["order.completed"], event_id="evt_0")
        message = Message("evt_0", body.encode(), "dlv_0", lambda: notice_of(body, order_id=1, contact_id="con_1"))
        seen = []

        def send() -> None:
            transport = TRANSPORTS[channel.kind]
            seen.append(transport.send(destination, message, now=timezone.now(), timeout=30).outcome)
            seen.append(connection.connection)

        thread = threading.Thread(target=send)
        thread.start()
        thread.join(20)
        assert seen == [Outcome.SUCCEEDED, None]

    def test_what_cannot_be_put_in_words_is_our_fault_and_tried_again(self, engine, receiver, channel):
        """A postback needs no words."""
        delivery = make_delivery(channel)
        Event.objects.update(body="{")
        engine.deliver_due()
        broken = (["internal_error"] * 4, "failed")
        assert (outcomes(delivery), status(delivery)) == (
            (["succeeded"], "succeeded") if channel.kind == "postback" else broken
        )
        assert not ChannelHealth.objects.exists()


class TestLife:
    def test_a_paused_channel_holds_and_a_resumed_one_sends(self, engine, receiver, channel):
        services.pause_channel(channel_id=channel.pk, reason="Maintenance.", by="ada")
        made = [make_delivery(channel) for _ in range(3)]
        engine.deliver_due()
        assert receiver.received == []
        services.resume_channel(channel_id=channel.pk, by="ada")
        engine.deliver_due()
        assert [status(delivery) for delivery in made] == ["succeeded"] * 3
        assert sorted(arrived.event for arrived in receiver.received) == sorted(each.event_id for each in made)

    def test_a_person_retries_what_failed_of_the_four_event_types(self, engine, receiver, channel):
        receiver.answer = lambda _: NEVER
        made = {key: make_delivery(channel, key) for key in FOR_ALL}
        for _ in made:
            services.probe_now(channel_id=channel.pk)
            engine.deliver_due()
        receiver.answer = lambda _: TAKEN
        retried = set()
        for key, delivery in made.items():
            assert status(delivery) == "failed"
            if EVENT_TYPES[key].manual_retry:
                services.retry_delivery(delivery_id=delivery.pk, by="ada")
                retried.add(key)
            else:
                with pytest.raises(Conflict):
                    services.retry_delivery(delivery_id=delivery.pk, by="ada")
        engine.deliver_due()
        assert retried == {"order.completed", "transaction.declined", "refund.applied", "transaction.approved"}
        assert {key: [trigger for _, trigger, _, _ in story(delivery)] for key, delivery in made.items()} == {
            key: ["first", "manual"] if key in retried else ["first"] for key in made
        }
        assert {key for key, delivery in made.items() if status(delivery) == "succeeded"} == retried

    def test_a_replay_sends_again_what_failed(self, engine, receiver, channel):
        receiver.answer = lambda _: NEVER
        made = [make_delivery(channel, key) for key in FOR_ALL]
        for _ in made:
            services.probe_now(channel_id=channel.pk)
            engine.deliver_due()
        receiver.answer = lambda _: TAKEN
        services.probe_now(channel_id=channel.pk)
        start_replay(channel_id=channel.pk, since=timezone.now() - timedelta(hours=1), by="ada")
        advance()
        engine.deliver_due()
        assert [status(delivery) for delivery in made] == ["succeeded"] * len(FOR_ALL)
        assert [story(delivery)[-1][1] for delivery in made] == ["replay"] * len(FOR_ALL)

    @pytest.mark.parametrize("answer", [TAKEN, BUSY])
    def test_a_test_is_sent_once_also_on_a_paused_channel(self, engine, receiver, channel, answer):
        receiver.answer = lambda _: answer
        services.pause_channel(channel_id=channel.pk, reason="Maintenance.", by="ada")
        test = services.send_test(channel_id=channel.pk, event_type=EVENT_TYPES["refund.applied"], by="ada")
        engine.deliver_due()
        assert status(test) == ("succeeded" if answer == TAKEN else "failed")
        (arrived,) = receiver.received
        assert arrived.event == test.event_id
        assert arrived.event.startswith("evt_test_")
        assert not ChannelHour.objects.exists()

    def test_what_a_dead_worker_held_is_sent_again_under_the_same_name(self, engine, receiver, channel):
        delivery = make_delivery(channel)
        assert claim_all() == [delivery.pk]
        let_leases_run_out()
        assert recover() == 1
        engine.deliver_due()
        assert outcomes(delivery) == ["unknown", "succeeded"]
        assert [arrived.event for arrived in receiver.received] == [delivery.event_id]

    def test_a_deleted_channel_gets_nothing_more(self, engine, receiver, channel):
        delivery = make_delivery(channel)
        services.archive_channel(channel_id=channel.pk, by="ada")
        engine.deliver_due()
        assert (status(delivery), delivery.error) == ("failed", CHANNEL_DELETED)
        assert receiver.received == []

    def test_a_further_attempt_follows_a_changed_destination(self, engine, receiver, channel):
        receiver.answer = lambda _: NEVER
        delivery = make_delivery(channel)
        engine.deliver_due()
        receiver.answer = lambda _: TAKEN
        moved = {name: value for name, value in receiver.channel("/moved").items() if name != "kind"}
        services.update_channel(channel_id=channel.pk, by="ada", **moved)
        services.retry_delivery(delivery_id=delivery.pk, by="ada")
        engine.deliver_due()
        assert [arrived.path for arrived in receiver.received] == ["/hook", "/moved"]


class TestIsolation:
    def test_a_hanging_channel_does_not_hold_up_another_of_its_kind(self, engine, receiver, channel, settings):
        go_on = threading.Event()
        receiver.answer = lambda arrived: TAKEN if arrived.path != "/stuck" or go_on.wait(20) else NEVER
        stuck = create_channel(name="Stuck", **receiver.channel("/stuck"))
        for _ in range(8):
            make_delivery(stuck)
        thread = threading.Thread(target=engine.deliver_due)
        thread.start()
        wait_until(lambda: len(receiver.received) == 8)
        for _ in range(30):
            make_delivery(channel)
        wait_until(lambda: Delivery.objects.filter(channel=channel, status="succeeded").count() == 30)
        assert Delivery.objects.filter(channel=stuck, status="pending").count() == 8
        go_on.set()
        thread.join(20)
        assert Delivery.objects.filter(status="succeeded").count() == 38

    def test_at_most_the_cap_is_in_flight_at_once_and_all_of_it_is_used(self, engine, receiver, channel, settings):
        settings.CHANNEL_CONCURRENCY = 3
        lock, together, open_now, most = threading.Lock(), threading.Barrier(3, timeout=20), [0], [0]

        def answer(_: object) -> int:
            with lock:
                open_now[0] += 1
                most[0] = max(most[0], open_now[0])
            together.wait()
            with lock:
                open_now[0] -= 1
            return TAKEN

        receiver.answer = answer
        for _ in range(9):
            make_delivery(channel)
        engine.deliver_due()
        assert (most, len(receiver.received)) == ([3], 9)

    def test_a_failing_channel_is_probed_by_one_at_a_time(self, engine, receiver, channel, settings):
        settings.POSTBACK_RETRY_DELAYS_SECONDS = [600.0]
        receiver.answer = lambda _: BUSY
        made = [make_delivery(channel) for _ in range(20)]
        engine.deliver_due()
        assert ChannelHealth.objects.get().failing
        assert {status(delivery) for delivery in made} == {"pending"}
        make_due()
        services.probe_now(channel_id=channel.pk)
        assert len(claim_all()) == 1


class TestRouting:
    @pytest.mark.parametrize("key", ["customer.created", "survey.completed"])
    def test_postback_only_event_types_refuse_it_at_attaching_and_at_routing(self, kind, receiver, channel, key):
        event_type = EVENT_TYPES[key]
        attach = {"event_type": event_type, "channel_id": channel.pk, "sources": ["shop"], "by": "ada"}
        if kind == "postback":
            services.attach_channel(**attach)
            return
        with pytest.raises(ValidationError) as refused:
            services.attach_channel(**attach)
        assert refused.value.message_dict == {"channel": [f"{event_type.label} takes postback channels only."]}
        with pytest.raises(ValidationError):
            services.send_test(channel_id=channel.pk, event_type=event_type, by="ada")
        assert not DeliveryAttempt.objects.exists()
        assert not Event.objects.exists()
        # Attached before the event type was for postbacks only.
        services.set_event_type_enabled(event_type=event_type, enabled=True, by="ada")
        EventChannel.objects.create(event_type=key, channel=channel, sources=["shop"])
        (routed,) = route(event_type, source="shop")
        assert (routed.outcome, routed.delivery) == ("kind_not_allowed", None)
