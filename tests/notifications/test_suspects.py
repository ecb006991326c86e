"""A delivery whose worker died goes alone: what kills a worker takes nothing with it. The third time is told."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from channels_app.services import create_channel, pause_channel
from notifications import services
from notifications.alerts.turn import still_true
from notifications.alerts.wording import freeze
from notifications.delivery import claim as module
from notifications.delivery.claim import claim
from notifications.delivery.maintenance import NOT_SENT, WORKER_DIED, recover
from notifications.models import Alert, Delivery
from tests.notifications.deliveries import claim_all, let_leases_run_out, make_delivery, story

pytestmark = pytest.mark.django_db(transaction=True)


def die(slots: int = 64) -> int:
    """A worker that ends with what it has claimed. Returns how much that was."""
    claimed = len(claim(slots=slots, slowed_slots=64))
    let_leases_run_out()
    recover()
    return claimed


def die_before_sending(monkeypatch) -> None:
    """A worker that ends between its claim and reading what is to be sent."""
    with monkeypatch.context() as patch:
        patch.setattr(module, "_begin", lambda leased, token: [])
        claim(slots=64, slowed_slots=64)
    let_leases_run_out()
    recover()


class TestAlone:
    def test_what_a_worker_died_with_is_claimed_alone_and_before_all_others(self, channel):
        made = [make_delivery(channel) for _ in range(4)]
        assert die(slots=2) == 2
        again = [claim(slots=64, slowed_slots=64) for _ in range(2)]
        # Due again at the same moment: either may be the first.
        assert sorted([each.delivery_id for each in claims] for claims in again) == [[made[0].pk], [made[1].pk]]
        assert all(each.suspect for claims in again for each in claims)
        assert sorted(claim_all()) == sorted(each.pk for each in made[2:])

    def test_those_of_several_channels_go_one_after_the_other(self, channel):
        other = create_channel(name="Other", kind="postback", url="https://example.com/")
        made = [make_delivery(each) for each in (channel, other)]
        assert die() == 2
        again = [claim(slots=64, slowed_slots=64) for _ in range(3)]
        assert [len(claims) for claims in again] == [1, 1, 0]
        assert {each.delivery_id for claims in again for each in claims} == {each.pk for each in made}

    def test_one_that_may_not_go_keeps_nobody_back(self, channel):
        other = create_channel(name="Other", kind="postback", url="https://example.com/")
        make_delivery(channel)
        die()
        pause_channel(channel_id=channel.pk, reason="Maintenance.")
        waiting = make_delivery(other)
        assert claim_all() == [waiting.pk]

    def test_without_being_asked_for_it_none_is_taken(self, channel):
        make_delivery(channel)
        die()
        assert claim(slots=64, slowed_slots=64, alone=False) == []
        assert len(claim_all()) == 1

    def test_what_kills_workers_fails_alone(self, channel):
        """The first death takes all that was in flight; after it each goes alone, and only the culprit dies again."""
        culprit, *others = [make_delivery(channel) for _ in range(6)]
        die()
        for _ in range(20):
            claims = claim(slots=64, slowed_slots=64)
            if any(each.delivery_id == culprit.pk for each in claims):
                assert len(claims) == 1
                let_leases_run_out()
                recover()
            elif claims:
                Delivery.objects.filter(pk__in=[each.delivery_id for each in claims]).update(
                    lease_token=None, lease_expires_at=None, status="succeeded", next_attempt_at=None, finished_at=Now()
                )
        culprit.refresh_from_db()
        assert (culprit.status, culprit.unknowns_in_row) == ("failed", 3)
        assert Delivery.objects.filter(status="succeeded").count() == len(others)

    def test_a_manual_retry_begins_to_count_anew(self, channel):
        delivery = make_delivery(channel)
        for _ in range(3):
            die()
        services.retry_delivery(delivery_id=delivery.pk, by="test")
        delivery.refresh_from_db()
        assert (delivery.status, delivery.unknowns_in_row) == ("pending", 0)
        assert [die() for _ in range(3)] == [1, 1, 1]
        delivery.refresh_from_db()
        assert delivery.status == "failed"


class TestWhatIsSaid:
    def test_where_an_attempt_was_begun_the_message_may_have_arrived(self, channel):
        delivery = make_delivery(channel)
        die()
        delivery.refresh_from_db()
        assert (delivery.error, delivery.attempts.get().error) == (WORKER_DIED, WORKER_DIED)

    def test_where_none_was_begun_nothing_was_sent(self, channel, monkeypatch):
        delivery = make_delivery(channel)
        die_before_sending(monkeypatch)
        delivery.refresh_from_db()
        assert (delivery.error, delivery.attempts.get().error) == (NOT_SENT, NOT_SENT)
        assert story(delivery) == [(1, "first", "unknown", None)]
        assert die() == 1
        assert story(delivery) == [(1, "first", "unknown", None), (2, "recovered", "unknown", None)]
        assert [each.error for each in delivery.attempts.order_by("number")] == [NOT_SENT, WORKER_DIED]

    def test_the_third_is_told_to_the_administrators_with_their_number(self, channel, monkeypatch):
        for _ in range(2):
            make_delivery(channel)
        die_before_sending(monkeypatch)
        for _ in range(2):
            assert not Alert.objects.exists()
            die_before_sending(monkeypatch)
            die_before_sending(monkeypatch)
        alert = Alert.objects.get()
        assert (alert.kind, alert.channel_id, alert.facts) == ("lost", channel.pk, {"number": 2})
        assert Delivery.objects.filter(status="failed", error=NOT_SENT).count() == 2
        pause_channel(channel_id=channel.pk, reason="Maintenance.")
        alert.refresh_from_db()
        assert still_true(alert)
        freeze(alert)
        assert "2 deliveries to the channel Warehouse" in alert.words["paragraphs"][0]

    def test_a_test_that_is_lost_is_not_told(self, channel):
        make_delivery(channel, next_trigger="test")
        die()
        assert not Alert.objects.exists()


class TestReading:
    """What is to be sent is read after the claim, of the rows that still carry its lease."""

    def test_a_database_that_goes_away_in_between_is_asked_again(self, channel, monkeypatch):
        make_delivery(channel)
        read, failures = module._read, iter([True, True])

        def read_at_last(*arguments):
            if next(failures, False):
                raise OperationalError("away")
            return read(*arguments)

        monkeypatch.setattr(module, "_read", read_at_last)
        monkeypatch.setattr(module, "READ_AGAIN_AFTER_SECONDS", 0.01)
        assert len(claim_all()) == 1

    @pytest.mark.parametrize(
        "taken_away",
        [{"lease_token": None, "lease_expires_at": None}, {"lease_token": uuid4()}],
        ids=["by nobody", "by another worker"],
    )
    def test_a_row_that_was_taken_away_in_between_is_not_sent(self, channel, monkeypatch, taken_away):
        kept, gone = make_delivery(channel), make_delivery(channel)
        read = module._read

        def read_late(*arguments):
            Delivery.objects.filter(pk=gone.pk).update(**taken_away)
            return read(*arguments)

        monkeypatch.setattr(module, "_read", read_late)
        assert claim_all() == [kept.pk]
        assert gone.attempts.count() == 0

    def test_a_lease_that_could_not_outlast_the_attempt_is_left_to_run_out(self, channel, monkeypatch, settings):
        delivery = make_delivery(channel)
        read = module._read

        def read_late(*arguments):
            Delivery.objects.update(lease_expires_at=Now() + timedelta(seconds=4))
            return read(*arguments)

        settings.POSTBACK_TIMEOUT_SECONDS = 5.0
        monkeypatch.setattr(module, "_read", read_late)
        assert claim_all() == []
        let_leases_run_out()
        assert recover() == 1
        assert delivery.attempts.get().error == NOT_SENT
