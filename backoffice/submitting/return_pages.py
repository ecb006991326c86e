"""The page that a login leads back to.

Most addresses are pages. Those that only take a form, or answer with a part of a page, have theirs here.
"""

from urllib.parse import urlsplit

from django.http import HttpRequest
from django.urls import NoReverseMatch, Resolver404, ResolverMatch, resolve, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from notifications.public_links import bare

# Name of the URL -> name of the page, which is found by those parts of the address that it has as well.
PAGES = {
    "admin:alerts_add": "admin:alerts",
    "admin:alerts_remove": "admin:alerts",
    "admin:alerts_test": "admin:alerts",
    "admin:autocomplete": "admin:index",
    "admin:channels_app_channel_resume": "admin:channels_app_channel_change",
    "admin:channels_app_channel_reveal": "admin:channels_app_channel_change",
    "admin:channels_app_channel_test": "admin:channels_app_channel_change",
    "admin:channels_app_channel_test_answer": "admin:channels_app_channel_change",
    "admin:event_type_add_channel": "admin:event_type_attach",
    "admin:event_type_switch": "admin:system_notifications",
    "admin:jsi18n": "admin:index",
    "admin:logout": "admin:index",
    "admin:notifications_delivery_csv": "admin:notifications_delivery_changelist",
    "admin:notifications_delivery_retry": "admin:notifications_delivery_change",
    "admin:notifications_delivery_state": "admin:notifications_delivery_change",
    "admin:orders_order_clear_tracking": "admin:orders_order_change",
    "admin:orders_order_postback": "admin:orders_order_change",
    "admin:orders_order_reach_thank_you": "admin:orders_order_change",
    "admin:orders_order_retry": "admin:orders_order_change",
    "admin:orders_quote_sell": "admin:orders_quote_change",
    "demo:mail_html": "demo:mail",
    "demo:receive": "demo:received",
    "demo:receive_message": "demo:messages",
    "demo:repair": "demo:received",
}


def page_to_return_to(request: HttpRequest) -> str:
    """The page that a request without a session came from, or asked for; with its query."""
    if "HX-Request" in request.headers:
        current = request.headers.get("HX-Current-URL", "")
        if url_has_allowed_host_and_scheme(current, allowed_hosts={request.get_host()}):
            parts = urlsplit(current)
            return page_of(f"{parts.path}?{parts.query}" if parts.query else parts.path)
    return page_of(request.get_full_path())


def page_of(path: str) -> str:
    """`path`, if it is a page; otherwise the one that it belongs to."""
    found = _resolved(urlsplit(path).path)
    if found is None or found.view_name not in PAGES:
        return path
    name = PAGES[found.view_name]
    for wanted in (found.kwargs, *({key: value} for key, value in found.kwargs.items()), {}):
        try:
            return reverse(name, kwargs=wanted)
        except NoReverseMatch:
            continue
    return reverse("admin:index")


def _resolved(path: str) -> ResolverMatch | None:
    try:
        return resolve(bare(path))
    except Resolver404:
        return None
