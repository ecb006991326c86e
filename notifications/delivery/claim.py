"""Takes due deliveries out of PostgreSQL, the queue of record.

All times are the database's; a claimed row carries a lease that its worker must not outlive.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction

from channels_app.models import Channel
from notifications.models import FAILURES_BEFORE_PROBING, Trigger, new_attempt_id

# The advisory lock that lets one claim at a time count the leases of all processes: "tidings", as a bigint.
CLAIM_LOCK = 0x746964696E6773
LEASE_MARGIN_SECONDS = 30
# A channel that has kept a lease for so long counts as slowed, whatever it will answer in the end.
SLOW_AFTER_SECONDS = 5


@dataclass(frozen=True)
class Claim:
    """A delivery taken for one attempt. `channel` is a detached copy, read with the claim."""

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
    reached: tuple[str, ...] = ()
    order_id: int | None = None
    contact_id: str | None = None


# Channels in random order, else the first ones win for ever; the limit of each is its cap less its live leases.
# Slowed channels (cap lowered by a timeout, probed only, or slow to answer now) take their turn first and hold at most
# half of the slots. Then comes one delivery of each channel that has nothing in flight; the others leave the reserve
# free for those, so that many channels that begin to hang at once do not take every slot.
# Tests that a person sends go outside every rate, also to a paused channel.
# `mark` bounds where a look begins: see `Marks`.
CLAIM = """
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
        live.ends,
        coalesce(mark.due_from, '-infinity') AS due_from
    FROM channels_app_channel channel
    LEFT JOIN notifications_channelhealth health ON health.channel_id = channel.id
    LEFT JOIN jsonb_to_recordset(%(marks)s::jsonb)
        AS mark(channel_id text, leased_from timestamptz, due_from timestamptz) ON mark.channel_id = channel.id
    CROSS JOIN LATERAL (
        SELECT count(*) AS leases, min(lease_expires_at) AS ends FROM notifications_delivery
        WHERE channel_id = channel.id AND lease_token IS NOT NULL AND next_trigger <> 'test'
            AND lease_expires_at >= coalesce(mark.leased_from, '-infinity')
    ) live
    WHERE channel.paused_at IS NULL AND channel.archived_at IS NULL
        AND (health.probe_at IS NULL OR health.probe_at <= statement_timestamp())
    ORDER BY random()
),
due_test AS MATERIALIZED (
    SELECT delivery.id, false AS slowed, false AS troubled, NULL::timestamptz AS ends
    FROM notifications_delivery delivery
    WHERE status = 'pending' AND next_trigger = 'test' AND lease_token IS NULL
        AND next_attempt_at <= statement_timestamp()
        AND NOT EXISTS (
            SELECT 1 FROM channels_app_channel channel
            WHERE channel.id = delivery.channel_id AND channel.archived_at IS NOT NULL)
    ORDER BY next_attempt_at LIMIT %(slots)s FOR UPDATE SKIP LOCKED
),
due_slowed AS MATERIALIZED (
    SELECT due.id, true AS slowed, candidate.troubled, candidate.ends
    FROM (SELECT * FROM candidate WHERE slowed AND room > 0) candidate
    CROSS JOIN LATERAL (
        SELECT id FROM notifications_delivery
        WHERE channel_id = candidate.id AND status = 'pending' AND lease_token IS NULL
            AND next_trigger <> 'test' AND next_attempt_at BETWEEN candidate.due_from AND statement_timestamp()
        ORDER BY next_attempt_at LIMIT candidate.room FOR UPDATE SKIP LOCKED
    ) due
    LIMIT least(%(slots)s - (SELECT count(*) FROM due_test), %(slowed_slots)s)
),
due_first AS MATERIALIZED (
    SELECT due.id, false AS slowed, candidate.troubled, candidate.ends
    FROM (SELECT * FROM candidate WHERE NOT slowed AND idle) candidate
    CROSS JOIN LATERAL (
        SELECT id FROM notifications_delivery
        WHERE channel_id = candidate.id AND status = 'pending' AND lease_token IS NULL
            AND next_trigger <> 'test' AND next_attempt_at BETWEEN candidate.due_from AND statement_timestamp()
        ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
    ) due
    LIMIT %(slots)s - (SELECT count(*) FROM due_test) - (SELECT count(*) FROM due_slowed)
),
due_other AS MATERIALIZED (
    SELECT due.id, false AS slowed, candidate.troubled, candidate.ends
    FROM (SELECT *, room - idle::int AS more FROM candidate WHERE NOT slowed AND room > idle::int) candidate
    CROSS JOIN LATERAL (
        SELECT id FROM notifications_delivery
        WHERE channel_id = candidate.id AND status = 'pending' AND lease_token IS NULL
            AND next_trigger <> 'test' AND next_attempt_at BETWEEN candidate.due_from AND statement_timestamp()
            AND id NOT IN (SELECT id FROM due_first)
        ORDER BY next_attempt_at LIMIT candidate.more FOR UPDATE SKIP LOCKED
    ) due
    LIMIT greatest(0, %(slots)s - %(reserve)s - (SELECT count(*) FROM due_test) - (SELECT count(*) FROM due_slowed)
        - (SELECT count(*) FROM due_first))
),
due AS MATERIALIZED (
    SELECT chosen.*, row_number() OVER () AS position
    FROM (TABLE due_test UNION ALL TABLE due_slowed UNION ALL TABLE due_first UNION ALL TABLE due_other) chosen
),
leased AS (
    UPDATE notifications_delivery delivery
    SET lease_token = %(token)s,
        lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s),
        attempts_made = delivery.attempts_made + 1
    FROM due WHERE delivery.id = due.id
    RETURNING delivery.*, (%(attempts)s::text[])[due.position] AS attempt_id, due.slowed, due.troubled, due.ends
),
started AS (
    INSERT INTO notifications_deliveryattempt
        (id, delivery_id, number, trigger, outcome, url, request_headers, response_headers, response_body,
         started_at, error, connection)
    SELECT leased.attempt_id, leased.id, leased.attempts_made, leased.next_trigger, 'started', channel.url, '{}', '{}',
        '', statement_timestamp(), '', '{}'
    FROM leased JOIN channels_app_channel channel ON channel.id = leased.channel_id
)
SELECT leased.id, leased.attempt_id, leased.event_id, leased.event_type, event.body, leased.attempts_made,
    leased.next_trigger, leased.automatic_retries, leased.slowed, leased.troubled,
    leased.reached, event.order_id, event.contact_id,
    channel.id, channel.name, channel.kind, channel.url, channel.encrypted_url, channel.recipients,
    channel.encrypted_headers, channel.encrypted_secret, channel.encrypted_previous_secret,
    channel.previous_secret_until,
    leased.next_attempt_at, coalesce(leased.ends, leased.lease_expires_at)
