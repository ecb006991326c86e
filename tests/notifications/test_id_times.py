"""A time as the edge of a range of ids."""

from datetime import UTC, datetime, timedelta, timezone
from random import getrandbits

import pytest
from django.utils.timezone import now
from typeid.codecs import base32

from notifications.id_times import first_id_at
from notifications.models import new_delivery_id

AT = datetime(2026, 11, 23, 18, 36, 0, 123000, tzinfo=UTC)


def id_made(at: datetime) -> str:
    """An id as RFC 9562 lays out its UUIDv7: 48 bits of milliseconds, the version, the variant, the rest at random."""
    milliseconds = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    number = milliseconds << 80 | 7 << 76 | getrandbits(12) << 64 | 2 << 62 | getrandbits(62)
    return f"dlv_{base32.encode(number.to_bytes(16))}"


@pytest.mark.parametrize("step", [timedelta(milliseconds=1), timedelta(seconds=1), timedelta(days=365)])
def test_ids_made_before_lie_below_and_ids_made_then_or_later_do_not(step):
    edge = first_id_at("dlv", AT)
    assert len(edge) == len(id_made(AT)) == 30
    for _ in range(20):  # their random parts differ
        assert id_made(AT - step) < edge <= id_made(AT) < id_made(AT + step)


def test_a_part_of_a_millisecond_counts_as_the_next_one():
    assert first_id_at("dlv", AT + timedelta(microseconds=1)) == first_id_at("dlv", AT + timedelta(milliseconds=1))


def test_the_time_zone_does_not_matter():
    elsewhere = AT.astimezone(timezone(timedelta(hours=-5)))
    assert first_id_at("evt", elsewhere) == first_id_at("evt", AT) == "evt_" + first_id_at("dlv", AT)[4:]


def test_a_time_that_no_id_can_carry_is_the_nearest_edge():
    assert first_id_at("dlv", datetime(1, 1, 1, tzinfo=UTC)) == "dlv_" + "0" * 26
    assert first_id_at("dlv", datetime.max.replace(tzinfo=UTC)) > id_made(AT)


def test_our_own_ids_carry_the_present_time():
    before = now()
    made = new_delivery_id()
    assert first_id_at("dlv", before - timedelta(seconds=5)) <= made < first_id_at("dlv", now() + timedelta(seconds=5))
