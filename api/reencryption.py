"""Writes everything that is encrypted at rest anew with the newest key, so that older keys can be taken away.

All that `channels_app.encryption` has written is listed here: `CHANNEL_SECRETS` and the answers kept for an
`Idempotency-Key`. Each batch is one short transaction, which holds the rows as the services do, so that nothing that
is changed meanwhile is lost. What is up to date is left alone: run again, it goes on from where it stopped.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from api.models import IdempotencyRecord
from channels_app import earlier_secrets
from channels_app.encryption import SecretUnreadable, position_of_key, renewed
from channels_app.models import Channel

log = structlog.get_logger(__name__)

BATCH = 100
# The columns, and what people call them.
CHANNEL_SECRETS = {
    "encrypted_url": "URL",
    "encrypted_secret": "signing secret",
    "encrypted_previous_secret": "previous signing secret",
    "encrypted_headers": "extra headers",
    "encrypted_settings": "settings",
    "earlier_secrets": "earlier signing secrets",
}


@dataclass
class Tally:
    """How many secrets each key had written, by its position in `SECRETS_ENCRYPTION_KEYS`, and none that there is."""

    by_key: Counter[int] = field(default_factory=Counter)
    unreadable: int = 0

    @property
    def up_to_date(self) -> int:
        """Under the newest key."""
        return self.by_key[0]

    @property
    def rewritten(self) -> int:
        """Under an older one."""
        return self.by_key.total() - self.up_to_date


@dataclass
class Report:
    """What a run found. `lost` names the channels that need what no key opens: each with its id and what it is."""

    channels: Tally = field(default_factory=Tally)
    answers: Tally = field(default_factory=Tally)
    lost: list[str] = field(default_factory=list)
    # Of deleted channels, of ended secrets, and answers: no one asks for these again, or not for longer than a day.
    unneeded: int = 0

    @property
    def rewritten(self) -> int:
        return self.channels.rewritten + self.answers.rewritten


def reencrypt(*, dry_run: bool = False) -> Report:
    """Put every secret under the newest key; what no key opens is left as it is. With `dry_run` only look.

    Raises `django.db.Error` when PostgreSQL is away; what was done until then stays done.
    """
    report = Report()
    _renew_channels(report, dry_run)
    _renew_answers(report, dry_run)
    log.info(
        "secrets_reencrypted",
        dry_run=dry_run,
        rewritten=report.rewritten,
        up_to_date=report.channels.up_to_date + report.answers.up_to_date,
        unreadable=report.channels.unreadable + report.answers.unreadable,
        channels_lost=len(report.lost),
    )
    return report


def look_at_channels() -> Report:
    """What `reencrypt` would find of channels, which stay as they are. Raises `django.db.Error`."""
    report = Report()
    _renew_channels(report, dry_run=True)
    return report


def look_at_answers() -> Report:
    """What `reencrypt` would find of kept answers, of which there may be many. Raises `django.db.Error`."""
    report = Report()
    _renew_answers(report, dry_run=True)
    return report


def _renew_channels(report: Report, dry_run: bool) -> None:
    for channel, columns in _walk(Channel.objects.all(), list(CHANNEL_SECRETS), report.channels, dry_run):
        needed = [CHANNEL_SECRETS[column] for column in columns if _is_needed(channel, column)]
        report.unneeded += len(columns) - len(needed)
        if needed:
            report.lost.append(f"{channel.name} ({channel.pk}): {', '.join(needed)}")


def _renew_answers(report: Report, dry_run: bool) -> None:
    for _ in _walk(IdempotencyRecord.objects.all(), ["encrypted_answer"], report.answers, dry_run):
        report.unneeded += 1


def _walk(
    rows: models.QuerySet[Any], columns: Sequence[str], tally: Tally, dry_run: bool
) -> Iterator[tuple[Any, list[str]]]:
    """Renew these columns of all rows, by their keys. Yields each row that has unreadable ones, with these."""
    after = Q()
    while True:
        unreadable: list[tuple[Any, list[str]]] = []
        with transaction.atomic():
            found = rows.filter(after).order_by("pk")
            if not dry_run:
                found = found.select_for_update(no_key=True)
            batch = list(found[:BATCH])
            changed = []
            for row in batch:
                before = tally.rewritten
                if lost := _renew(row, columns, tally):
                    unreadable.append((row, lost))
                if tally.rewritten > before:
                    changed.append(row)
            if not dry_run:
                rows.model._base_manager.bulk_update(changed, columns)
        yield from unreadable
        if len(batch) < BATCH:
            return
        after = Q(pk__gt=batch[-1].pk)


def _renew(row: models.Model, columns: Sequence[str], tally: Tally) -> list[str]:
    """Encrypt the columns of a row anew, without saving it. Returns those that no key opens, or not all of them."""
    lost = []
    for column in columns:
        stored: str = getattr(row, column)
        if column == "earlier_secrets":
            before = earlier_secrets.parse(stored)
            tokens = [_renewed(each.encrypted, tally) for each in before]
            unreadable = None in tokens
            new = earlier_secrets.dump(
                replace(each, encrypted=token or each.encrypted) for each, token in zip(before, tokens, strict=True)
            )
        else:
            token = _renewed(stored, tally) if stored else ""
            unreadable = token is None
            new = token or stored
        if unreadable:
            lost.append(column)
        setattr(row, column, new)
    return lost


def _renewed(token: str, tally: Tally) -> str | None:
    """None where no key opens it."""
    try:
        position = position_of_key(token)
    except SecretUnreadable:
        tally.unreadable += 1
        return None
    tally.by_key[position] += 1
    return renewed(token) if position else token


def _is_needed(channel: Channel, column: str) -> bool:
    """Whether something is sent with it, now or later."""
    if channel.archived_at:
        return False
    if column == "encrypted_previous_secret":
        return bool(channel.previous_secret_until and channel.previous_secret_until > timezone.now())
    if column == "earlier_secrets":
        kept = earlier_secrets.parse(channel.earlier_secrets)
        return any(each.until > timezone.now() and each.readable is None for each in kept)
    return True
