"""A histogram of how long answers took, small enough to keep for each channel and hour.

A median or a 95th percentile is interpolated within its bucket: it is off by at most the width of that bucket, which
is a fifth of the value (one millisecond up to 10 ms).
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

# The longest timeout that can be set.
_LONGEST_MS = 300_000


def _bounds() -> tuple[int, ...]:
    bounds = [1]
    while bounds[-1] < _LONGEST_MS:
        bounds.append(max(bounds[-1] + 1, bounds[-1] * 6 // 5))
    return tuple(bounds)


# The upper bound of each bucket, itself included; what takes longer than the last is counted in the last. Rows that
# are stored are read by these too: a change of them must empty ChannelHour.
BOUNDS_MS = _bounds()


def bucket(duration_ms: int) -> int:
    """The index in `BOUNDS_MS` of an answer that took so long."""
    return min(bisect_left(BOUNDS_MS, duration_ms), len(BOUNDS_MS) - 1)


def percentile(counts: Sequence[int | None], share: float) -> int | None:
    """The time in ms within which this share (0 to 1) of the counted answers came; None without answers.

    `counts` has one number for each of `BOUNDS_MS`; None counts as 0.
    """
    present = [count or 0 for count in counts]
    rank = share * sum(present)
    if not rank:
        return None
    before = 0
    for count, (lower, upper) in zip(present, pairwise((0, *BOUNDS_MS)), strict=True):
        if before + count >= rank:
            return max(1, round(lower + (upper - lower) * (rank - before) / count))
        before += count
    return BOUNDS_MS[-1]  # the shares of floating point
