"""Who did what, and when."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from backoffice.notifications.filters import HistoryFilters
from backoffice.notifications.log_admin import LogAdmin
from notifications.models import HistoryEntry


@admin.register(HistoryEntry)
class HistoryAdmin(LogAdmin):
    """Entries are written by the services that make the changes. They have no page of their own: a row says it all."""

    log_title = "History"
    filters = HistoryFilters
    log_template = "notifications/history_log.html"

    def shown(self, rows: QuerySet[HistoryEntry]) -> QuerySet[HistoryEntry]:
        return rows.select_related("channel")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @method_decorator(require_safe)
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return redirect("admin:notifications_historyentry_changelist")
