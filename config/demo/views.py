"""The demo's receivers and the page that shows what reached them. Mounted in demo mode only."""

from django.conf import settings
from django.contrib.auth.decorators import permission_required, user_passes_test
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from config.demo import receiving
from config.demo.answers import BUSY, BUSY_SECONDS, FAILING
from config.demo.models import ReceivedPostback

MAX_BODY_BYTES = 256 * 1024
ON_A_PAGE = 25
REFRESH_SECONDS = 3
# Who looks after channels, looks after their receivers.
MAY_REPAIR = "channels_app.change_channel"
_staff_only = user_passes_test(lambda user: user.is_active and user.is_staff, login_url="admin:login")


@csrf_exempt
@require_POST
def receive(request: HttpRequest, name: str) -> HttpResponse:
    """Take a postback from anybody who can reach us: 200, the status of a receiver that refuses, 413 above 256 KiB."""
    body = request.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        return JsonResponse({"detail": f"This receiver takes at most {MAX_BODY_BYTES} bytes."}, status=413)
    status = receiving.take_postback(receiver=name, headers=request.headers, body=body)
    detail = "Received." if status == 200 else f"The receiver {name} answers so on purpose."
    wait = {"Retry-After": str(BUSY_SECONDS)} if name == BUSY else {}
    return JsonResponse({"detail": detail}, status=status, headers=wait)


@_staff_only
@never_cache
@require_safe
def received(request: HttpRequest) -> HttpResponse:
    """What arrived, newest first. `?paused=1` does not refresh itself."""
    page = Paginator(ReceivedPostback.objects.all(), ON_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "kept": receiving.KEPT,
        "failing_works": receiving.works(FAILING),
        "may_repair": request.user.has_perm(MAY_REPAIR),
        "paused": "paused" in request.GET,
        "refresh_seconds": REFRESH_SECONDS,
        "time_zone": settings.TIME_ZONE,
    }
    return render(request, "demo/received.html", context)


@_staff_only
@permission_required(MAY_REPAIR, raise_exception=True)
@require_POST
def repair(request: HttpRequest) -> HttpResponse:
    """Repair the failing receiver (`works=yes`) or break it again (`works=no`)."""
    works = request.POST.get("works")
    if works not in {"yes", "no"}:
        return HttpResponse("Say works=yes or works=no.", status=400, content_type="text/plain")
    receiving.set_works(works=works == "yes")
    return redirect("demo:received")
