"""The login that comes with the demo: it is public, so it opens nothing while `DEMO` is off.

A database with demo data may be used for real later. The login is recognised by its password, not by its name, which
can be changed: with another password it is an account like any other.
"""

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.contrib.auth.models import User
from django.core.checks import CheckMessage, Warning, register
from django.core.exceptions import ValidationError
from django.db import Error
from django.db.models import Q

from api.models import ApiKey
from notifications.patience import within

DEMO_LOGIN = ("admin", "tidings-demo")
DEMO_ADDRESS = "admin@example.com"


def is_refused(user: Any) -> bool:
    """Whether this is the demo's login outside of the demo: no new login, no session that there is still."""
    may_be_it = user.is_superuser or user.get_username() == DEMO_LOGIN[0]
    return not settings.DEMO and may_be_it and _is_known(user.password)


def left_over() -> list[User]:
    """The demo's logins in this database; to check the password of every account would take seconds.

    Looked at are the first user of an empty database, and users with the name or the address that it is given.
    """
    first = User.objects.order_by("pk").values("pk")[:1]
    found = User.objects.filter(Q(pk__in=first) | Q(username=DEMO_LOGIN[0]) | Q(email=DEMO_ADDRESS), is_active=True)
    return [user for user in found.order_by("pk") if _is_known(user.password)]


class NotOfTheDemo:
    """A validator of new passwords."""

    def validate(self, password: str, user: object = None) -> None:
        if password == DEMO_LOGIN[1]:
            raise ValidationError("Everybody knows this password: it is the demo's.")

    def get_help_text(self) -> str:
        return "Your password can’t be the one of the demo."


@lru_cache(maxsize=100)
def _is_known(encoded: str) -> bool:
    """Whether this is a hash of the demo's password. It takes as long as a login, so each is looked at once."""
    return check_password(DEMO_LOGIN[1], encoded)


DEMO_LOGIN_IS_LEFT = "accounts.W001"
WAITED_FOR_SECONDS = 2.0


@register
def no_login_of_the_demo(**_: Any) -> list[CheckMessage]:
    """Outside of the demo, that its login and the keys made with it are gone. Nothing where no database is reached."""
    if settings.DEMO:
        return []
    try:
        return within(_look, seconds=WAITED_FOR_SECONDS)
    except Error:
        return []


def _look() -> list[CheckMessage]:
    warnings: list[CheckMessage] = []
    for user in left_over():
        keys = list(ApiKey.objects.filter(made_by=user, revoked_at=None).order_by("pk"))
        name = user.get_username()
        hint = f"Give it a password of its own (manage.py changepassword {name}), or delete it in the back office."
        if keys:
            hint += f" Revoke the API keys that were made with it: {', '.join(map(str, keys))}."
        warnings.append(
            Warning(
                f"The demo's login {name} is in this database, and everybody knows its password. "
                "It is refused while DEMO is off.",
                hint=hint,
                id=DEMO_LOGIN_IS_LEFT,
            )
        )
    return warnings
