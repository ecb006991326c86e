"""What somebody sees who has guessed too often. django-axes counts; the numbers stand in the settings."""

from typing import Any

from axes.helpers import get_cool_off
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from backoffice.frame import plain_page


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
