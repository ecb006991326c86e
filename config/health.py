"""What a supervisor asks of this process."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@never_cache
@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    """The process is up. It asks nobody else, so a broken database does not get it restarted."""
    return JsonResponse({"status": "ok"})
