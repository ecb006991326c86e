"""What `manage.py check` says of the accounts in the database."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register
from django.db import Error

from api.models import ApiKey
from backoffice.accounts.demo_login import left_over
from notifications.patience import within

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
