"""`manage.py create_api_key`: makes a key on a host, without the back office."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from api.keys import create_key
from api.models import Scope


class Command(BaseCommand):
    help = "Makes a key of the REST API and prints it, alone on the last line. It is not shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="What the key is for, at most 100 characters.")
        parser.add_argument(
            "--scope",
            action="append",
            default=[],
            dest="scopes",
            help=f"What the key may do; give it once for each of {', '.join(Scope.values)}.",
        )

    def handle(self, *_args: Any, name: str, scopes: list[str], **_options: Any) -> None:
        try:
            record, key = create_key(name=name, scopes=scopes)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stderr.write(f"Key {record.name!r} with scope {', '.join(record.scopes)}. It is not shown again.")
        self.stdout.write(key)
