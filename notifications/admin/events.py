"""What happened, and for each attached channel what became of it."""

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
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from notifications.admin.filters import EventTypeFilter, SourceFilter, search_events
from notifications.admin.showing import ISO_TIME, pretty_json, short_time
from notifications.models import Event
from notifications.templatetags.event_types import event_label


@admin.register(Event)
class EventAdmin(ModelAdmin):
    """Read-only: an event is recorded by what happens, and stays."""

    list_display = ("type_label", "source_label", "order_number", "contact", "notified", "created")
    list_filter = (EventTypeFilter, SourceFilter)
    list_select_related = ("order", "contact")
    search_fields = ("id",)  # shows the field; get_search_results does the search
    search_help_text = "Event id, order number, e-mail"
    change_list_template = "notifications/log_list.html"
    ordering = ("-id",)
    sortable_by = ()
    actions = None
    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        return Event.objects.all()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        title = "Events"
        page: TemplateResponse = super().changelist_view(
            request, {"title": title, "heading": title, **(extra_context or {})}
        )
        return page

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        term = search_term.strip()
        return (queryset.filter(search_events(term)) if term else queryset), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
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
        context = {
            **self.admin_site.each_context(request),
            "title": event_label(event.type),
            "crumbs": [("Events", reverse("admin:notifications_event_changelist"))],
            "event": event,
            "body": pretty_json(event.body),
            "routing": _routing_in_words(event),
            "iso_time": ISO_TIME,
        }
        return TemplateResponse(request, "notifications/event.html", context)

    @display(description="Event")
    def type_label(self, event: Event) -> str:
        return event_label(event.type)

    @display(description="Source")
    def source_label(self, event: Event) -> str:
        return event.get_source_display()

    @display(description="Order", empty_value="–")
    def order_number(self, event: Event) -> str | None:
        return event.order.number if event.order else None

    @display(description="Channels notified")
    def notified(self, event: Event) -> str:
        if not event.routing:
            return "None attached"
        return f"{sum(1 for route in event.routing if route['delivery'])} of {len(event.routing)}"

    @display(description="Created")
    def created(self, event: Event) -> str:
        return short_time(event.created_at)


def _routing_in_words(event: Event) -> list[dict[str, Any]]:
    """Each attached channel: its name then, what became of it in words, and its delivery as it is now."""
    deliveries = {delivery.pk: delivery for delivery in event.deliveries.select_related("channel")}
    words = dict(Event.RoutingOutcome.choices)
    return [
        {
            "name": route["name"],
            "words": words.get(route["outcome"], route["outcome"]),
            "delivery": deliveries.get(route["delivery"]),
        }
        for route in event.routing
    ]
