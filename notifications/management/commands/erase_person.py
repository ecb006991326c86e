"""`manage.py erase_person`: `notifications.erasure` at the terminal, with a question before."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from notifications import erasure
from notifications.history import operator


class Command(BaseCommand):
    help = "Erases a person's data from the payloads of events and from what receivers answered. It cannot be undone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the person's e-mail address")
        parser.add_argument("--yes", action="store_true", help="do not ask before")
        parser.add_argument("--dry-run", action="store_true", help="say what would be erased, and change nothing")

    def handle(self, *args: Any, email: str, yes: bool, dry_run: bool, **options: Any) -> None:
        found = erasure.find(email)
        if found.nothing_known:
            raise CommandError("There is no contact and no survey answer with this e-mail address.")
        if not found.events and not found.corrections:
            self.stdout.write(f"Nothing is left to erase of {found.whose} ({found.erased_before} events are erased).")
            return
        self.stdout.write(f"Of {found.whose}: {found.events} events, {found.deliveries} deliveries.")
        if found.unsent:
            self.stdout.write(f"Deliveries still to be sent, which will fail instead: {found.unsent}.")
        if dry_run:
            self.stdout.write("Nothing was changed.")
            return
        if not yes:
            self._ask()
        try:
            done = erasure.erase(email, by=operator())
        except OperationalError as error:
            raise CommandError(f"Stopped half-way: {error}Run the command again: it goes on from there.") from error
        self.stdout.write(
            f"Erased from {done.events} events and {done.deliveries} deliveries.\n"
            f"Deliveries that were still to be sent and failed instead: {done.stopped}.\n"
            "The contact in the shop, with its orders and survey answers, was not touched.\n"
            "Answers kept for an Idempotency-Key may hold the person's data; they end by themselves within 24 hours.\n"
            "What receivers have been sent before is with them."
        )

    def _ask(self) -> None:
        if not sys.stdin.isatty():
            raise CommandError("Nothing was changed. Where nobody can be asked, add --yes.")
        if input("This cannot be undone. Type yes to erase: ").strip().lower() != "yes":
            raise CommandError("Nothing was changed.")
