from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import transaction

DEMO_LOGIN = ("admin", "tidings-demo")


class Command(BaseCommand):
    help = "Loads demo data into an empty database; does nothing where there are users already."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        users = get_user_model()
        if users.objects.exists():
            self.stdout.write("The database is not empty: no demo data loaded.")
            return
        username, password = DEMO_LOGIN
        users.objects.create_superuser(username, "admin@example.com", password)
        self.stdout.write("Demo data loaded.")
