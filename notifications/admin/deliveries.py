"""The delivery log: each delivery with its attempts, and the retry."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST, require_safe
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from notifications import services
from notifications.admin.filters import ChannelFilter, DeliveryEventTypeFilter, StatusFilter, search_events
from notifications.admin.showing import ISO_TIME, pretty_json, short_time
from notifications.errors import Conflict
from notifications.models import Delivery
from notifications.templatetags.event_types import event_label

PERMISSION_TO_RETRY = "notifications.change_delivery"


@admin.register(Delivery)
class DeliveryAdmin(ModelAdmin):
    """A log: read, searched and retried, never written by hand."""

    list_display = ("event_name", "order_number", "channel", "status_label", "answer", "attempts_made", "created")
    list_filter = (StatusFilter, DeliveryEventTypeFilter, ChannelFilter)
    search_fields = ("id",)  # shows the field; get_search_results does the search
    search_help_text = "Event or delivery id, order number, e-mail"
    change_list_template = "notifications/log_list.html"
    ordering = ("-id",)
    sortable_by = ()
    actions = None
    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return Delivery.objects.select_related("event__order", "channel")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        title = "Delivery log"
        page: TemplateResponse = super().changelist_view(
            request, {"title": title, "heading": title, **(extra_context or {})}
        )
        return page

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        term = search_term.strip()
        if term.startswith("dlv_"):
            queryset = queryset.filter(pk=term)
        elif term:
            queryset = queryset.filter(search_events(term, "event__"))
        return queryset, False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        retry = self.admin_site.admin_view(require_POST(self.retry))
        return [path("<path:object_id>/retry/", retry, name="notifications_delivery_retry"), *super().get_urls()]

    @method_decorator(require_safe)
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        delivery = self._delivery(object_id)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{event_label(delivery.event_type)} to {delivery.channel.name}",
            "crumbs": [("Delivery log", reverse("admin:notifications_delivery_changelist"))],
            "delivery": delivery,
            "event": delivery.event,
            "event_label": event_label(delivery.event_type),
            "body": pretty_json(delivery.event.body),
            "attempts": list(delivery.attempts.all()),
            "may_retry": request.user.has_perm(PERMISSION_TO_RETRY),
            "retry_refused_because": services.retry_refused_because(delivery),
            "iso_time": ISO_TIME,
        }
        return TemplateResponse(request, "notifications/delivery.html", context)

    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not request.user.has_perm(PERMISSION_TO_RETRY):
            raise PermissionDenied
        delivery = self._delivery(object_id)
        try:
            services.retry_delivery(delivery_id=delivery.pk, by=request.user.get_username())
        except Conflict as error:
            messages.error(request, f"No retry: {error}")
        else:
            messages.success(
                request, f"{event_label(delivery.event_type)} is being sent to {delivery.channel.name} again."
            )
        return redirect("admin:notifications_delivery_change", quote(delivery.pk))

    def _delivery(self, object_id: str) -> Delivery:
        deliveries = Delivery.objects.select_related("event__order", "event__contact", "channel")
        try:
            return deliveries.get(pk=unquote(object_id))
        except Delivery.DoesNotExist as error:
            raise Http404("There is no such delivery.") from error

    @display(description="Event")
    def event_name(self, delivery: Delivery) -> str:
        return event_label(delivery.event_type)

    @display(description="Order", empty_value="–")
    def order_number(self, delivery: Delivery) -> str | None:
        return delivery.event.order.number if delivery.event.order else None

    @display(
        description="Status",
        label={"pending": "info", "held": "warning", "succeeded": "success", "failed": "danger"},
    )
    def status_label(self, delivery: Delivery) -> str:
        return delivery.shown_status

    @display(description="Answer", empty_value="–")
    def answer(self, delivery: Delivery) -> str | None:
        if delivery.status_code is not None:
            return str(delivery.status_code)
        return delivery.get_outcome_display() or None

    @display(description="Created")
    def created(self, delivery: Delivery) -> str:
        return short_time(delivery.created_at)
