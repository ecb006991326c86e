"""The delivery log: each delivery with its attempts, the retry, and the log as a file."""

import shlex
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from backoffice.frame import address_of, crumbs, done, look_again_after, may, page, unless_seen
from backoffice.notifications import csv_export
from backoffice.notifications.filters import DeliveryFilters
from backoffice.notifications.log_admin import LogAdmin, without_edge
from backoffice.recipients import recipients_of_delivery
from channels_app.transports import takes
from notifications import services
from notifications.display import counted, pretty_json
from notifications.errors import Conflict
from notifications.events import event_label
from notifications.models import EVENT_TEXTS, TEST_EVENT_PREFIX, Delivery, DeliveryAttempt

# What curl says by itself.
_LEFT_OUT = {"host", "content-length", "connection"}


def sends_body(delivery: Delivery) -> bool:
    """Whether its channel is sent the bytes of the event, and not a message in words that is made from them."""
    return delivery.channel.kind == "postback"


def curl_of(attempt: DeliveryAttempt, delivery: Delivery) -> str:
    """`as_curl` of an attempt of this delivery; "" where the same cannot be sent again."""
    event = delivery.event
    if not (attempt.url and sends_body(delivery)) or event.body is None or event.erased_at:
        return ""
    return as_curl(attempt, event.body, url=attempt.shown_url)


def as_curl(attempt: DeliveryAttempt, body: str, *, url: str = "") -> str:
    """A command for a POSIX shell that sends the same request: address, recorded headers, the bytes of the body.

    `url` is the address to show where that is another one. Values that the log masks are masked here too. `-g` takes
    the address as it is, `-i` shows the answer's headers.
    """
    lines = [f"curl -gi {shlex.quote(url or attempt.url)}"]
    for name, value in attempt.request_headers.items():
        if name.lower() not in _LEFT_OUT:
            # curl leaves out a header without a value, unless it is written with a semicolon.
            lines.append(f"-H {shlex.quote(f'{name}: {value}' if value else f'{name};')}")
    lines.append(f"--data-raw {shlex.quote(body)}")
    return " \\\n  ".join(lines)


PERMISSION_TO_RETRY = "notifications.change_delivery"
# How often the page of an unsettled delivery looks again while nothing is about to happen.
LATER_SECONDS = 10


@admin.register(Delivery)
class DeliveryAdmin(LogAdmin):
    """Searched, read and retried."""

    log_title = "Delivery log"
    filters = DeliveryFilters
    log_template = "notifications/delivery_log.html"

    def shown(self, rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return rows.select_related("event__order", "channel").defer(*EVENT_TEXTS)

    def log_context(self, request: HttpRequest) -> dict[str, Any]:
        log = reverse("admin:notifications_delivery_changelist")
        return {"csv_url": f"{log}csv/{without_edge(request)}", "most_rows": csv_export.MOST_ROWS}

    def get_urls(self) -> list[URLPattern]:
        retry = self.admin_site.admin_view(require_POST(self.retry))
        return [
            path("csv/", self.admin_site.admin_view(require_safe(self.csv)), name="notifications_delivery_csv"),
            path("<path:object_id>/retry/", retry, name="notifications_delivery_retry"),
            path(
                "<path:object_id>/state/",
                self.admin_site.admin_view(require_safe(self.state)),
                name="notifications_delivery_state",
            ),
            *super().get_urls(),
        ]

    def csv(self, request: HttpRequest) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = self.filters(request.GET)
        rows = form.rows()
        if form.errors:
            return HttpResponseBadRequest("Nothing is downloaded: the filters of the log have errors.")
        return csv_export.export(rows)

    @method_decorator(require_safe)
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        delivery = self._delivery(object_id)
        return page(
            request,
            "notifications/delivery.html",
            title=f"{event_label(delivery.event_type)} to {delivery.channel.name}",
            crumbs=crumbs("notifications_delivery_changelist"),
            body=pretty_json(delivery.event.body),
            **_state(request, delivery),
        )

    @method_decorator(never_cache)
    def state(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The part of the page that changes; 204 while it is as the page shows it (`?seen=`)."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        state = _state(request, self._delivery(object_id))
        context = {**state, "fragment": True}
        return unless_seen(
            request,
            state["version"],
            lambda: TemplateResponse(request, "notifications/includes/delivery_news.html", context),
        )

    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Back to the delivery's page; to htmx, the part of it that changes."""
        if not may(request, PERMISSION_TO_RETRY):
            raise PermissionDenied
        delivery = self._delivery(object_id)
        try:
            services.retry_delivery(delivery_id=delivery.pk, by=request.user.get_username())
        except Conflict as error:
            retried, sentence = False, f"No retry: {error}"
        else:
            retried = True
            sentence = f"{event_label(delivery.event_type)} is being sent to {delivery.channel.name} again."
        if request.headers.get("HX-Request"):
            state = _state(request, self._delivery(object_id))
            context = {**state, "fragment": True, "sentence": sentence, "refused": not retried, "take_focus": True}
            news = TemplateResponse(request, "notifications/includes/delivery_news.html", context)
            return done(news) if retried else news
        messages.add_message(request, messages.SUCCESS if retried else messages.ERROR, sentence)
        return redirect(address_of(delivery))

    def _delivery(self, object_id: str) -> Delivery:
        deliveries = Delivery.objects.select_related("event__order", "event__contact", "channel")
        try:
            return deliveries.get(pk=unquote(object_id))
        except Delivery.DoesNotExist as error:
            raise Http404("There is no such delivery.") from error


def _state(request: HttpRequest, delivery: Delivery) -> dict[str, Any]:
    """The context of a delivery's page, with the part that changes until the delivery is settled."""
    attempts = list(delivery.attempts.all())
    settled = delivery.status != Delivery.Status.PENDING
    every = look_again_after(delivery, later=LATER_SECONDS)
    # All that the changing part shows depends on these.
    seen = (delivery.shown_status, delivery.attempts_made, len(attempts), delivery.in_flight, every)
    return {
        "delivery": delivery,
        "event": delivery.event,
        "is_test": delivery.event_id.startswith(TEST_EVENT_PREFIX),
        "takes": takes(delivery.channel.kind),
        "sends_body": sends_body(delivery),
        "attempts": [{"attempt": attempt, "curl": curl_of(attempt, delivery)} for attempt in attempts],
        "recipients": recipients_of_delivery(delivery, attempts),
        "settled": settled,
        "may_retry": may(request, PERMISSION_TO_RETRY),
        "retry_refused_because": services.retry_refused_because(delivery),
        "every": every,
        "version": "-".join(str(part) for part in seen),
        "sentence": _in_a_sentence(delivery),
    }


def _in_a_sentence(delivery: Delivery) -> str:
    """How it stands, for those who hear the page."""
    if delivery.in_flight:
        return f"Attempt {delivery.attempts_made} is being made."
    made = counted(delivery.attempts_made, "attempt")
    return f"{delivery.shown_status.capitalize()} after {made}. {delivery.error}".strip()
