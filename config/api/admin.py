"""API keys in the back office: made, looked at and revoked; nothing about one is edited."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from unfold.admin import ModelAdmin
from unfold.decorators import display

from config.api.keys import create_key, revoke_key
from config.api.models import ApiKey, Scope


class ApiKeyForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="Who or what uses the key, such as Shop.")
    scopes = forms.MultipleChoiceField(
        choices=[
            (Scope.STOREFRONT, "Storefront: what a shop or a funnel calls"),
            (Scope.MANAGE, "Manage: what an administrator's script calls"),
        ],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one scope."},
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, label_suffix="")


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    """To revoke a key is to change it, so that permission is asked for."""

    list_display = ("name", "prefix_shown", "scope_names", "status_label", "last_used", "created")
    search_fields = ("name", "prefix")
    search_help_text = "Name or first characters"
    ordering = ("-id",)
    sortable_by = ()
    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        revoke = self.admin_site.admin_view(self.revoke)
        return [path("<path:object_id>/revoke/", revoke, name="api_apikey_revoke"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        page: TemplateResponse = super().changelist_view(
            request, {"title": "API keys", "heading": "API keys", **(extra_context or {})}
        )
        return page

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The answer to the POST shows the key, which is kept nowhere and so cannot be shown after a redirect."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ApiKeyForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                record, key = create_key(**form.cleaned_data)
            except ValidationError as error:
                form.add_error(None, error)
            else:
                self.log_addition(request, record, "Created.")
                return self._page(request, "created", title=f"{record.name} was created", record=record, key=key)
        return self._page(request, "form", title="Add an API key", form=form)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        record = self._record(request, object_id, self.has_view_permission)
        return self._page(
            request, "key", title=record.name, record=record, may_revoke=self.has_change_permission(request)
        )

    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks first: GET shows the question, POST is the answer."""
        record = self._record(request, object_id, self.has_change_permission)
        if request.method == "POST":
            revoke_key(record)
            self.log_change(request, record, "Revoked.")
            messages.success(request, f"{record.name} was revoked.")
            return redirect("admin:api_apikey_changelist")
        return self._page(request, "revoke", title=f"Revoke {record.name}?", record=record)

    @display(description="Begins with")
    def prefix_shown(self, record: ApiKey) -> str:
        return f"{record.prefix}…"

    @display(description="Scopes")
    def scope_names(self, record: ApiKey) -> str:
        return ", ".join(Scope(scope).label for scope in record.scopes)

    @display(description="Status", label={"in force": "success", "revoked": "danger"})
    def status_label(self, record: ApiKey) -> str:
        return "revoked" if record.revoked_at else "in force"

    @display(description="Last used")
    def last_used(self, record: ApiKey) -> str:
        return _minute(record.last_used_at) if record.last_used_at else "Never"

    @display(description="Created")
    def created(self, record: ApiKey) -> str:
        return _minute(record.created_at)

    def _record(self, request: HttpRequest, object_id: str, allowed: Callable[[HttpRequest], bool]) -> ApiKey:
        if not allowed(request):
            raise PermissionDenied
        try:
            return ApiKey.objects.get(pk=int(unquote(object_id)))
        except (ValueError, OverflowError, ApiKey.DoesNotExist) as error:
            raise Http404("There is no such key.") from error

    def _page(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        crumbs = [
            ("Integrations", reverse("admin:integrations")),
            ("API keys", reverse("admin:api_apikey_changelist")),
        ]
        if "record" in context and template == "revoke":
            record = context["record"]
            crumbs.append((record.name, reverse("admin:api_apikey_change", args=[quote(record.pk)])))
        return TemplateResponse(
            request,
            f"api_keys/{template}.html",
            {**self.admin_site.each_context(request), "crumbs": crumbs, **context},
        )


def _minute(at: datetime) -> str:
    return date_format(localtime(at), "Y-m-d H:i")
