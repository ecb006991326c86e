"""What the benchmarks print: the median of several rounds, with the lowest and the highest in brackets."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """The same quantity, measured once a round."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    def text(self, unit: str = "") -> str:
        spread = f" [{_short(min(self.rounds))} to {_short(max(self.rounds))}]" if len(self.rounds) > 1 else ""
        return f"{_short(self.median)}{unit and ' ' + unit}{spread}"


def measure(rounds: int, *contenders: Callable[[], Sequence[float]]) -> list[list[Figure]]:
    """Runs the contenders in turn, round after round, so that a machine that grows slower slows all of them.

    Each gives its quantities in the same order every time. Returns the figures of each contender.
    """
    seen: list[list[Sequence[float]]] = [[] for _ in contenders]
    for _ in range(rounds):
        for place, contender in enumerate(contenders):
            seen[place].append(contender())
    return [[Figure(tuple(column)) for column in zip(*each, strict=True)] for each in seen]


def ratios(ours: Figure, theirs: Figure) -> Figure:
    """Round by round, since both of a round were measured on the same machine at the same time."""
    return Figure(tuple(a / b for a, b in zip(ours.rounds, theirs.rounds, strict=True)))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed. Raises `IndexError` where there are none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def show(title: str, rows: Sequence[Sequence[str]]) -> None:
    """Prints the rows in columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print(f"\n{title}", flush=True)
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), flush=True)


def _short(value: float) -> str:
    """Three digits that mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
