"""A person's data goes from what was sent and answered; ids, amounts and the shape of bodies stay."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from channels_app.transports import Answer, Outcome
from notifications import erasure, replay, services
from notifications.delivery import claim as claiming
from notifications.delivery.claim import claim
from notifications.delivery.maintenance import recover
from notifications.delivery.record import record
from notifications.delivery.send import Result
from notifications.errors import Conflict
from notifications.models import ChannelHealth, Delivery, DeliveryAttempt, Event, HistoryEntry
from orders import services as shop
from orders.models import Contact, Survey
from tests.notifications.deliveries import let_leases_run_out, story
from tests.orders.shop import contact_input, item, pay, place, refund

pytestmark = pytest.mark.django_db(transaction=True)

EMAIL = "ada@example.com"


@pytest.fixture
def survey(db) -> Survey:
    return Survey.objects.create(slug="how", title="How did you find us?")


def answer_survey(**who: str) -> None:
    shop.complete_survey(slug="how", source="shop", answers={"where": "My aunt Ada told me"}, **who)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("erase_person", *arguments, stdout=out)
    return out.getvalue()


def body(event: Event) -> Any:
    event.refresh_from_db()
    return json.loads(event.body or "")


class TestErasing:
    def test_a_persons_events_their_answers_and_what_is_still_to_be_sent(
        self, engine, receiver, channel, attach, lead, mug
    ):
        attach(channel)
        receiver.answer = lambda request: 404
        order = place(lead, item("mug"))
        pay(order)
        engine.deliver_due()
        assert Delivery.objects.filter(status="failed").count() == 3
        DeliveryAttempt.objects.update(response_body='{"email": "ada@example.com"}', response_headers={"X-Who": "Ada"})
        mailed, *_ = DeliveryAttempt.objects.order_by("pk")
        mailed.request_headers = {"To": "office@example.com", "Subject": "Ada Byron is back"}
        mailed.error = "554 5.7.1 Rejected: about Ada Byron"
        mailed.save()
        refund(order, "2.50", reason="Ada was not amused")
        waiting = Delivery.objects.get(status="pending")

        said = run("ADA@example.com", "--yes")

        assert (
            "Erased from 4 events and 4 deliveries.\nDeliveries that were still to be sent and failed instead: 1."
            in said
        )
        assert "The contact in the shop, with its orders and survey answers, was not touched." in said
        for event in Event.objects.all():
            assert event.erased_at is not None
            assert re.search("(?i)ada|byron", event.body) is None
        refunded = body(Event.objects.get(type="refund.applied"))["data"]
        assert (refunded["refund"]["amount"], refunded["refund"]["reason"]) == ("2.50", "[erased]")
        assert refunded["order"]["number"] == order.number
        assert refunded["order"]["contact"]["id"] == lead.pk
        assert refunded["order"]["contact"]["tags"] == []
        assert set(DeliveryAttempt.objects.values_list("response_body", "status_code")) == {("", 404)}
        assert all(attempt.response_headers == {} for attempt in DeliveryAttempt.objects.all())
        mailed.refresh_from_db()
        assert mailed.request_headers == {"To": "office@example.com", "Subject": "[erased]"}
        assert mailed.error == erasure.ERASED
        assert ChannelHealth.objects.get().latest_error == erasure.ERASED
        assert set(Delivery.objects.values_list("error", flat=True)) == {erasure.ERASED}
        assert DeliveryAttempt.objects.filter(request_headers__has_key="webhook-id").count() == 2
        waiting.refresh_from_db()
        assert (waiting.status, waiting.error, waiting.attempts_made) == ("failed", erasure.ERASED, 0)
        lead.refresh_from_db()
        assert (lead.email, lead.first_name) == (EMAIL, "Ada")

    def test_others_are_left_alone(self, channel, attach, lead, mug):
        attach(channel)
        grace = place(contact_input("grace@example.com"), item("mug"))
        before = dict(Event.objects.values_list("pk", "body"))
        pay(place(lead, item("mug")), reference="r2")
        run(EMAIL, "--yes")
        assert {pk: Event.objects.get(pk=pk).body for pk in before} == before
        assert Event.objects.filter(erased_at=None).count() == len(before) == 1
        assert Delivery.objects.filter(event__order=grace, status="failed").count() == 0

    def test_survey_answers_by_an_address_that_was_no_contact(self, survey):
        answer_survey(email="Ada@Example.com")
        answer_survey(email="grace@example.com")
        assert Contact.objects.count() == 0
        assert "Of a person who is no contact: 1 events" in run(EMAIL, "--yes")
        erased, kept = Event.objects.filter(erased_at__isnull=False).get(), Event.objects.get(erased_at=None)
        response = body(erased)["data"]["response"]
        assert (response["email"], response["answers"]) == ("[erased]", {})
        assert body(kept)["data"]["response"]["email"] == "grace@example.com"

    def test_the_history_says_by_whom_and_names_no_address(self, lead, mug):
        pay(place(lead, item("mug")))
        run(EMAIL, "--yes")
        entry = HistoryEntry.objects.get(action="erased")
        assert entry.sentence == (f"The personal data of contact {lead.pk} is erased from 3 events with 0 deliveries.")
        assert entry.by.endswith(" (command line)")

    def test_addresses_that_staff_corrected_go_from_the_history(self, admin_client, lead):
        other = Contact.objects.create(source="shop", email="bob@example.com")
        for contact, email in ((lead, "old@example.com"), (lead, EMAIL), (other, "rob@example.com")):
            form = {"email": email, "first_name": "A", "last_name": "B"}
            admin_client.post(f"/admin/orders/contact/{quote(contact.pk)}/change/", form)
        assert HistoryEntry.objects.filter(sentence__contains="old@example.com").count() == 2
        run(EMAIL, "--yes")
        sentences = set(HistoryEntry.objects.values_list("sentence", flat=True))
        assert f"The e-mail of contact {lead.pk} was corrected." in sentences
        assert f"The e-mail of contact {other.pk} was corrected from bob@example.com to rob@example.com." in sentences
        assert not [sentence for sentence in sentences if "old@" in sentence or EMAIL in sentence]
        assert "Nothing is left to erase" in run(EMAIL, "--yes")

    def test_in_batches_and_again_from_where_it_stopped(self, channel, attach, lead, mug, monkeypatch):
        attach(channel)
        for number in range(3):
            pay(place(lead, item("mug")), reference=f"r{number}")
        events = Event.objects.count()
        assert events == 7
        monkeypatch.setattr(erasure, "BATCH", 2)
        real: Callable[[list[str]], erasure.Erased] = erasure._erase_batch
        calls = []

        def stop_at_the_third(ids: list[str]) -> erasure.Erased:
            done = real(ids)
            calls.append(ids)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return done

        monkeypatch.setattr(erasure, "_erase_batch", stop_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            run(EMAIL, "--yes")
        assert Event.objects.filter(erased_at__isnull=False).count() == 4
        assert HistoryEntry.objects.filter(action="erased").count() == 1
        monkeypatch.setattr(erasure, "_erase_batch", real)
        assert "Erased from 3 events" in run(EMAIL, "--yes")
        assert Event.objects.filter(erased_at=None).count() == 0
        assert f"Nothing is left to erase of contact {lead.pk} (7 events are erased)." in run(EMAIL, "--yes")

    def test_a_deadlock_with_a_worker_of_an_older_version_costs_nothing(self, channel, attach, lead, mug, monkeypatch):
        attach(channel)
        pay(place(lead, item("mug")))
        real: Callable[[list[str]], erasure.Erased] = erasure._erase_batch
        in_the_way = iter([True, True])

        def be_the_victim(ids: list[str]) -> erasure.Erased:
            done = real(ids)
            if next(in_the_way, False):
                with connection.cursor() as cursor:
                    cursor.execute("DO $$ BEGIN RAISE deadlock_detected; END $$")
            return done

        monkeypatch.setattr(erasure, "_erase_batch", be_the_victim)
        assert "Erased from 3 events and 3 deliveries." in run(EMAIL, "--yes")
        assert HistoryEntry.objects.filter(action="erased").count() == 1

    def test_what_is_being_sent_ends_unrecorded(self, channel, attach, lead, mug):
        attach(channel, "order.completed")
        pay(place(lead, item("mug")))
        (ours,) = claim(slots=1, slowed_slots=1)
        run(EMAIL, "--yes")
        answer = Answer(Outcome.SUCCEEDED, status_code=200, response_body="Dear Ada", response_headers={"X": "Ada"})
        assert record([Result(ours, answer, 7)]) == 0
        delivery = Delivery.objects.get()
        assert (delivery.status, delivery.outcome, delivery.error) == ("failed", "unknown", erasure.IN_FLIGHT)
        assert story(delivery) == [(1, "first", "unknown", None)]
        assert delivery.attempts.get().response_body == ""
        let_leases_run_out()
        assert recover() == 0

    def test_what_was_claimed_and_not_begun_is_not_sent(self, channel, attach, lead, mug, monkeypatch):
        attach(channel, "order.completed")
        pay(place(lead, item("mug")))
        read = claiming._read

        def erase_before(*arguments: Any) -> list[dict[str, Any]]:
            run(EMAIL, "--yes")
            rows: list[dict[str, Any]] = read(*arguments)
            return rows

        monkeypatch.setattr(claiming, "_read", erase_before)
        assert claim(slots=1, slowed_slots=1) == []
        delivery = Delivery.objects.get()
        assert (delivery.status, delivery.error, delivery.attempts_made) == ("failed", erasure.ERASED, 0)
        assert story(delivery) == []

    def test_a_body_that_a_retry_has_built_meanwhile_is_erased_too(self, channel, attach, lead, mug, monkeypatch):
        attach(channel, "order.completed")
        pay(place(lead, item("mug")))
        bodies = dict(Event.objects.values_list("pk", "body"))
        Event.objects.update(body=None)
        lock = erasure._lock_deliveries

        def build_before(ids: list[str]) -> tuple[int, set[str]]:
            for pk, body in bodies.items():
                Event.objects.filter(pk=pk).update(body=body)
            locked: tuple[int, set[str]] = lock(ids)
            return locked

        monkeypatch.setattr(erasure, "_lock_deliveries", build_before)
        run(EMAIL, "--yes")
        for body in Event.objects.values_list("body", flat=True):
            assert body is not None
            assert "Ada" not in body and erasure.PLACEHOLDER in body

    def test_an_event_without_a_body_is_never_built_again(self, channel, attach, lead, mug):
        attach(channel, "order.completed")
        pay(place(lead, item("mug")))
        Event.objects.update(body=None)
        run(EMAIL, "--yes")
        with pytest.raises(Conflict, match="erased"):
            services.retry_delivery(delivery_id=Delivery.objects.get().pk, by="test")
        assert set(Event.objects.values_list("body", flat=True)) == {None}


class TestNeverSentAgain:
    @pytest.fixture
    def erased(self, channel, attach, lead, mug) -> Delivery:
        attach(channel, "order.completed")
        pay(place(lead, item("mug")))
        run(EMAIL, "--yes")
        return Delivery.objects.get()

    def test_a_retry_is_refused_with_the_reason(self, erased, engine, receiver):
        with pytest.raises(Conflict) as refused:
            services.retry_delivery(delivery_id=erased.pk, by="test")
        assert str(refused.value) == erasure.ERASED
        engine.deliver_due()
        assert receiver.received == []
        assert HistoryEntry.objects.filter(action="retried").count() == 0

    def test_a_replay_passes_it_over(self, erased, engine, receiver, channel):
        since = timezone.now() - timedelta(hours=1)
        assert replay.start_replay(channel_id=channel.pk, since=since, by="test").count == 0
        engine.deliver_due()
        assert receiver.received == []

    def test_a_replay_that_began_before_passes_it_over(self, channel, attach, lead, mug, engine, receiver):
        attach(channel, "order.completed")
        pay(place(lead, item("mug")))
        Delivery.objects.update(status="failed", next_attempt_at=None, finished_at=timezone.now())
        since = timezone.now() - timedelta(hours=1)
        assert replay.start_replay(channel_id=channel.pk, since=since, by="test").count == 1
        run(EMAIL, "--yes")
        assert replay.advance() == 0
        assert Delivery.objects.get().status == "failed"


class TestCommand:
    def test_a_dry_run_changes_nothing(self, lead, mug):
        pay(place(lead, item("mug")))
        before = list(Event.objects.order_by("pk").values())
        assert "3 events, 0 deliveries" in run(EMAIL, "--dry-run")
        assert list(Event.objects.order_by("pk").values()) == before
        assert HistoryEntry.objects.filter(action="erased").count() == 0

    def test_it_asks_before(self, lead, mug, monkeypatch):
        pay(place(lead, item("mug")))
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", lambda prompt: "no")
        with pytest.raises(CommandError, match=r"Nothing was changed\."):
            run(EMAIL)
        assert Event.objects.filter(erased_at__isnull=False).count() == 0
        monkeypatch.setattr("builtins.input", lambda prompt: "Yes")
        run(EMAIL)
        assert Event.objects.filter(erased_at=None).count() == 0

    def test_without_anybody_to_ask_it_refuses(self, lead, mug):
        pay(place(lead, item("mug")))
        with pytest.raises(CommandError, match="add --yes"):
            run(EMAIL)
        assert Event.objects.filter(erased_at__isnull=False).count() == 0

    def test_an_unknown_address(self):
        with pytest.raises(CommandError, match="no contact and no survey answer"):
            run("nobody@example.com", "--yes")


@pytest.mark.django_db
def test_a_person_is_found_by_either_spelling_of_the_domain(survey: Survey) -> None:
    """Also one who is no contact, and answered a survey with the other spelling."""
    contact, _ = shop.create_contact(source="shop", data=contact_input("ada@b\u00fccher.example"))
    answer_survey(email="eve@b\u00fccher.example")
    for address in ("ADA@xn--bcher-kva.example", "ada@B\u00dcCHER.example"):
        found = erasure.find(address)
        assert (found.contact, found.events) == (contact, 1)
    assert erasure.find("eve@xn--bcher-kva.example").events == 1