FROM leased
JOIN notifications_event event ON event.id = leased.event_id
JOIN channels_app_channel channel ON channel.id = leased.channel_id
"""


def lease_seconds() -> float:
    return settings.POSTBACK_TIMEOUT_SECONDS + LEASE_MARGIN_SECONDS


class Marks:
    """How far each channel's rows were looked through: before the mark is nothing that matters.

    What was sent leaves dead rows, which a look must step over until they are vacuumed, and that is not before the
    last snapshot that may see them has ended: with a backup running they would slow every claim down. So a look may
    begin at the oldest live lease and at the newest row taken. A row that was committed late, with a time before the
    mark, is then not seen: whoever uses marks looks without them now and then.
    """

    def __init__(self) -> None:
        self._by_channel: dict[str, tuple[str, str]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_channel)

    def set(self, channel_id: str, *, leased_from: datetime, due_from: datetime) -> None:
        self._by_channel[channel_id] = (leased_from.isoformat(), due_from.isoformat())

    def forget(self) -> None:
        self._by_channel.clear()

    def as_json(self) -> str:
        return json.dumps(
            [
                {"channel_id": channel_id, "leased_from": leased_from, "due_from": due_from}
                for channel_id, (leased_from, due_from) in self._by_channel.items()
            ]
        )


def claim(*, slots: int, slowed_slots: int, reserve: int = 0, marks: Marks | None = None) -> list[Claim]:
    """Lease up to `slots` due deliveries, at most `slowed_slots` of them on slowed channels.

    The last `reserve` slots are for channels that have nothing in flight, one delivery each. The look begins at
    `marks`, which are then set anew.

    Two statements in one short READ COMMITTED transaction: the lock, and the claim, whose snapshot therefore sees every
    lease that another process committed; so the caps hold over all processes.
    """
    token = uuid4()
    marks = Marks() if marks is None else marks
    values: dict[str, Any] = {
        "cap": settings.CHANNEL_CONCURRENCY,
        "failures": FAILURES_BEFORE_PROBING,
        "slots": slots,
        "slowed_slots": slowed_slots,
        "token": token,
        "lease": lease_seconds(),
        "slow": SLOW_AFTER_SECONDS,
        "reserve": reserve,
        "marks": marks.as_json(),
        "attempts": [new_attempt_id() for _ in range(slots)],
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CLAIM_LOCK])
        cursor.execute(CLAIM, values)
        rows = cursor.fetchall()
    newest: dict[str, tuple[datetime, datetime]] = {}
    claims = []
    for *row, due_at, leased_from in rows:
        claims.append(each := _claim(row, token))
        if each.trigger != Trigger.TEST:
            due_from, _ = newest.get(each.channel.pk, (due_at, leased_from))
            newest[each.channel.pk] = (max(due_from, due_at), leased_from)
    for channel_id, (due_from, leased_from) in newest.items():
        marks.set(channel_id, leased_from=leased_from, due_from=due_from)
    return claims


def _claim(row: Sequence[Any], token: UUID) -> Claim:
    (delivery_id, attempt_id, event_id, event_type, body, number, trigger, retries, slowed, troubled, *others) = row
    reached, order_id, contact_id, *channel = others
    fields = (
        *("id", "name", "kind", "url", "encrypted_url", "recipients", "encrypted_headers", "encrypted_secret"),
        *("encrypted_previous_secret", "previous_secret_until"),
    )
    return Claim(
        delivery_id=delivery_id,
        lease_token=token,
        attempt_id=attempt_id,
        event_id=event_id,
        event_type=event_type,
        body=body,
        channel=Channel(**dict(zip(fields, channel, strict=True))),
        number=number,
        trigger=trigger,
        automatic_retries=retries,
        slowed=slowed,
        troubled=troubled,
        reached=tuple(reached),
        order_id=order_id,
        contact_id=contact_id,
    )
