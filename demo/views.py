"""The demo's receivers and the page that shows what reached them. Mounted in demo mode only."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from demo import receiving
from demo.answers import BUSY, BUSY_SECONDS, FAILING
from demo.models import ReceivedPostback
from demo.pages import MAX_BODY_BYTES, list_context, staff_only, whole_body

# Who looks after channels, looks after their receivers.
MAY_REPAIR = "channels_app.change_channel"


@csrf_exempt
@require_POST
def receive(request: HttpRequest, name: str) -> HttpResponse:
    """Take a postback from anybody who can reach us: 200, the status of a receiver that refuses, 413 above 256 KiB."""
    body = whole_body(request)
    if body is None:
        return JsonResponse({"detail": f"This receiver takes at most {MAX_BODY_BYTES} bytes."}, status=413)
    status = receiving.take_postback(receiver=name, headers=request.headers, body=body)
    detail = "Received." if status == 200 else f"The receiver {name} answers so on purpose."
    wait = {"Retry-After": str(BUSY_SECONDS)} if name == BUSY else {}
    return JsonResponse({"detail": detail}, status=status, headers=wait)


@staff_only
@never_cache
@require_safe
def received(request: HttpRequest) -> HttpResponse:
    """What arrived, newest first."""
    context = {
        **list_context(request, ReceivedPostback.objects.all(), kept=receiving.KEPT),
        "failing_works": receiving.works(FAILING),
        "may_repair": request.user.has_perm(MAY_REPAIR),
    }
    return render(request, "demo/received.html", context)


@staff_only
@permission_required(MAY_REPAIR, raise_exception=True)
@require_POST
def repair(request: HttpRequest) -> HttpResponse:
    """Repair the failing receiver (`works=yes`) or break it again (`works=no`)."""
    works = request.POST.get("works")
    if works not in {"yes", "no"}:
        return HttpResponse("Say works=yes or works=no.", status=400, content_type="text/plain")
    receiving.set_works(works=works == "yes")
    return redirect("demo:received")
