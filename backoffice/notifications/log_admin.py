"""The log pages: what the delivery log, the events and the history have in common, and the history itself."""

from dataclasses import dataclass
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe
from unfold.admin import ModelAdmin

from backoffice.frame import page
from backoffice.model_admin import ListedLookups
from backoffice.notifications.filters import HistoryFilters, LogFilters
from notifications.models import HistoryEntry

ROWS = 50


@dataclass(frozen=True)
class LogPage:
    """Some rows, newest first, and the addresses of what is around them ("" where there is nothing)."""

    rows: list[Model]
    newer: str
    older: str


class LogAdmin(ListedLookups, ModelAdmin):
    """Read, never written by hand; newest first.

    A page costs the same however long the log is: it counts nothing, and goes on from the id at the edge of the page
    before, which also keeps rows in their places while new ones arrive.
    """

    log_title: ClassVar[str]
    filters: ClassVar[type[LogFilters]]
    # Shows `page.rows`, and what to do where nothing is recorded yet.
    log_template: ClassVar[str]

    def shown(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The rows with what they show of other tables."""
        return rows

    def log_context(self, request: HttpRequest) -> dict[str, Any]:
        """The context of this log's page besides its rows."""
        return {}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = self.filters(request.GET)
        context = {
            "title": self.log_title,
            "form": form,
            "page": self._page(request, form.rows()),
            "paged": any(name in request.GET for name in ("before", "after")),
            "retention_days": settings.RETENTION_DAYS,
            **self.log_context(request),
            **(extra_context or {}),
        }
        return page(request, self.log_template, **context)

    def _page(self, request: HttpRequest, rows: QuerySet[Any]) -> LogPage:
        before, after = self._edge(request, "before"), self._edge(request, "after")
        if after is not None:
            # Upwards from the edge, then turned around.
            found = _keys(rows.filter(pk__gt=after).order_by("pk"))
            keys = found[:ROWS][::-1]
            newer, older = len(found) > ROWS, bool(keys)
        else:
            found = _keys((rows if before is None else rows.filter(pk__lt=before)).order_by("-pk"))
            keys = found[:ROWS]
            newer, older = before is not None and bool(keys), len(found) > ROWS
        return LogPage(
            list(self.shown(self.model._default_manager.filter(pk__in=keys)).order_by("-pk")),
            newer=_address(request, after=keys[0]) if newer else "",
            older=_address(request, before=keys[-1]) if older else "",
        )

    def _edge(self, request: HttpRequest, name: str) -> Any:
        """The id in the address; None where there is none, or none that could be one."""
        text = request.GET.get(name, "")
        try:
            return self.opts.pk.clean(text, None) if text and text.isprintable() else None
        except ValidationError:
            return None


def _keys(rows: QuerySet[Any]) -> list[Any]:
    """Alone: what a row shows of other tables is looked up for the rows of the page, not for all that is sorted."""
    return list(rows.values_list("pk", flat=True)[: ROWS + 1])


def _address(request: HttpRequest, **edge: Any) -> str:
    """This page with the same questions from another edge on."""
    asked = request.GET.copy()
    for name in ("before", "after"):
        asked.pop(name, None)
    asked.update(edge)
    return f"?{asked.urlencode()}"


def without_edge(request: HttpRequest) -> str:
    """The questions of this page as an address, from the newest row on."""
    return _address(request)


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
