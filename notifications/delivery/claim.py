"""Takes due deliveries out of PostgreSQL, the queue of record.

All times are the database's; a claimed row carries a lease that its worker must not outlive.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from channels_app.models import Channel
from notifications.models import FAILURES_BEFORE_PROBING, new_attempt_id

log = structlog.get_logger(__name__)

# The advisory lock that lets one claim at a time count the leases of all processes: "tidings", as a bigint.
CLAIM_LOCK = 0x746964696E6773
# A process that is frozen while it holds the lock loses it after this; who waits for it asks again after this.
LOCK_HELD_AT_MOST, LOCK_AWAITED_AT_MOST = "10s", "5s"
LEASE_MARGIN_SECONDS = 30
# A channel that has kept a lease for so long counts as slowed, whatever it will answer in the end.
SLOW_AFTER_SECONDS = 5
# How many tests that people send may be in flight on one channel, over all processes.
TESTS_AT_ONCE = 2
# How many rows one claim may take. The answer to the locked statement has to fit into the buffers of a socket, else
# PostgreSQL waits, with the lock held and without a limit, for a worker that does not read.
ROWS_AT_ONCE = 100
READ_AGAIN_AFTER_SECONDS = 0.5

LOCK = """
SELECT set_config('idle_in_transaction_session_timeout', %s, true), set_config('lock_timeout', %s, true),
    pg_advisory_xact_lock(%s)
"""

# The due rows of one `candidate`, up to {limit}: what a person has retried goes before all others, the oldest first.
# Each half is locked on its own, since PostgreSQL locks no union. A row with an `unknown` behind it is no part of it.
_DUE_OF_CANDIDATE = """
    SELECT id FROM (SELECT id FROM (
        SELECT id FROM notifications_delivery
        WHERE candidate.has_manual AND channel_id = candidate.id AND status = 'pending' AND next_trigger = 'manual'
            AND lease_token IS NULL AND unknowns_in_row = 0 AND next_attempt_at <= statement_timestamp() {but}
        ORDER BY next_attempt_at LIMIT {limit} FOR UPDATE SKIP LOCKED
    ) retried UNION ALL SELECT id FROM (
        SELECT id FROM notifications_delivery
        WHERE channel_id = candidate.id AND status = 'pending' AND next_trigger NOT IN ('test', 'manual')
            AND lease_token IS NULL AND unknowns_in_row = 0 AND next_attempt_at <= statement_timestamp() {but}
        ORDER BY next_attempt_at LIMIT {limit} FOR UPDATE SKIP LOCKED
    ) others) due LIMIT {limit}
