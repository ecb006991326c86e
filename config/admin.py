"""The admin site: Unfold's shell with the pages of Tidings."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import URLPattern, reverse
from unfold.sites import UnfoldAdminSite


class TidingsAdminSite(UnfoldAdminSite):
    """Where every model and page of the back office is registered."""

    index_title = "Dashboard"

    def extra_urls(self) -> list[URLPattern]:
        # Not at the top: these modules register themselves on the site, which imports this one first.
        from notifications.admin import pages

        return pages.urls(self.admin_view)


# The sidebar: title, icon, name of the URL, and the permissions of which one is enough.
NAVIGATION: list[tuple[str, list[tuple[str, str, str, tuple[str, ...]]]]] = [
    (
        "Shop",
        [
            ("Orders", "receipt_long", "orders_order_changelist", ("orders.view_order",)),
            ("Contacts", "contacts", "orders_contact_changelist", ("orders.view_contact",)),
            ("Products", "inventory_2", "orders_product_changelist", ("orders.view_product",)),
            ("Funnels", "filter_alt", "orders_funnel_changelist", ("orders.view_funnel",)),
            ("Subscriptions", "autorenew", "orders_subscription_changelist", ("orders.view_subscription",)),
            ("Quotes", "request_quote", "orders_quote_changelist", ("orders.view_quote",)),
            ("Surveys", "ballot", "orders_survey_changelist", ("orders.view_survey",)),
        ],
    ),
    (
        "Notifications",
        [
            (
                "Integrations",
                "extension",
                "integrations",
                (
                    "notifications.view_eventtypeswitch",
                    "channels_app.view_channel",
                    "api.view_apikey",
                    "notifications.view_delivery",
                ),
            ),
            ("Delivery log", "list_alt", "notifications_delivery_changelist", ("notifications.view_delivery",)),
            ("Events", "bolt", "notifications_event_changelist", ("notifications.view_event",)),
            ("Channels", "hub", "channels_app_channel_changelist", ("channels_app.view_channel",)),
        ],
    ),
    (
        "Administration",
        [
            ("Users", "person", "auth_user_changelist", ("auth.view_user",)),
            ("Groups", "group", "auth_group_changelist", ("auth.view_group",)),
            ("API keys", "key", "api_apikey_changelist", ("api.view_apikey",)),
        ],
    ),
]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar as this person may use it; a group without an entry is left out."""
    dashboard = _entry("Dashboard", "dashboard", "index", exact=True)
    groups: list[dict[str, Any]] = [{"items": [dashboard]}]
    for title, entries in NAVIGATION:
        items = [
            _entry(label, icon, name)
            for label, icon, name, permissions in entries
            if any(request.user.has_perm(permission) for permission in permissions)
        ]
        if items:
            groups.append({"title": title, "separator": True, "items": items})
    if settings.DEMO:
        receivers = {"title": "Receivers", "icon": "move_to_inbox", "link": reverse("demo:received")}
        groups.append({"title": "Demo", "separator": True, "items": [receivers]})
    return groups


def _entry(title: str, icon: str, name: str, *, exact: bool = False) -> dict[str, Any]:
    link = reverse(f"admin:{name}")

    def active(request: HttpRequest) -> bool:
        return request.path == link if exact else request.path.startswith(link)

    return {"title": title, "icon": icon, "link": link, "active": active}


def environment(_request: HttpRequest) -> list[str] | None:
    """The badge at the top right: it says where nothing is real."""
    return ["Demo", "info"] if settings.DEMO else None
