"""What the terminal is told of the log, and when."""

import pytest

from demo.local.summary import Summary

SUCCEEDED = (
    "timestamp='2026-11-29T11:32:50.43Z' level='info' event='attempt' number=1 outcome='succeeded' status_code=200"
)
FAILED = (
    "timestamp='2026-11-29T11:32:50.43Z' level='info' event='attempt' number=1 outcome='http_error' status_code=500"
)
IN_JSON = '{"number": 1, "outcome": "succeeded", "status_code": 200, "event": "attempt", "level": "info"}'
WARNING = "timestamp='2026-11-29T11:32:50.43Z' level='warning' event='doorbell_unreachable' error='gone'"
OTHER = "timestamp='2026-11-29T11:32:50.43Z' level='info' event='attempts_of_another_kind' outcome='succeeded'"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([SUCCEEDED], "1 attempt to deliver, 1 succeeded and 0 failed"),
        ([SUCCEEDED, FAILED, IN_JSON, OTHER], "3 attempts to deliver, 2 succeeded and 1 failed"),
        ([WARNING], "1 warning"),
        (
            [FAILED, WARNING, WARNING, '{"event": "broke", "level": "error"}', "Traceback (most recent call last):"],
            "1 attempt to deliver, 0 succeeded and 1 failed; 2 warnings; 2 errors",
        ),
    ],
)
def test_what_is_counted(lines: list[str], told: str, clock: Clock) -> None:
    summary = Summary(clock)
    summary.add(lines)
    assert summary.tell() == told


def test_nothing_is_told_of_nothing(clock: Clock) -> None:
    summary = Summary(clock)
    summary.add([OTHER, "LOG:  checkpoint complete", ""])
    clock.now += 1000
    assert not summary.is_due()


def test_the_first_is_told_once_it_has_come_to_rest(clock: Clock) -> None:
    summary = Summary(clock)
    summary.add([FAILED])
    assert not summary.is_due()
    clock.now += 9  # the last automatic retry of the demo comes after 8 s and some
    summary.add([FAILED])
    clock.now += 9
    assert not summary.is_due()
    clock.now += 1
    assert summary.is_due()
    assert summary.tell().startswith("2 attempts")
    assert not summary.is_due()


def test_what_does_not_come_to_rest_is_told_every_minute(clock: Clock) -> None:
    summary = Summary(clock)
    told = []
    for _ in range(150):
        clock.now += 1
        summary.add([SUCCEEDED])
        if summary.is_due():
            told.append((clock.now, summary.tell()))
    assert told == [
        (160.0, "60 attempts to deliver, 60 succeeded and 0 failed"),
        (220.0, "60 attempts to deliver, 60 succeeded and 0 failed"),
    ]


def test_later_ones_leave_half_a_minute_between(clock: Clock) -> None:
    summary = Summary(clock)
    summary.add([SUCCEEDED])
    clock.now += 10
    assert summary.tell()
    summary.add([SUCCEEDED])
    clock.now += 29
    assert not summary.is_due()
    clock.now += 1
    assert summary.is_due()
