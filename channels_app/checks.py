"""System checks of the installation, for `manage.py check`."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

from channels_app.transports.email.mailserver import where_mail_ends

MAIL_STAYS_HERE = "channels_app.W001"


@register
def mail_is_sent(**_: Any) -> list[CheckMessage]:
    """Check that mail is sent by SMTP in production."""
    ends = where_mail_ends()
    if not ends or settings.DEBUG or settings.DEMO:
        return []
    return [
        Warning(
            f"Mail is not sent but {ends}: e-mail channels, alerts and password resets reach nobody.",
            hint="Set EMAIL_URL, such as smtp+tls://user:password@host:587.",
            id=MAIL_STAYS_HERE,
        )
    ]
