"""What counts as too many failed logins: django-axes' own count of a name from an address, and one of the address."""

from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_failure_limit
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest


class ThrottleHandler(AxesDatabaseHandler):
    """Also locks an address out that fails with many names, each of them below the limit of one."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """As many as the limit, at least, where the address alone has reached its own."""
        failures: int = super().get_failures(request, credentials)
        limit: int = get_failure_limit(request, credentials)
        if failures < limit and _from_address(request) >= settings.LOGIN_FAILURES_OF_AN_ADDRESS:
            request.address_locked_out = True  # type: ignore[attr-defined]
            return limit
        return failures


def _from_address(request: Any) -> int:
    """Failures within the cool-off. Behind a proxy that names nobody all clients would be one: they are not counted."""
    if request.axes_ip_address is None:
        return 0
    recent = AccessAttempt.objects.filter(
        ip_address=request.axes_ip_address, attempt_time__gte=get_cool_off_threshold(request)
    )
    return recent.aggregate(failures=Sum("failures_since_start"))["failures"] or 0
