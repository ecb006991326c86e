"""What one worker process has under way, and how much more it can take."""

import time
from collections.abc import Iterable
from typing import TypedDict

from notifications.delivery.claim import ALERTS_AT_ONCE, SLOW_AFTER_SECONDS, Claim
from notifications.models import Trigger

# How many messages a process may have in flight in all, for each of its slots: one in flight takes some 40 KiB.
SIDE_POOL = 8
# A delivery whose worker died once is followed by the next such one after this, or when it has been answered: what
# kills a worker does it at once, and what hangs must not hold up the others.
SUSPECT_SECONDS = 1.0


class Room(TypedDict):
    """What `claim` may take."""

    slots: int
    slowed_slots: int
    other_slots: int
    test_slots: int
    alert_slots: int
    alone: bool


class Flights:
    """Counts what is in flight. A slot is taken by a message while that is young; one that has been under way for
    `SLOW_AFTER_SECONDS`, one to a slowed channel and a test stand aside, where there is room for several times as many.

    Slowed ones hold at most half of the whole, so that the first message to any other channel always finds room. A few
    alerts come beside the whole: they never wait for what they tell of.
    Used by the thread that claims and records only.
    """

    def __init__(self, slots: int) -> None:
        self.most = SIDE_POOL * slots + ALERTS_AT_ONCE
        self._slots = slots
        self._since: dict[str, float] = {}
        self._claims: dict[str, Claim] = {}

    def __len__(self) -> int:
        return len(self._claims)

    def add(self, claim: Claim) -> None:
        self._claims[claim.attempt_id], self._since[claim.attempt_id] = claim, time.monotonic()

    def remove(self, claims: Iterable[Claim]) -> None:
        for claim in claims:
            del self._claims[claim.attempt_id], self._since[claim.attempt_id]

    def room(self) -> Room:
        """What may be claimed beside what is in flight now."""
        now = time.monotonic()
        whole = SIDE_POOL * self._slots
        young = slowed = tests = alerts = 0
        newest_suspect = float("-inf")
        for attempt_id, claim in self._claims.items():
            since = self._since[attempt_id]
            if claim.suspect:
                newest_suspect = max(newest_suspect, since)
            if claim.is_alert:
                alerts += 1
            elif claim.trigger == Trigger.TEST:
                tests += 1
            elif claim.slowed or now - since >= SLOW_AFTER_SECONDS:
                slowed += 1
            else:
                young += 1
        return {
            "slots": whole - (len(self) - alerts),
            "slowed_slots": max(0, whole // 2 - slowed),
            "other_slots": max(0, self._slots - young),
            "test_slots": max(0, self._slots - tests),
            "alert_slots": max(0, ALERTS_AT_ONCE - alerts),
            "alone": now - newest_suspect >= SUSPECT_SECONDS,
        }
