"""The admin site: Unfold's shell with the pages of Tidings."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.views.decorators.cache import never_cache
from unfold.sites import UnfoldAdminSite

from backoffice.content_security import enter_shell
from backoffice.frame import is_superuser, may


class TidingsAdminSite(UnfoldAdminSite):
    """Where every model and page of the back office is registered.

    Methods import what registers itself on the site: those modules import this one first.
    """

    index_title = "Dashboard"

    def extra_urls(self) -> list[URLPattern]:
        from backoffice.accounts import password_reset
        from backoffice.notifications import integrations

        return [*password_reset.urls(), *integrations.urls(self.admin_view)]

    def admin_view(self, view: Callable[..., HttpResponse], cacheable: bool = False) -> Callable[..., HttpResponse]:
        """Wraps a view: for staff alone, a form takes effect once, and a user who was logged out loses no input."""
        from backoffice.submitting import drafts
        from backoffice.submitting.once import once
        from backoffice.submitting.refused import to_login

        once_view = once(view)

        @wraps(view)
        def submitted(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            typed = drafts.take(request)
            answer = once_view(request, *args, **kwargs)
            return answer if typed is None else drafts.fill_in(request, answer, typed)

        for_staff: Callable[..., HttpResponse] = super().admin_view(submitted, cacheable)

        @wraps(for_staff)
        def admin_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if self.has_permission(request) or request.path == reverse("admin:logout"):
                return for_staff(request, *args, **kwargs)
            return never_cache(to_login)(request)

        return admin_view

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """The context of every page of the shell, with the banners."""
        from backoffice.banners import banners_for

        enter_shell(request)
        banners = banners_for(request.user) if self.has_permission(request) else []
        return {**super().each_context(request), "banners": banners}

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """While there is no user yet who could log in, the page says how the first one is made."""
        from django.contrib.auth.models import User

        from backoffice.submitting import drafts, refused

        refused.lead_to_page(request)
        context = {
            "nobody_yet": not User.objects.exists(),
            "sent_in_vain": refused.SENT in request.GET,
            "typed_is_kept": drafts.is_kept(request),
        }
        response: HttpResponse = super().login(request, {**context, **(extra_context or {})})
        return response

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Tidings' own search in the place of Unfold's, which looks for names of models."""
        from backoffice.search import search

        return search(request)


# In the place of a permission, for pages that none opens.
SUPERUSERS = "superusers"
# The sidebar: title, icon, name of the URL, and the permissions of which one is enough (none: it is for everybody).
NAVIGATION: list[tuple[str, list[tuple[str, str, str, tuple[str, ...]]]]] = [
    (
        "Shop",
        [
            ("Orders", "receipt_long", "admin:orders_order_changelist", ("orders.view_order",)),
            ("Contacts", "contacts", "admin:orders_contact_changelist", ("orders.view_contact",)),
            ("Products", "inventory_2", "admin:orders_product_changelist", ("orders.view_product",)),
            ("Funnels", "filter_alt", "admin:orders_funnel_changelist", ("orders.view_funnel",)),
            ("Subscriptions", "autorenew", "admin:orders_subscription_changelist", ("orders.view_subscription",)),
            ("Quotes", "request_quote", "admin:orders_quote_changelist", ("orders.view_quote",)),
            ("Surveys", "ballot", "admin:orders_survey_changelist", ("orders.view_survey",)),
        ],
    ),
    (
        "Notifications",
        [
            (
                "Integrations",
                "extension",
                "admin:integrations",
                (
                    "notifications.view_eventtypeswitch",
                    "channels_app.view_channel",
                    "api.view_apikey",
                    "notifications.view_delivery",
                ),
            ),
            ("Delivery log", "list_alt", "admin:notifications_delivery_changelist", ("notifications.view_delivery",)),
            ("Events", "bolt", "admin:notifications_event_changelist", ("notifications.view_event",)),
            ("Channels", "hub", "admin:channels_app_channel_changelist", ("channels_app.view_channel",)),
            ("Alerts", "notification_important", "admin:alerts", ("channels_app.view_channel",)),
            ("History", "history", "admin:notifications_historyentry_changelist", ("notifications.view_historyentry",)),
        ],
    ),
    (
        "Administration",
        [
            ("Users", "person", "admin:auth_user_changelist", ("auth.view_user",)),
            ("Groups", "group", "admin:auth_group_changelist", (SUPERUSERS,)),
            ("API keys", "key", "admin:api_apikey_changelist", ("api.view_apikey",)),
        ],
    ),
    (
        "Help",
        [
            (
                "How to create a channel",
                "help",
                "admin:help_channels",
                ("notifications.view_eventtypeswitch", "channels_app.view_channel"),
            ),
            ("Event catalogue", "menu_book", "admin:event_catalogue", ("notifications.view_eventtypeswitch",)),
            ("API documentation", "api", "api-v1:openapi-view", ()),
        ],
    ),
]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar as this person may use it; a group without an entry is left out."""
    groups: list[dict[str, Any]] = [{"items": [_entry("Dashboard", "dashboard", "admin:index")]}]
    for title, entries in NAVIGATION:
        items = [
            _entry(label, icon, name)
            for label, icon, name, permissions in entries
            if not permissions or any(_may(request, permission) for permission in permissions)
        ]
        if items:
            groups.append({"title": title, "separator": True, "items": items})
    if settings.DEMO:
        pages = [
            _entry("Outbox", "outbox", "demo:outbox"),
            _entry("Slack messages", "forum", "demo:messages"),
            _entry("Receivers", "move_to_inbox", "demo:received"),
        ]
        groups.append({"title": "Demo", "separator": True, "items": pages})
    items = [item for group in groups for item in group["items"]]
    # Of several that lead to the present page the closest, so not Integrations where it is a part of it.
    links = [item["link"] for item in items if request.path.startswith(item["link"])]
    closest = max(links, key=len, default="")
    if closest != reverse("admin:index") or request.path == closest:
        for item in items:
            item["active"] = item["link"] == closest
    return groups


def _may(request: HttpRequest, permission: str) -> bool:
    return is_superuser(request) if permission == SUPERUSERS else may(request, permission)


def _entry(title: str, icon: str, name: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse(name), "active": False}


def environment(_request: HttpRequest) -> list[str] | None:
    """The badge at the top right: it says where nothing is real."""
    return ["Demo", "info"] if settings.DEMO else None
