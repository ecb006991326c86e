"""Looks at the way of mail: where it ends, and whether the server of `EMAIL_URL` greets us and lets us sign in."""

from collections.abc import Sequence

from django.conf import settings

from channels_app.checks import mail_is_sent
from channels_app.transports.email.greeting import why_no_mail
from channels_app.transports.email.mailserver import MailServer, where_mail_ends
from config.doctor.examination import Finding, fault, ok, unknown, warning
from config.doctor.hosts import is_here

GREETING_SECONDS = 3.5


def look_at_mail() -> Sequence[Finding]:
    """Sends nothing: the session ends where a mail would begin."""
    if told := mail_is_sent():
        return [warning(message.msg, message.hint or "") for message in told]
    if ends := where_mail_ends():
        return [ok(f"Mail is not sent but {ends}.")]
    server = MailServer.of_settings()
    if server is None:
        return [unknown(f"Mail goes by {settings.EMAIL_BACKEND}, which is not ours to ask.")]
    if why := why_no_mail(server, seconds=GREETING_SECONDS):
        return [fault(why, "Mend EMAIL_URL, or the mail server.")]
    signed_in = " and lets us sign in" if server.user and server.password else ""
    says = f"{server} greets us{signed_in}."
    if not server.tls and not is_here(server.host):
        return [warning(f"{says} Nothing is encrypted on the way there.", "Let EMAIL_URL begin with smtp+tls://.")]
    return [ok(says)]
