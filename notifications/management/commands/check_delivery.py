from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from notifications import monitoring


class Command(BaseCommand):
    help = "Exits non-zero, saying what is wrong, when deliveries are not going out as they should."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--max-age",
            type=float,
            default=monitoring.LONGEST_WAIT_SECONDS,
            metavar="SECONDS",
            help="how long a due delivery may wait (%(default)s)",
        )

    def handle(self, *args: Any, max_age: float, **options: Any) -> None:
        condition = monitoring.look()
        if problems := condition.problems(max_age=max_age):
            raise CommandError("\n".join(problems))
        self.stdout.write("Delivering: database, broker, worker and beat are well, and no delivery is overdue.")
