"""`manage.py check_delivery`: `notifications.monitoring` as an exit code."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection

from notifications import monitoring


class Command(BaseCommand):
    help = (
        "Exits non-zero, saying what is wrong, when deliveries are not going out as they should. Says for which "
        "channels deliveries wait, which is nothing that the workers could mend, and no reason for a non-zero exit."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--max-age",
            type=float,
            default=monitoring.LONGEST_WAIT_SECONDS,
            metavar="SECONDS",
            help="how long a delivery may wait that could be sent now (%(default)s)",
        )

    def handle(self, *args: Any, max_age: float, **options: Any) -> None:
        condition = monitoring.look()
        waits = condition.waits()
        if problems := condition.problems(max_age=max_age):
            causes = [] if condition.database else _why_not_reached()
            raise CommandError("\n".join([*problems, *waits, *causes]))
        overdue = "nothing that could be sent now is overdue" if waits else "no delivery is overdue"
        self.stdout.write(f"Delivering: database, broker, worker and beat are well, and {overdue}.")
        for sentence in waits:
            self.stdout.write(sentence)


def _why_not_reached() -> list[str]:
    """The cause, for the operator's eyes alone: it may name the host and the user."""
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        return [str(error)]
    return []
