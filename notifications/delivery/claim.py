"""Takes due deliveries out of PostgreSQL, the queue of record.

All times are the database's; a claimed row carries a lease that its worker must not outlive.
"""

import json
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from channels_app.models import Channel
from notifications import alert_targets
from notifications.alerts import turn
from notifications.delivery.claim_sql import BEGIN, CLAIM, LOCK
from notifications.delivery.marks import Marks
from notifications.metrics import instruments
from notifications.models import FAILURES_BEFORE_PROBING, TESTS_AT_ONCE, Trigger, new_attempt_id
from orders.locks import waited_too_long

log = structlog.get_logger(__name__)

# The advisory lock that lets one claim at a time count the leases of all processes: "tidings", as a bigint.
CLAIM_LOCK = 0x746964696E6773
# Who waits for it asks again after this. (A process that is frozen while it holds it is ended by the limit that each
# transaction has.)
LOCK_AWAITED_AT_MOST = "5s"
LEASE_MARGIN_SECONDS = 30
# A channel that has kept a lease for so long counts as slowed, whatever it will answer in the end.
SLOW_AFTER_SECONDS = 5
# How many alerts a process may have in flight, to as many targets.
ALERTS_AT_ONCE = 8
# How many rows one claim may take. The answer to the locked statement has to fit into the buffers of a socket, else
# PostgreSQL waits, with the lock held and without a limit, for a worker that does not read.
ROWS_AT_ONCE = 100
# How many of `due_first` and of `due_slowed` one claim may take: most of them open a connection, and what comes due
# meanwhile waits until those of this claim are under way. See `is_cut`.
FIRSTS_AT_ONCE = 4
READ_AGAIN_AFTER_SECONDS = 0.5


@dataclass(frozen=True)
class Claim:
    """A delivery taken for one attempt. `channel` is a detached copy, read when the attempt began.

    `claimed_at` (database time) is the same for all that was claimed at once. `read_at` was the database's time when
    this machine's monotonic clock showed `read_at_monotonic`, and the lease had `lease_left` seconds then. `suspect`:
    its worker died the last time. `first`: nothing else was in flight to its channel. `slowed` and `troubled` say how
    the channel was: slow to answer, and known for failures. Of an alert, `words` are what people are told (JSON).
    `request_id` is that of the request that the event came of, `trace_context` leads to the event's span.
    `waited` is for how many seconds it was due, or its channel resumed, at `read_at`.
    """

    delivery_id: str
    lease_token: UUID
    attempt_id: str
    event_id: str
    event_type: str
    body: str
    channel: Channel
    number: int
    trigger: str
    automatic_retries: int
    slowed: bool
    troubled: bool
    claimed_at: datetime
    read_at: datetime
    read_at_monotonic: float
    lease_left: float
    due_at: datetime
    suspect: bool = False
    first: bool = False
    is_alert: bool = False
    words: str | None = None
    reached: tuple[str, ...] = ()
    order_id: int | None = None
    contact_id: str | None = None
    request_id: str | None = None
    waited: float = 0.0
    trace_context: dict[str, str] | None = None

    @property
    def lease_ends(self) -> float:
        """When the lease ends, in seconds of the monotonic clock; somewhat early."""
        return self.read_at_monotonic + self.lease_left

    def now(self) -> datetime:
        """The database's time, as far as it can be told without asking: this machine's own clock may be a day off."""
        return self.read_at + timedelta(seconds=time.monotonic() - self.read_at_monotonic)


@dataclass(frozen=True)
class Leased:
    """What the locked statement tells of a row."""

    id: str
    slowed: bool
    troubled: bool
    suspect: bool
    first: bool
    is_alert: bool
    leased_from: datetime


@dataclass
class Alerts:
    """Alerts that a claim has leased; once they are judged, `passed` are the ids of those that were given back."""

    token: UUID = field(default_factory=uuid4)
    leased: list[Leased] = field(default_factory=list)
    passed: set[str] = field(default_factory=set)


def lease_seconds() -> float:
    return settings.POSTBACK_TIMEOUT_SECONDS + LEASE_MARGIN_SECONDS


def claim(
    *,
    slots: int,
    slowed_slots: int,
    other_slots: int | None = None,
    test_slots: int | None = None,
    alert_slots: int = 0,
    alone: bool = True,
    marks: Marks | None = None,
    alerts: Alerts | None = None,
) -> list[Claim]:
    """Lease up to `slots` due deliveries (100 at most) and begin an attempt of each.

    At most `slowed_slots` of them are on slowed channels, at most `test_slots` are tests, and beyond one of each
    channel with nothing in flight it takes no more than `other_slots` have room for. Beside all that it leases up to
    `alert_slots` alerts, to be found in `alerts`: see `begin_alerts`. With `alone`, a delivery whose worker died goes
    before all others, and is then the only one.

    Two transactions. The first one is short: the lock, and the claim, whose snapshot therefore sees every lease that
    another process committed, so the caps hold over all processes; of that nothing large is read. The second one
    reads what is to be sent, of the rows that still carry the lease. Where the lock cannot be had in time, because
    who holds it is slow or frozen, nothing is claimed. The look begins at
    `marks`, which are then set anew. Raises `django.db.Error` when PostgreSQL is away.
    """
    token = uuid4()
    marks = Marks() if marks is None else marks
    began = time.monotonic()
    try:
        leased, lock_seconds = _lease(
            token,
            marks,
            slots=min(slots, ROWS_AT_ONCE),
            slowed_slots=slowed_slots,
            other_slots=slots if other_slots is None else other_slots,
            test_slots=slots if test_slots is None else test_slots,
            alert_slots=0 if alerts is None else alert_slots,
            alone=alone,
        )
    except OperationalError as error:
        if not waited_too_long(error):
            raise
        log.warning("claim_lock_not_available")
        instruments.claim_lock_not_had()
        return []
    rows = len(leased)
    if alerts is not None:
        alerts.token, alerts.leased = token, [each for each in leased if each.is_alert]
        leased = [each for each in leased if not each.is_alert]
    claims = _begin(leased, token) if leased else []
    _mark(marks, leased, claims)
    instruments.claimed(rows=rows, seconds=time.monotonic() - began, lock_seconds=lock_seconds)
    return claims


