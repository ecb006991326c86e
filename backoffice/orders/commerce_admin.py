"""Shared by the admin pages of commerce: lists, frame and permissions."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator
from unfold.widgets import UnfoldAdminTextInputWidget

from backoffice.frame import Crumbs, address_of, may, page
from backoffice.model_admin import CarefulAdmin, ListedLookups
from backoffice.orders.filters import TOO_MANY, Search
from backoffice.orders.form_fields import LineField
from notifications.display import ago

Fact = tuple[str, Any]


def status_label(status: str, words: str) -> SafeString:
    """A state in words on a coloured ground; the colour only repeats what the words say."""
    return format_html('<span class="ui-label ui-label-{}">{}</span>', status, words)


def link_to(request: HttpRequest, obj: Model | None) -> SafeString | str:
    """The name of a row of commerce, a link for those who may see it; "–" for none."""
    if obj is None:
        return "–"
    if not may(request, f"{obj._meta.app_label}.view_{obj._meta.model_name}"):
        return str(obj)
    return format_html('<a href="{}">{}</a>', address_of(obj), obj)


class CommerceAdmin(CarefulAdmin, ListedLookups, ModelAdmin):
    """Nothing of commerce is deleted here. `nothing_yet` says on an empty list where its rows come from."""

    list_per_page = 50
    sortable_by = ()
    show_full_result_count = False
    change_list_template = "admin/orders/list.html"
    change_form_template = "admin/orders/form.html"
    nothing_yet = ""
    formfield_overrides = {
        models.CharField: {"form_class": LineField, "widget": UnfoldAdminTextInputWidget},
        models.SlugField: {"widget": UnfoldAdminTextInputWidget},
    }

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        title = self._plural()
        context = {"title": title, "heading": title, "nothing_yet": self.nothing_yet, **(extra_context or {})}
        page: TemplateResponse = super().changelist_view(request, context)
        return page

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Model | None = None, **kwargs: Any
    ) -> TemplateResponse:
        title = str(obj) if obj else f"Add {self.opts.verbose_name}"
        context |= {"title": title, "heading": title, "crumbs": self._crumbs(request)}
        page: TemplateResponse = super().render_change_form(request, context, *args, obj=obj, **kwargs)
        return page

    @admin.display(description="Created", ordering="created_at")
    def created(self, obj: Any) -> SafeString:
        return ago(obj.created_at)

    def named(self, request: HttpRequest, object_id: str) -> Any:
        """The row that a URL names, or None. The links of lists quote the id: `con_5F01...` is `con_01...`."""
        return self.get_object(request, unquote(object_id))

    def own_page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        """A page of our own in the shell of the admin, below the list and, where it is not its page, `above`."""
        request.current_app = self.admin_site.name
        crumbs = self._crumbs(request)
        if above := context.get("above"):
            crumbs.append((str(above), self._page_of(above)))
        return page(request, template, **{"crumbs": crumbs, **context})

    def not_found(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Redirect to the index with a message, as Django's own pages do."""
        redirect: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return redirect

    def to_page_of(self, request: HttpRequest, obj: Model, fragment: str = "") -> HttpResponse:
        """Redirect to the page of `obj`, or to the index where the user may not see it."""
        if not self.has_view_permission(request, obj):
            return HttpResponseRedirect(reverse("admin:index"))
        url = self._page_of(obj)
        return HttpResponseRedirect(f"{url}#{fragment}" if fragment else url)

    def _crumbs(self, request: HttpRequest) -> Crumbs:
        may_see_list = self.has_view_permission(request)
        return [(self._plural(), reverse(f"admin:{self._name()}_changelist"))] if may_see_list else []

    def _page_of(self, obj: Model) -> str:
        return reverse(f"admin:{self._name()}_change", args=[obj.pk])

    def _name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"

    def _plural(self) -> str:
        return str(self.opts.verbose_name_plural).capitalize()


class LargeListAdmin(CommerceAdmin):
    """A list that grows with the shop: never counted, newest first, and searched by what an index finds."""

    paginator = InfinitePaginator
    list_disable_select_all = True  # how many "all" are is not counted
    search_fields = ("pk",)  # shows the field; `search` says what is found
    search: Search

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        found = self.search.find(term)
        if found.is_cut and request.path == reverse(f"admin:{self._name()}_changelist"):
            self.message_user(request, TOO_MANY, messages.INFO)
        return queryset.filter(found.condition), False

    @property
    def search_help_text(self) -> str:
        return self.search.help_text


class RecordAdmin(LargeListAdmin):
    """Records that only services write: lists, and pages to look at."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        record = self.named(request, object_id)
        if not self.has_view_permission(request, record) or request.method == "POST":
            raise PermissionDenied
        if record is None:
            return self.not_found(request, object_id)
        return self.page_of(request, record)

    def page_of(self, request: HttpRequest, record: Any) -> HttpResponse:
        """The page of one record: its facts."""
        context = {"title": str(record), "record": record, "facts": self.facts(request, record)}
        return self.own_page(request, "admin/orders/record.html", context)

    def facts(self, request: HttpRequest, record: Any) -> Sequence[Fact]:
        """The facts on a record's page, as (term, value)."""
        raise NotImplementedError
