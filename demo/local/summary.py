"""What a run's logs come to, in a line on the terminal now and then."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable

# A record of the log, as `key='value'` or as JSON.
_ATTEMPT = re.compile(r"""\bevent["']?[=:] ?["']attempt["']""")
_SUCCEEDED = re.compile(r"""\boutcome["']?[=:] ?["']succeeded["']""")
_LEVEL = re.compile(r"""\blevel["']?[=:] ?["'](warning|error|critical)["']""")
# Of a program that breaks before it has a log.
_TRACEBACK = "Traceback (most recent call last):"
# Longer than the last of the delays between automatic retries: then what began together is over.
QUIET_SECONDS = 10.0
LONGEST_SILENCE_SECONDS = 60.0
SHORTEST_SILENCE_SECONDS = 30.0


class Summary:
    """Counts attempts, warnings and errors, and knows when to tell of them. `clock` is monotonic, in seconds.

    `has_told` says whether there was a telling already.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._told_at = self._changed_at = clock()
        self.has_told = False

    def add(self, lines: Iterable[str]) -> None:
        for line in lines:
            if _ATTEMPT.search(line):
                self._counts["succeeded" if _SUCCEEDED.search(line) else "failed"] += 1
            elif level := _LEVEL.search(line):
                self._counts["warning" if level[1] == "warning" else "error"] += 1
            elif line.startswith(_TRACEBACK):
                self._counts["error"] += 1
            else:
                continue
            self._changed_at = self._clock()

    def is_due(self) -> bool:
        """Something was counted and has come to rest, or goes on for long; and the last telling is a while ago."""
        now = self._clock()
        if not self._counts or (self.has_told and now - self._told_at < SHORTEST_SILENCE_SECONDS):
            return False
        return now - self._changed_at >= QUIET_SECONDS or now - self._told_at >= LONGEST_SILENCE_SECONDS

    def tell(self) -> str:
        """What was counted since the last time, as the beginning of a sentence."""
        counts, self._counts = self._counts, Counter()
        self._told_at, self.has_told = self._clock(), True
        parts = []
        if attempts := counts["succeeded"] + counts["failed"]:
            parts.append(
                f"{_counted(attempts, 'attempt')} to deliver, {counts['succeeded']} succeeded and "
                f"{counts['failed']} failed"
            )
        parts += [_counted(counts[level], level) for level in ("warning", "error") if counts[level]]
        return "; ".join(parts)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
