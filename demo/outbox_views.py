"""The pages of the mail that the demo kept in place of sending it. Mounted in demo mode only."""

from csp.constants import HEADER, NONE, SELF, UNSAFE_INLINE
from csp.utils import build_policy
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from backoffice.content_security import PLAIN
from demo import outbox
from demo.mails import for_frame, read_mail
from demo.models import KeptMail
from demo.pages import list_context, staff_only

WITH_FRAME = build_policy({**PLAIN, "frame-src": [SELF]})
# A mail may style itself and do nothing else, also where its address is opened without the frame.
OF_A_MAIL = build_policy(
    {
        "default-src": [NONE],
        "style-src": [UNSAFE_INLINE],
        "base-uri": [NONE],
        "form-action": [NONE],
        "frame-ancestors": [SELF],
        "sandbox": [True],
    }
)


@staff_only
@never_cache
@require_safe
def mails(request: HttpRequest) -> HttpResponse:
    """The mails, newest first. Those that set a new password are for superusers: else staff would read everybody's."""
    context = list_context(request, KeptMail.objects.shown_to(request.user).defer("raw"), kept=outbox.KEPT)
    return render(request, "demo/outbox.html", {**context, "in_use": outbox.is_in_use()})


@staff_only
@never_cache
@require_safe
def mail(request: HttpRequest, pk: int) -> HttpResponse:
    """One mail: its headers, its parts and its source."""
    kept = get_object_or_404(KeptMail.objects.shown_to(request.user), pk=pk)
    readable = read_mail(bytes(kept.raw), recipients=kept.recipients)
    response = render(request, "demo/mail.html", {"mail": kept, "readable": readable})
    response[HEADER] = WITH_FRAME
    return response


@staff_only
@never_cache
@require_safe
@xframe_options_sameorigin
def html(request: HttpRequest, pk: int) -> HttpResponse:
    """The HTML part by itself, for the frame in the page of its mail; 404 where there is none."""
    kept = get_object_or_404(KeptMail.objects.shown_to(request.user), pk=pk)
    content = read_mail(bytes(kept.raw)).html
    if not content:
        raise Http404("This mail has no HTML part.")
    return HttpResponse(for_frame(content), headers={HEADER: OF_A_MAIL})
