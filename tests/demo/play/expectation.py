"""What is expected, where some members may have one of several values, and how it is compared with what came."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Essentials = dict[str, Any]


@dataclass(frozen=True)
class OneOf:
    """Any of these values is right: the clock of the server, or a race, decides which."""

    values: tuple[Any, ...]


class _Anything:
    """The rules say nothing about this value."""

    def __repr__(self) -> str:
        return "anything"


ANYTHING = _Anything()


@dataclass(frozen=True)
class Event:
    """The essentials of one event: what the rules expect, or what a receiver got.

    `email`, in lower case, says whose event it is. An `optional` event may have happened or not.
    """

    type: str
    source: str
    email: str
    data: Essentials
    optional: bool = False


def difference(expected: Any, actual: Any, at: str = "") -> str | None:
    """Where the two first differ, or None."""
    if expected is ANYTHING:
        return None
    if isinstance(expected, OneOf):
        found = [difference(value, actual, at) for value in expected.values]
        return None if None in found else " or ".join(dict.fromkeys(text for text in found if text))
    if isinstance(expected, dict) and isinstance(actual, dict) and expected.keys() == actual.keys():
        parts = (difference(expected[name], actual[name], f"{at}.{name}".lstrip(".")) for name in expected)
        return next((part for part in parts if part), None)
    return None if expected == actual else f"{at}: expected {expected!r}, got {actual!r}"


def compare(expected: Iterable[Event], received: Iterable[Event]) -> list[str]:
    """A line for each event that is missing, and for each that should not have come. The order does not matter."""
    wanted: dict[tuple[str, str, str], list[Event]] = defaultdict(list)
    came: dict[tuple[str, str, str], list[Event]] = defaultdict(list)
    for groups, events in ((wanted, expected), (came, received)):
        for event in events:
            groups[event.type, event.source, event.email].append(event)
    lines = []
    for key in sorted({*wanted, *came}):
        missing, extra = _unmatched(wanted[key], came[key])
        for event in missing:
            near = "; ".join(text for other in extra if (text := difference(event.data, other.data)))
            lines.append(f"missing {' '.join(key)}: {near or event.data}")
        lines += [f"extra {' '.join(key)}: {event.data}" for event in extra]
    return lines


def _unmatched(expected: list[Event], received: list[Event]) -> tuple[list[Event], list[Event]]:
    """What is left of both by a largest matching (augmenting paths), the events that are not optional first."""
    ordered = sorted(expected, key=lambda event: event.optional)
    holder: dict[int, int] = {}  # the index of a received event -> that of the expected one it is matched with

    def place(index: int, tried: set[int]) -> bool:
        for candidate, event in enumerate(received):
            if candidate in tried or difference(ordered[index].data, event.data):
                continue
            tried.add(candidate)
            if candidate not in holder or place(holder[candidate], tried):
                holder[candidate] = index
                return True
        return False

    missing = [event for index, event in enumerate(ordered) if not place(index, set()) and not event.optional]
    return missing, [event for index, event in enumerate(received) if index not in holder]
