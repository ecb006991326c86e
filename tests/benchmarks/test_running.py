"""The benchmarks run, and their arithmetic is right."""

import os
import subprocess
import sys

import pytest

from benchmarks import table
from tests.demo.local.launching import PROJECT


@pytest.mark.slow
def test_the_quick_ones_print_their_tables() -> None:
    """With a PostgreSQL, a Valkey, a receiver and workers of their own."""
    command = [sys.executable, "-m", "tests.embedded", "-m", "benchmarks", "--rounds", "1", "--only"]
    ended = subprocess.run(
        [*command, "recording", "memory"], cwd=PROJECT, env=os.environ, stdout=subprocess.PIPE, text=True, check=True
    )
    lines = [line.split() for line in ended.stdout.splitlines()]
    statements = {words[0]: words[1:3] for words in lines if words and words[0] in {"0", "1", "20", "100"}}
    # However many channels hear of it, and none of them for a savepoint.
    assert statements == {"0": ["3", "0"], "1": ["3", "0"], "20": ["3", "0"], "100": ["3", "0"]}
    assert "500 requests in flight" in ended.stdout


def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed() -> None:
    values = [float(number) for number in range(1, 201)]
    assert table.percentile(values, 50) == 100
    assert table.percentile(values, 99) == 198
    assert table.percentile([7.0], 99) == 7


def test_contenders_take_turns_and_ratios_are_taken_within_a_round() -> None:
    turns: list[str] = []
    times = iter([10.0, 20.0, 40.0])

    def ours() -> tuple[float, float]:
        turns.append("ours")
        return next(times), 1.0

    def theirs() -> tuple[float, float]:
        turns.append("theirs")
        return 5.0, 1.0

    (fast, _), (slow, _) = table.measure(3, ours, theirs)
    assert turns == ["ours", "theirs"] * 3
    assert list(fast.rounds) == [10, 20, 40]
    ratio = table.ratios(fast, slow)
    assert list(ratio.rounds) == [2, 4, 8]
    assert (ratio.median, ratio.text("times")) == (4, "4 times [2 to 8]")
