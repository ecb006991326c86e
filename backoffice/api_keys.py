"""API keys in the back office: made, looked at and revoked; nothing about one is edited."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.contrib.admin.utils import unquote
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.admin import ModelAdmin

from api.keys import create_key, revoke_key
from api.models import ApiKey, Scope
from api.scopes import may_make, may_not_make, outlived
from backoffice.frame import address_of, crumbs, done, page
from backoffice.model_admin import ListedLookups
from notifications.models import HistoryEntry

_SCOPES = {
    Scope.STOREFRONT: "Storefront: what a shop or a funnel calls",
    Scope.MANAGE: "Manage: what an administrator's script calls",
}

CHANGES_SHOWN = 50


class ApiKeyForm(forms.Form):
    """Offers those scopes whose keys `user` may make."""

    name = forms.CharField(max_length=100, help_text="Who or what uses the key, such as Shop.")
    scopes = forms.MultipleChoiceField(
        choices=list(_SCOPES.items()),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one scope."},
    )

    def __init__(self, data: QueryDict | None = None, *, user: User) -> None:
        super().__init__(data, label_suffix="")
        self.fields["scopes"].widget.choices = [
            (scope, label) for scope, label in _SCOPES.items() if may_make(user, scope)
        ]
        if refused := [scope for scope in _SCOPES if not may_make(user, scope)]:
            self.fields["scopes"].help_text = may_not_make(refused)


@admin.register(ApiKey)
class ApiKeyAdmin(ListedLookups, ModelAdmin):
    """API keys. To revoke one takes the permission to change it."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only users who hold all permissions of some scope may make a key."""
        allowed: bool = super().has_add_permission(request)
        return allowed and any(may_make(request.user, scope) for scope in Scope)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        revoke = self.admin_site.admin_view(self.revoke)
        return [path("<path:object_id>/revoke/", revoke, name="api_apikey_revoke"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """All keys, since each is made by a person: those in force first, the revoked ones out of the way."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        keys = list(ApiKey.objects.order_by("-id").select_related("made_by"))
        for key in keys:
            key.outlived = outlived(key)  # type: ignore[attr-defined]  # for the row
        return self._page(
            request,
            "list",
            title="API keys",
            crumbs=crumbs("integrations"),
            in_force=[key for key in keys if not key.revoked_at],
            revoked=[key for key in keys if key.revoked_at],
            may_add=self.has_add_permission(request),
        )

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The answer to the POST shows the key, which is kept nowhere and so cannot be shown after a redirect."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ApiKeyForm(request.POST if request.method == "POST" else None, user=_person(request))
        if request.method == "POST" and form.is_valid():
            try:
                record, key = create_key(**form.cleaned_data, made_by=_person(request))
            except ValidationError as error:
                form.add_error(None, error)
            else:
                messages.success(request, f"{record.name} was created.")
                return done(self._page(request, "created", title=record.name, record=record, key=key))
        return self._page(request, "form", title="Add an API key", form=form)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        record = self._record(request, object_id, self.has_view_permission)
        return self._page(
            request,
            "key",
            title=record.name,
            record=record,
            outlived=outlived(record),
            changes=_changes(record),
            may_revoke=self.has_change_permission(request),
        )

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The key's own page has it."""
        record = self._record(request, object_id, self.has_view_permission)
        return redirect(address_of(record))

    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks first: GET shows the question, POST is the answer."""
        record = self._record(request, object_id, self.has_change_permission)
        if record.revoked_at:
            messages.info(request, f"{record.name} is revoked already.")
            return redirect(address_of(record))
        if request.method == "POST":
            revoke_key(record, revoked_by=_person(request))
            messages.success(request, f"{record.name} was revoked.")
            return redirect("admin:api_apikey_changelist")
        way = crumbs("integrations", "api_apikey_changelist", (record.name, address_of(record)))
        return self._page(request, "revoke", title=f"Revoke {record.name}?", crumbs=way, record=record)

    def _record(self, request: HttpRequest, object_id: str, allowed: Callable[[HttpRequest], bool]) -> ApiKey:
        if not allowed(request):
            raise PermissionDenied
        try:
            return ApiKey.objects.get(pk=int(unquote(object_id)))
        except (ValueError, OverflowError, ApiKey.DoesNotExist) as error:
            raise Http404("There is no such key.") from error

    def _page(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        return page(
            request,
            f"api_keys/{template}.html",
            **{"crumbs": crumbs("integrations", "api_apikey_changelist"), **context},
        )


@dataclass(frozen=True)
class Change:
    """One entry of a key's history."""

    sentence: str
    by: str
    at: datetime


def _changes(record: ApiKey) -> list[Change]:
    """The latest, newest first. Django's log has what was done in the back office before the history of Tidings did."""
    entries = HistoryEntry.objects.filter(api_key_id=record.pk).order_by("-id")[:CHANGES_SHOWN]
    logged = LogEntry.objects.filter(content_type=get_content_type_for_model(record), object_id=record.pk)
    changes = [Change(entry.sentence, entry.by, entry.at) for entry in entries]
    changes += [
        Change(each.get_change_message(), each.user.get_username(), each.action_time)
        for each in logged.select_related("user")
    ]
    return sorted(changes, key=lambda change: change.at, reverse=True)


def _person(request: HttpRequest) -> User:
    """The user of the request, who is staff: `admin_view` has checked it."""
    return cast(User, request.user)