"""
_BUT_THE_FIRST = "AND id NOT IN (SELECT id FROM due_first)"

# Channels in random order, else the first ones win for ever; the limit of each is its cap less its live leases.
#
# `due_test`: what people test goes outside every rate, also to a paused channel; a few at a time to each.
# `suspect`: a row whose worker died is claimed alone, so that what kills a worker takes nothing with it.
# `due_slowed`: channels with a cap lowered by a timeout, probed only, or slow to answer now, those with nothing in
#     flight before the others.
# `due_first`: one of each channel with nothing in flight. It waits for no slot but for the whole of the process, so
#     that many receivers that begin to hang at once hold nobody up.
# `due_other`: further ones, as far as there are slots.
CLAIM = f"""
WITH candidate AS MATERIALIZED (
    SELECT
        channel.id,
        coalesce(health.in_flight_cap < %(cap)s OR health.failures_in_row >= %(failures)s, false)
            OR coalesce(live.ends < statement_timestamp() + make_interval(secs => %(lease)s - %(slow)s), false)
            AS slowed,
        coalesce(health.in_flight_cap IS NOT NULL OR health.failures_in_row > 0, false) AS troubled,
        greatest(0, CASE
            WHEN health.failures_in_row >= %(failures)s THEN 1
            ELSE least(coalesce(health.in_flight_cap, %(cap)s), %(cap)s)
        END - live.leases) AS room,
        live.leases = 0 AS idle,
        retried.channel_id IS NOT NULL AS has_manual
    FROM channels_app_channel channel
    LEFT JOIN notifications_channelhealth health ON health.channel_id = channel.id
    LEFT JOIN (
        SELECT DISTINCT channel_id FROM notifications_delivery
        WHERE status = 'pending' AND next_trigger = 'manual' AND next_attempt_at <= statement_timestamp()
    ) retried ON retried.channel_id = channel.id
    CROSS JOIN LATERAL (
        SELECT count(*) AS leases, min(lease_expires_at) AS ends FROM notifications_delivery
        WHERE channel_id = channel.id AND lease_token IS NOT NULL AND next_trigger <> 'test'
    ) live
    WHERE channel.paused_at IS NULL AND channel.archived_at IS NULL
        AND (health.probe_at IS NULL OR health.probe_at <= statement_timestamp())
    ORDER BY random()
),
suspect AS MATERIALIZED (
    SELECT due.id, candidate.slowed, candidate.troubled
    FROM (SELECT * FROM candidate WHERE %(alone)s AND room > 0 AND (NOT slowed OR %(slowed_slots)s > 0)) candidate
    CROSS JOIN LATERAL (
        SELECT id FROM notifications_delivery
        WHERE channel_id = candidate.id AND status = 'pending' AND next_trigger <> 'test' AND unknowns_in_row > 0
            AND lease_token IS NULL AND next_attempt_at <= statement_timestamp()
        ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
    ) due
    LIMIT least(1, %(slots)s)
),
free AS MATERIALIZED (
    SELECT CASE WHEN EXISTS (TABLE suspect) THEN 0 ELSE %(slots)s END AS slots
),
due_test AS MATERIALIZED (
    SELECT due.id, false AS slowed, false AS troubled
    FROM (
        SELECT DISTINCT channel_id AS id FROM notifications_delivery
        WHERE status = 'pending' AND next_trigger = 'test' AND next_attempt_at <= statement_timestamp()
    ) tested
    JOIN channels_app_channel channel ON channel.id = tested.id AND channel.archived_at IS NULL
    CROSS JOIN LATERAL (
        SELECT count(*) AS leases FROM notifications_delivery
        WHERE channel_id = tested.id AND lease_token IS NOT NULL AND next_trigger = 'test'
    ) live
    CROSS JOIN LATERAL (
        SELECT id FROM notifications_delivery
        WHERE channel_id = tested.id AND status = 'pending' AND next_trigger = 'test' AND lease_token IS NULL
            AND next_attempt_at <= statement_timestamp()
        ORDER BY next_attempt_at LIMIT greatest(0, %(tests_at_once)s - live.leases) FOR UPDATE SKIP LOCKED
    ) due
    LIMIT least((SELECT slots FROM free), %(test_slots)s)
),
due_slowed AS MATERIALIZED (
    SELECT due.id, true AS slowed, candidate.troubled
    FROM (SELECT * FROM candidate WHERE slowed AND room > 0 ORDER BY NOT idle, random()) candidate
    CROSS JOIN LATERAL ({_DUE_OF_CANDIDATE.format(limit="candidate.room", but="")}) due
    LIMIT least((SELECT slots FROM free) - (SELECT count(*) FROM due_test), %(slowed_slots)s)
),
due_first AS MATERIALIZED (
    SELECT due.id, false AS slowed, candidate.troubled
    FROM (SELECT * FROM candidate WHERE NOT slowed AND idle AND room > 0) candidate
    CROSS JOIN LATERAL ({_DUE_OF_CANDIDATE.format(limit="1", but="")}) due
    LIMIT (SELECT slots FROM free) - (SELECT count(*) FROM due_test) - (SELECT count(*) FROM due_slowed)
),
due_other AS MATERIALIZED (
    SELECT due.id, false AS slowed, candidate.troubled
    FROM (SELECT *, room - idle::int AS more FROM candidate WHERE NOT slowed AND room > idle::int) candidate
    CROSS JOIN LATERAL ({_DUE_OF_CANDIDATE.format(limit="candidate.more", but=_BUT_THE_FIRST)}) due
    LIMIT greatest(0, least(
        (SELECT slots FROM free) - (SELECT count(*) FROM due_test) - (SELECT count(*) FROM due_slowed)
            - (SELECT count(*) FROM due_first),
        %(other_slots)s - (SELECT count(*) FROM due_first)))
),
due AS MATERIALIZED (
    SELECT *, false AS suspect
    FROM (TABLE due_test UNION ALL TABLE due_slowed UNION ALL TABLE due_first UNION ALL TABLE due_other) chosen
    UNION ALL SELECT *, true FROM suspect
)
UPDATE notifications_delivery delivery
SET lease_token = %(token)s,
    lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s),
    attempts_made = delivery.attempts_made + 1
