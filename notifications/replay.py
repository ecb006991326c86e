"""Sends again what failed on a channel, a few at a time: a job in PostgreSQL that survives every restart.

The engine moves jobs on at each sweep. At most `AT_ONCE` replayed deliveries of a channel are pending at a time, those
that wait for an automatic retry included, so a large backlog neither floods the receiver nor stands in front of what
happens now.
"""

from collections.abc import Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from channels_app.services import lock_channel
from notifications import doorbell, history
from notifications.display import counted
from notifications.errors import Conflict
from notifications.events import EVENT_TYPES
from notifications.models import TEST_EVENT_PREFIX, Delivery, ReplayJob
from notifications.tally import take_back

AT_ONCE = 100

# The next deliveries of a job, as far as there is room; those without a body, or with an erased one, are passed over.
ADVANCE = """
WITH room AS (
    SELECT greatest(0, %(at_once)s - count(*)) AS rows FROM notifications_delivery
    WHERE channel_id = %(channel)s AND status = 'pending' AND replayed AND NOT is_alert
),
next AS MATERIALIZED (
    SELECT delivery.id, delivery.finished_at FROM notifications_delivery delivery
    JOIN notifications_event event ON event.id = delivery.event_id
    WHERE delivery.channel_id = %(channel)s AND delivery.status = 'failed' AND NOT delivery.is_alert
        AND delivery.finished_at >= %(since)s AND delivery.finished_at <= %(until)s
        AND (cardinality(%(types)s::text[]) = 0 OR delivery.event_type = ANY(%(types)s::text[]))
        AND event.body IS NOT NULL AND event.erased_at IS NULL AND NOT starts_with(event.id, %(test)s)
    ORDER BY delivery.finished_at LIMIT (SELECT rows FROM room) FOR UPDATE OF delivery SKIP LOCKED
),
moved AS (
    UPDATE notifications_delivery delivery
    SET status = 'pending', finished_at = NULL, next_attempt_at = statement_timestamp(), next_trigger = 'replay',
        automatic_retries = 0, unknowns_in_row = 0, replayed = true
    FROM next WHERE delivery.id = next.id RETURNING next.finished_at
)
SELECT (SELECT array_agg(finished_at) FROM moved), (SELECT rows FROM room)
"""


@transaction.atomic
def start_replay(
    *, channel_id: str, since: datetime, event_types: Sequence[str] = (), dry_run: bool = False, by: str
) -> ReplayJob:
    """Have the deliveries that failed on this channel since then sent again, of any event type. A dry run counts.

    Raises `ValidationError` (unknown event type), `Conflict` (paused, or a replay is running), `Channel.DoesNotExist`.
    """
    for index, key in enumerate(event_types):
        if key not in EVENT_TYPES:
            raise ValidationError({f"event_types[{index}]": ["There is no such event type."]})
    channel = lock_channel(channel_id)
    if channel.paused_at and not dry_run:
        raise Conflict("The channel is paused. Resume it first.")
    job = ReplayJob(
        channel=channel, since=since, event_types=list(event_types), dry_run=dry_run, requested_by=by, count=0
    )
    job.count = _failed(job).count()
    if dry_run or not job.count:
        job.status, job.finished_at = ReplayJob.Status.FINISHED, Now()
    try:
        with transaction.atomic():
            job.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("A replay of this channel is running already.") from error
    job.refresh_from_db()
    if job.count and not dry_run:
        failed = counted(job.count, "failed delivery", grouped=True)
        history.record(
            action=history.Action.REPLAYED,
            by=by,
            sentence=f"{channel.name} is sent {failed} again, of those since {since:%Y-%m-%d %H:%M:%S %Z}.",
            channel=channel,
        )
    doorbell.ring_on_commit()
    return job


def advance() -> int:
    """Move every running job on as far as there is room. Returns how many deliveries became pending.

    Safe under several workers; lock order is channel, job, deliveries.
    """
    moved = 0
    for job_id, channel_id in ReplayJob.objects.filter(status="running").values_list("pk", "channel_id"):
        with transaction.atomic():
            moved += _advance(job_id, channel_id)
    return moved


def _advance(job_id: str, channel_id: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT archived_at IS NOT NULL, paused_at IS NOT NULL FROM channels_app_channel WHERE id = %s "
            "FOR NO KEY UPDATE SKIP LOCKED",
            [channel_id],
        )
        channel = cursor.fetchone()
    if channel is None:
        return 0  # Another worker holds it. The job is not touched: that would hold up the other one.
    job = ReplayJob.objects.select_for_update(skip_locked=True).filter(pk=job_id, status="running").first()
    if job is None:
        return 0
    archived, paused = channel
    finished_at, room = ([], 1) if archived else ([], 0) if paused else _move(job)
    moved = len(finished_at)
    job.replayed += moved
    if moved < room:
        job.status, job.finished_at = ReplayJob.Status.FINISHED, Now()
    job.save(update_fields=["replayed", "status", "finished_at"])
    take_back((channel_id, at, Delivery.Status.FAILED) for at in finished_at)
    return moved


def _move(job: ReplayJob) -> tuple[list[datetime], int]:
    """When those were finished that are pending now, and for how many there was room."""
    with connection.cursor() as cursor:
        cursor.execute(
            ADVANCE,
            {
                "at_once": AT_ONCE,
                "channel": job.channel_id,
                "since": job.since,
                "until": job.created_at,
                "types": job.event_types,
                "test": TEST_EVENT_PREFIX,
            },
        )
        finished_at, room = cursor.fetchone()
        return finished_at or [], int(room)


def _failed(job: ReplayJob) -> QuerySet[Delivery]:
    failed = Delivery.objects.filter(
        channel=job.channel,
        status="failed",
        finished_at__gte=job.since,
        event__body__isnull=False,
        event__erased_at=None,
    ).exclude(event__id__startswith=TEST_EVENT_PREFIX)
    return failed.filter(event_type__in=job.event_types) if job.event_types else failed
