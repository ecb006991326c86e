"""The login: its form, what counts as too many failures, and what is answered then. The limits are settings."""

from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_cool_off, get_failure_limit
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.forms import AuthenticationForm

from backoffice.frame import plain_page


class LoginForm(AuthenticationForm):
    """Refuses a name longer than any user has without a look: the record of failed attempts cannot hold it."""

    def clean(self) -> dict[str, Any]:
        longest = User._meta.get_field("username").max_length or 0
        if len(self.cleaned_data.get("username", "")) > longest:
            raise self.get_invalid_login_error()
        cleaned: dict[str, Any] = super().clean()
        return cleaned


class ThrottleHandler(AxesDatabaseHandler):
    """Also locks an address out that fails with many names, each of them below the limit of one."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """The failures of the name; at least the limit where the address has reached its own."""
        failures: int = super().get_failures(request, credentials)
        limit: int = get_failure_limit(request, credentials)
        if failures < limit and _from_address(request) >= settings.LOGIN_FAILURES_OF_AN_ADDRESS:
            request.address_locked_out = True  # type: ignore[attr-defined]
            return limit
        return failures


def _from_address(request: Any) -> int:
    """Failures within the cool-off. Not counted behind a proxy that names no client: all would be one."""
    if request.axes_ip_address is None:
        return 0
    recent = AccessAttempt.objects.filter(
        ip_address=request.axes_ip_address, attempt_time__gte=get_cool_off_threshold(request)
    )
    return recent.aggregate(failures=Sum("failures_since_start"))["failures"] or 0


def locked_out(
    request: HttpRequest, _original: HttpResponse | None = None, _credentials: dict[str, Any] | None = None
) -> HttpResponse:
    """429 with `Retry-After`. It says the same whether or not there is such a user."""
    seconds = int(cool_off.total_seconds()) if (cool_off := get_cool_off(request)) else 0
    whose = "" if getattr(request, "address_locked_out", False) else " with this name"
    response = plain_page(
        request,
        status=429,
        title="Too many failed logins",
        text=[
            f"Logging in{whose} is blocked from where you are. Wait {seconds // 60} minutes and try again.",
            "If you have forgotten your password, set a new one: that also ends the wait. "
            "Or ask whoever runs Tidings to unlock you.",
        ],
        links=[("Set a new password", reverse("admin:password_reset")), ("Back to the login", reverse("admin:login"))],
    )
    response["Retry-After"] = str(seconds)
    return response