FROM due WHERE delivery.id = due.id
RETURNING delivery.id, due.slowed, due.troubled, due.suspect
"""  # noqa: S608 (made of constants)

# What is sent, read after the claim is committed, and the attempts written as started: before that nothing was sent.
# A lease that could not outlast the attempt is left to run out, so nobody else is at its row meanwhile.
BEGIN = """
WITH claimed AS MATERIALIZED (
    SELECT leased.*, claimed.attempt_id, claimed.slowed, claimed.troubled, claimed.suspect
    FROM unnest(%(ids)s::text[], %(attempts)s::text[], %(slowed)s::bool[], %(troubled)s::bool[], %(suspect)s::bool[])
        AS claimed(id, attempt_id, slowed, troubled, suspect)
    JOIN notifications_delivery leased ON leased.id = claimed.id
    WHERE leased.lease_token = %(token)s
        AND leased.lease_expires_at >= statement_timestamp() + make_interval(secs => %(timeout)s)
    FOR SHARE OF leased
),
started AS (
    INSERT INTO notifications_deliveryattempt
        (id, delivery_id, number, trigger, outcome, url, request_headers, response_headers, response_body,
         started_at, error, connection)
    SELECT claimed.attempt_id, claimed.id, claimed.attempts_made, claimed.next_trigger, 'started', channel.url, '{}',
        '{}', '', statement_timestamp(), '', '{}'
    FROM claimed JOIN channels_app_channel channel ON channel.id = claimed.channel_id
)
SELECT claimed.id AS delivery_id, claimed.attempt_id, claimed.event_id, claimed.event_type, event.body,
    claimed.attempts_made AS number, claimed.next_trigger AS trigger, claimed.automatic_retries, claimed.reached,
    claimed.slowed, claimed.troubled, claimed.suspect, event.order_id, event.contact_id,
    claimed.lease_expires_at - make_interval(secs => %(lease)s) AS claimed_at, statement_timestamp() AS read_at,
    extract(epoch FROM claimed.lease_expires_at - statement_timestamp())::double precision AS lease_left,
    channel.id AS channel_id, channel.name AS channel_name, channel.kind AS channel_kind, channel.url AS channel_url,
    channel.encrypted_url AS channel_encrypted_url, channel.recipients AS channel_recipients,
    channel.encrypted_headers AS channel_encrypted_headers, channel.encrypted_secret AS channel_encrypted_secret,
    channel.encrypted_previous_secret AS channel_encrypted_previous_secret,
    channel.previous_secret_until AS channel_previous_secret_until
FROM claimed
JOIN notifications_event event ON event.id = claimed.event_id
JOIN channels_app_channel channel ON channel.id = claimed.channel_id
"""


@dataclass(frozen=True)
class Claim:
    """A delivery taken for one attempt. `channel` is a detached copy, read when the attempt began.

    `claimed_at` (database time) is the same for all that was claimed at once. `read_at` was the database's time when
    this machine's monotonic clock showed `read_at_monotonic`, and the lease had `lease_left` seconds then. `suspect`:
    its worker died the last time. `slowed` and `troubled` say how its channel was: slow to answer, and known for
    failures.
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
    suspect: bool = False
    reached: tuple[str, ...] = ()
    order_id: int | None = None
    contact_id: str | None = None

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


def lease_seconds() -> float:
    return settings.POSTBACK_TIMEOUT_SECONDS + LEASE_MARGIN_SECONDS


def claim(
    *,
    slots: int,
    slowed_slots: int,
    other_slots: int | None = None,
    test_slots: int | None = None,
    alone: bool = True,
) -> list[Claim]:
    """Lease up to `slots` due deliveries (100 at most) and begin an attempt of each.

    At most `slowed_slots` of them are on slowed channels, at most `test_slots` are tests, and beyond one of each
    channel with nothing in flight it takes no more than `other_slots` have room for. With `alone`, a delivery whose
    worker died goes before all others, and is then the only one.

    Two transactions. The first one is short: the lock, and the claim, whose snapshot therefore sees every lease that
    another process committed, so the caps hold over all processes; of that nothing large is read. The second one
    reads what is to be sent, of the rows that still carry the lease. Where the lock cannot be had in time, because
    who holds it is slow or frozen, nothing is claimed. Raises `django.db.Error` when PostgreSQL is away.
    """
    token = uuid4()
    try:
        leased = _lease(
            token,
            slots=min(slots, ROWS_AT_ONCE),
            slowed_slots=slowed_slots,
            other_slots=slots if other_slots is None else other_slots,
            test_slots=slots if test_slots is None else test_slots,
            alone=alone,
        )
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        log.warning("claim_lock_not_available")
        return []
    return _begin(leased, token) if leased else []


def _lease(token: UUID, **limits: int) -> list[Leased]:
    values: dict[str, Any] = {
        **limits,
        "cap": settings.CHANNEL_CONCURRENCY,
        "failures": FAILURES_BEFORE_PROBING,
        "tests_at_once": TESTS_AT_ONCE,
        "token": token,
        "lease": lease_seconds(),
        "slow": SLOW_AFTER_SECONDS,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LOCK, [LOCK_HELD_AT_MOST, LOCK_AWAITED_AT_MOST, CLAIM_LOCK])
        cursor.execute(CLAIM, values)
        return [Leased(**row) for row in _named(cursor)]


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
    begun = {row["delivery_id"] for row in rows}
    for each in leased:
        if each.id not in begun:
            log.warning("lease_ran_out", delivery_id=each.id)
    return [_claim(row, token, asked) for row in rows]


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
    return Claim(lease_token=token, read_at_monotonic=asked, channel=Channel(**of_channel), **row)