def begin_alerts(alerts: Alerts) -> list[Claim]:
    """Judge claimed alerts, and begin an attempt of each that is to be sent now; the others are given back.

    Apart from `claim`, so that what was claimed beside them can be under way meanwhile. Raises `django.db.Error` when
    PostgreSQL is away.
    """
    alerts.passed = turn.pass_over([each.id for each in alerts.leased], lease_token=alerts.token)
    leased = [each for each in alerts.leased if each.id not in alerts.passed]
    if not leased:
        return []
    administrators = alert_targets.recipients()
    claims = _begin(leased, alerts.token)
    for each in claims:
        if each.channel.system:
            each.channel.recipients = administrators
    return claims


def is_cut(claims: list[Claim]) -> bool:
    """Whether more may be due: this claim took all that it may, of first ones or of slowed ones, too, or one alone."""
    return (
        len(claims) == ROWS_AT_ONCE
        or sum(each.first for each in claims) == FIRSTS_AT_ONCE
        or sum(each.slowed for each in claims) == FIRSTS_AT_ONCE
        or any(each.suspect for each in claims)
    )


def _mark(marks: Marks, leased: list[Leased], claims: list[Claim]) -> None:
    """Set the marks by what was taken in turn, which is neither a test nor what goes before its turn."""
    leased_from = {each.id: each.leased_from for each in leased}
    newest: dict[str, Claim] = {}
    for each in claims:
        if each.trigger not in {Trigger.TEST, Trigger.MANUAL} and not each.suspect:
            known = newest.setdefault(each.channel.pk, each)
            if each.due_at > known.due_at:
                newest[each.channel.pk] = each
    for channel_id, each in newest.items():
        marks.set(channel_id, leased_from=leased_from[each.delivery_id], due_from=each.due_at)
        marks.set_at = each.claimed_at


def _lease(token: UUID, marks: Marks, **limits: int) -> tuple[list[Leased], float]:
    """What was leased, and how long the lock was waited for (seconds)."""
    values: dict[str, Any] = {
        **limits,
        "cap": settings.CHANNEL_CONCURRENCY,
        "firsts": FIRSTS_AT_ONCE,
        "failures": FAILURES_BEFORE_PROBING,
        "tests_at_once": TESTS_AT_ONCE,
        "token": token,
        "lease": lease_seconds(),
        "slow": SLOW_AFTER_SECONDS,
        "marks": marks.as_json(),
        "marked_at": marks.set_at,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        asked = time.monotonic()
        cursor.execute(LOCK, [LOCK_AWAITED_AT_MOST, CLAIM_LOCK])
        lock_seconds = time.monotonic() - asked
        cursor.execute(CLAIM, values)
        return [Leased(**row) for row in _named(cursor)], lock_seconds


def _begin(leased: list[Leased], token: UUID) -> list[Claim]:
    """The claims of the rows that still carry the lease. It tries again while the leases leave time for it."""
    patience_ends = time.monotonic() + LEASE_MARGIN_SECONDS
    while True:
        asked = time.monotonic()
        try:
            rows = _read(leased, token)
            break
        except (OperationalError, InterfaceError):
            connection.close()
            if time.monotonic() > patience_ends:
                raise
            log.exception("claim_not_read", deliveries=[each.id for each in leased])
            time.sleep(READ_AGAIN_AFTER_SECONDS)
    first = {each.id: each.first for each in leased}
    for delivery_id in first.keys() - {row["delivery_id"] for row in rows}:
        log.warning("lease_ran_out", delivery_id=delivery_id)
    return [_claim(row | {"first": first[row["delivery_id"]]}, token, asked) for row in rows]


def _read(leased: list[Leased], token: UUID) -> list[dict[str, Any]]:
    values: dict[str, Any] = {
        "token": token,
        "ids": [each.id for each in leased],
        "attempts": [new_attempt_id() for _ in leased],
        "slowed": [each.slowed for each in leased],
        "troubled": [each.troubled for each in leased],
        "suspect": [each.suspect for each in leased],
        "lease": lease_seconds(),
        "timeout": settings.POSTBACK_TIMEOUT_SECONDS,
    }
    with connection.cursor() as cursor:
        cursor.execute(BEGIN, values)
        return _named(cursor)


def _named(cursor: Any) -> list[dict[str, Any]]:
    """The rows of a cursor by the names of their columns."""
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _claim(row: dict[str, Any], token: UUID, asked: float) -> Claim:
    of_channel = {name.removeprefix("channel_"): row.pop(name) for name in list(row) if name.startswith("channel_")}
    row["reached"] = tuple(row["reached"])
    if row["trace_context"] is not None:
        row["trace_context"] = json.loads(row["trace_context"])  # Django has psycopg leave JSON as it is
    return Claim(lease_token=token, read_at_monotonic=asked, channel=Channel(**of_channel), **row)
