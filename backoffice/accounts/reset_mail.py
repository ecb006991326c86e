"""The mail with a link to set a new password, as a worker makes and sends it."""

import time
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.contrib.auth.forms import PasswordResetForm
from django.core.mail import EmailMessage, get_connection
from django.template.loader import render_to_string
from django.urls import reverse

from channels_app.transports.email.message import automatic_headers
from notifications.public_links import public_link

log = structlog.get_logger(__name__)


class ResetMail(PasswordResetForm):
    """Sends a link to everybody who has this address, can log in with a password and is active."""

    def send(self) -> bool:
        """Returns whether all who should have a link have one. Takes `EMAIL_TIMEOUT` seconds at most.

        The link is made of `PUBLIC_URL`: the Host header of a request is whatever its sender likes.
        """
        self._until = time.monotonic() + settings.EMAIL_TIMEOUT
        self._failed = False
        public = urlsplit(settings.PUBLIC_URL)
        if self.is_valid():
            self.save(
                domain_override=public.netloc,
                use_https=public.scheme == "https",
                subject_template_name="accounts/password_reset_subject.txt",
                email_template_name="accounts/password_reset_mail.txt",
            )
        return not self._failed

    def send_mail(
        self,
        subject_template_name: str,
        email_template_name: str,
        context: dict[str, Any],
        from_email: str | None,
        to_email: str,
        html_email_template_name: str | None = None,
    ) -> None:
        """Send the link to one user. A failure is logged: there is no client to answer."""
        page = reverse("admin:password_reset_confirm", args=[context["uid"], context["token"]])
        context = {**context, "link": public_link(page)}
        subject = " ".join(render_to_string(subject_template_name, context).split())
        body = render_to_string(email_template_name, context)
        try:
            connection = get_connection(timeout=max(self._until - time.monotonic(), 0.0))
            EmailMessage(
                subject, body, from_email, [to_email], headers=automatic_headers(), connection=connection
            ).send()
        except Exception as error:
            self._failed = True
            log.exception("password_reset_not_sent", user=context["user"].pk, error=str(error))
