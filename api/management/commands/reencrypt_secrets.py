"""`manage.py reencrypt_secrets`: `api.reencryption` at the terminal, with its report."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from api import reencryption
from api.reencryption import Report, Tally


class Command(BaseCommand):
    help = (
        "Writes all secrets anew with the newest of SECRETS_ENCRYPTION_KEYS, so that older keys can be removed. "
        "Safe beside running workers and web, and to be run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        try:
            report = reencryption.reencrypt(dry_run=dry_run)
            self._tell(report, dry_run)
            if report.lost:
                raise CommandError(_lost(report.lost))
            if report.rewritten and dry_run:
                self.stdout.write("Nothing was changed. Older keys are still needed.")
                return
            # What was written behind our back was written by a process that has yet to hear of the newest key.
            if report.rewritten and reencryption.reencrypt(dry_run=True).rewritten:
                raise CommandError(
                    "Something still writes with an older key. Restart web, workers and beat with the present "
                    "SECRETS_ENCRYPTION_KEYS, then run this command again."
                )
        except OperationalError as error:
            raise CommandError(f"Stopped half-way: {error}Run the command again: it goes on from there.") from error
        self.stdout.write("Every secret is under the newest key; older keys can be removed.")

    def _tell(self, report: Report, dry_run: bool) -> None:
        self.stdout.write(f"Secrets and extra headers of channels: {_counts(report.channels, dry_run)}")
        self.stdout.write(f"Answers kept for an Idempotency-Key: {_counts(report.answers, dry_run)}")
        if report.unneeded:
            self.stdout.write(
                f"Nobody needs {report.unneeded} of what cannot be read: it is of deleted channels or of secrets that "
                "have ended, or an answer that is kept for a day at most."
            )


def _counts(tally: Tally, dry_run: bool) -> str:
    rewritten = "to be rewritten" if dry_run else "rewritten"
    return f"{tally.rewritten} {rewritten}, {tally.up_to_date} up to date, {tally.unreadable} cannot be read."


def _lost(channels: list[str]) -> str:
    lines = "\n".join(f"  {channel}" for channel in channels)
    return (
        f"No key in SECRETS_ENCRYPTION_KEYS opens these secrets, which were left as they are:\n{lines}\n"
        "Put the key that wrote them back at the end of SECRETS_ENCRYPTION_KEYS and run this command again, or rotate "
        "the secret and give the extra headers, or the webhook URL, anew. Until then remove no key."
    )
