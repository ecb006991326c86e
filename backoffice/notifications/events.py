"""What happened, and for each channel what became of it."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from backoffice.notifications.explanations import explain
from backoffice.notifications.filters import EventFilters
from backoffice.notifications.log_admin import LogAdmin
from notifications.display import event_label, pretty_json
from notifications.models import Event


@admin.register(Event)
class EventAdmin(LogAdmin):
    """An event is recorded by what happens, and stays."""

    log_title = "Events"
    filters = EventFilters
    log_template = "notifications/event_log.html"

    def shown(self, rows: QuerySet[Event]) -> QuerySet[Event]:
        return rows.select_related("order", "contact").defer("body", "facts")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @method_decorator(require_safe)
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            event = Event.objects.select_related("order", "contact").get(pk=unquote(object_id))
        except Event.DoesNotExist as error:
            raise Http404("There is no such event.") from error
        explained = explain(event)
        context = {
            **self.admin_site.each_context(request),
            "title": event_label(event.type),
            "crumbs": [("Events", reverse("admin:notifications_event_changelist"))],
            "event": event,
            "body": pretty_json(event.body),
            "explained": explained,
            "has_deliveries": any(each.delivery for each in explained),
        }
        return TemplateResponse(request, "notifications/event.html", context)
