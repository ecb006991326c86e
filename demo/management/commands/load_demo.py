"""`manage.py load_demo`: the demo's login, channels and two days of orders."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from backoffice.accounts.demo_login import DEMO_ADDRESS, DEMO_LOGIN
from channels_app.models import Channel
from demo.channels import load_channels, point_channels_here
from demo.story import tell_story
from demo.times import ago
from orders.locks import take_lock
from orders.models import Contact, Funnel, Product

_LOCK = 0x7469646D  # one load at a time, also of two launchers on one database


class Command(BaseCommand):
    help = (
        "Loads demo data into an empty database. Where there is something already, it only lets the demo's channels "
        "follow the address of this installation, and gives the demo's login an e-mail address if it has none."
    )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("DEMO is off: demo data brings a login that everybody knows.")
        take_lock(_LOCK)
        if not _is_empty():
            changed = point_channels_here()
            _let_alerts_reach_the_login()
            self.stdout.write("The database is not empty: no demo data loaded.")
            if changed:
                self.stdout.write(f"Channels that follow the new address: {changed}.")
            return
        username, password = DEMO_LOGIN
        get_user_model().objects.create_superuser(username, DEMO_ADDRESS, password)
        with ago(hours=47, minutes=50):
            load_channels(by=username)
        tell_story()
        self.stdout.write("Demo data loaded.")


def _is_empty() -> bool:
    return not any(model.objects.exists() for model in (get_user_model(), Contact, Channel, Product, Funnel))


def _let_alerts_reach_the_login() -> None:
    """A superuser with the demo's name and another password is no demo login."""
    username, password = DEMO_LOGIN
    user = get_user_model().objects.filter(username=username, is_superuser=True, email="").first()
    if user is not None and user.check_password(password):
        user.email = DEMO_ADDRESS
        user.save(update_fields=["email"])
