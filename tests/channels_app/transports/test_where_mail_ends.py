"""An installation that sends no mail says so: a channel that prints its messages looks as if it worked."""

import pytest
from django.core import checks

from channels_app.checks import MAIL_STAYS_HERE
from channels_app.transports.email.mailserver import ENDS, where_mail_ends

# Other checks look into the database.
pytestmark = pytest.mark.django_db

SMTP = "django.core.mail.backends.smtp.EmailBackend"


def warnings() -> list[str]:
    return [warning.msg for warning in checks.run_checks() if warning.id == MAIL_STAYS_HERE]


@pytest.mark.parametrize("backend", ENDS)
def test_production_is_warned_of_a_backend_that_sends_nothing(settings, backend):
    settings.EMAIL_BACKEND, settings.DEBUG, settings.DEMO = backend, False, False
    assert warnings() == [
        f"Mail is not sent but {ENDS[backend]}: e-mail channels, alerts and password resets reach nobody."
    ]


@pytest.mark.parametrize(("backend", "demo"), [(SMTP, False), (SMTP, True), ("demo.outbox.OutboxBackend", True)])
def test_smtp_and_the_demo_are_not(settings, backend, demo):
    settings.EMAIL_BACKEND, settings.DEBUG, settings.DEMO = backend, False, demo
    assert warnings() == []
    assert bool(where_mail_ends()) == (backend != SMTP)
