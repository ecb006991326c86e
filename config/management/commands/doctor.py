"""`manage.py doctor`: `config.doctor` at the terminal."""

import logging
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from config.doctor.checks import DATABASE, all_checks
from config.doctor.examination import examine
from config.doctor.report import tell


class Command(BaseCommand):
    help = (
        "Looks at database, broker, worker, beat, clock, mail, keys, proxies, disk and versions, and says what to do: "
        "a line each, ok, warning, fault or unknown. Changes and sends nothing. Exits with 1 where there is a fault."
    )
    requires_system_checks = []  # they are one of the checks here, with a limit of time

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document instead of lines")

    def handle(self, *args: Any, as_json: bool, **options: Any) -> None:
        logging.disable(logging.CRITICAL)  # each line says what a log record would repeat
        try:
            status = tell(examine(all_checks(), database=DATABASE), self.stdout.write, as_json=as_json)
        finally:
            logging.disable(logging.NOTSET)
        if status:
            sys.exit(status)
