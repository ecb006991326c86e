"""What the admin pages of commerce have in common."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.timezone import localtime
from unfold.admin import ModelAdmin


def may(request: HttpRequest, permission: str) -> bool:
    return request.user.has_perm(permission)


def shown_time(moment: datetime) -> str:
    """As lists show it."""
    return f"{localtime(moment):%Y-%m-%d %H:%M}"


class CommerceAdmin(ModelAdmin):
    """Nothing of commerce is deleted here, and lists are counted once."""

    list_per_page = 50
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.display(description="Created", ordering="created_at")
    def created(self, obj: Any) -> str:
        return shown_time(obj.created_at)

    def named(self, request: HttpRequest, object_id: str) -> Any:
        """The row that a URL names, or None. The links of lists quote the id: `con_5F01...` is `con_01...`."""
        return self.get_object(request, unquote(object_id))

    def own_page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        """A page of our own in the shell of the admin, of `original` or, without one, of `title`."""
        request.current_app = self.admin_site.name
        # Unfold writes the heading: from `opts` that of a row, without `opts` the list's with the title.
        of = {"opts": self.opts} if context.get("original") else {"model_admin": self}
        return TemplateResponse(request, template, {**self.admin_site.each_context(request), **of, **context})

    def not_found(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Redirect to the index with a message, as Django's own pages do."""
        redirect: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return redirect

    def to_page_of(self, request: HttpRequest, obj: Model, fragment: str = "") -> HttpResponse:
        """Redirect to the page of `obj`, or to the index where the user may not see it."""
        if not self.has_view_permission(request, obj):
            return HttpResponseRedirect(reverse("admin:index"))
        url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[obj.pk])
        return HttpResponseRedirect(f"{url}#{fragment}" if fragment else url)


class RecordAdmin(CommerceAdmin):
    """Records that only services write: lists and pages to look at."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
