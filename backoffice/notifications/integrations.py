"""Integrations: the way to everything that has to do with notifications, and the URLs of these pages."""

from collections.abc import Callable
from dataclasses import dataclass

from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_GET

from backoffice.frame import may, page
from backoffice.notifications import alerts
from backoffice.notifications.alerts import told_in_words
from backoffice.notifications.attachments import add_channel, attach, detach, edit_sources
from backoffice.notifications.channel_help import how_to_create_a_channel
from backoffice.notifications.event_catalogue import event_catalogue, event_catalogue_type
from backoffice.notifications.event_types import event_type_page, switch, system_notifications
from channels_app.models import Channel
from notifications import stats
from notifications.display import counted, number
from notifications.events import EVENT_TYPES
from notifications.models import EventTypeSwitch


@dataclass(frozen=True)
class Card:
    """One entry, for those with the permission. `fact` says how it stands, where that is cheap to know."""

    title: str
    text: str
    icon: str
    action: str
    url_name: str
    permission: str
    fact: Callable[[], str] | None = None


@require_GET
def integrations(request: HttpRequest) -> HttpResponse:
    cards = [
        {"card": card, "url": reverse(f"admin:{card.url_name}"), "fact": card.fact() if card.fact else ""}
        for card in CARDS
        if may(request, card.permission)
    ]
    if not cards:
        raise PermissionDenied
    return page(request, "notifications/integrations.html", title="Integrations", cards=cards)


def _switched_on() -> str:
    on = EventTypeSwitch.objects.filter(enabled=True, event_type__in=EVENT_TYPES).count()
    return f"{on} of {len(EVENT_TYPES)} on"


def _channels() -> str:
    counts = Channel.objects.filter(archived_at=None).aggregate(all=Count("id"), paused=Count("paused_at"))
    paused = f", {counts['paused']} paused" if counts["paused"] else ""
    return f"{counted(counts['all'], 'channel')}{paused}" if counts["all"] else "No channel yet"


def _last_day() -> str:
    day = stats.last_day().totals
    return f"{number(day.finished)} finished in 24 hours, {number(day.failed)} failed"


CARDS = (
    Card(
        "System notifications",
        "Tell other systems what happens here: an order closes, a payment is declined, a refund is applied.",
        "notifications_active",
        "Configuration",
        "system_notifications",
        "notifications.view_eventtypeswitch",
        _switched_on,
    ),
    Card(
        "Channels",
        "Where notifications go: addresses, extra headers and signing secrets.",
        "hub",
        "Open channels",
        "channels_app_channel_changelist",
        "channels_app.view_channel",
        _channels,
    ),
    Card(
        "Alerts",
        "Who is told when a channel fails, is paused or recovers, and how that went.",
        "notification_important",
        "Open alerts",
        "alerts",
        "channels_app.view_channel",
        told_in_words,
    ),
    Card(
        "API keys",
        "What shops, funnels and scripts use to call Tidings.",
        "key",
        "Open API keys",
        "api_apikey_changelist",
        "api.view_apikey",
    ),
    Card(
        "Delivery log",
        "Every delivery with each attempt: what was sent, and what was answered.",
        "list_alt",
        "Open delivery log",
        "notifications_delivery_changelist",
        "notifications.view_delivery",
        _last_day,
    ),
    Card(
        "Event catalogue",
        "What each event says: when it fires, its JSON Schema and an example.",
        "menu_book",
        "Open event catalogue",
        "event_catalogue",
        "notifications.view_eventtypeswitch",
        lambda: counted(len(EVENT_TYPES), "event type"),
    ),
)


View = Callable[..., HttpResponse]


def urls(wrap: Callable[[View], View]) -> list[URLPattern]:
    """The URLs of these pages; `wrap` is the site's `admin_view`, which asks for staff."""
    system = "integrations/system-notifications/"
    one = f"{system}<str:key>/"
    catalogue = "integrations/event-catalogue/"
    told = "integrations/alerts/"
    return [
        path("integrations/", wrap(integrations), name="integrations"),
        path(system, wrap(system_notifications), name="system_notifications"),
        path(one, wrap(event_type_page), name="event_type"),
        path(f"{one}switch/", wrap(switch), name="event_type_switch"),
        path(f"{one}attach/", wrap(attach), name="event_type_attach"),
        path(f"{one}attach/add-channel/", wrap(add_channel), name="event_type_add_channel"),
        path(f"{one}channels/<str:channel_id>/sources/", wrap(edit_sources), name="event_type_sources"),
        path(f"{one}channels/<str:channel_id>/detach/", wrap(detach), name="event_type_detach"),
        path(catalogue, wrap(event_catalogue), name="event_catalogue"),
        path(f"{catalogue}<str:key>/", wrap(event_catalogue_type), name="event_catalogue_type"),
        path(told, wrap(alerts.alerts_page), name="alerts"),
        path(f"{told}add/", wrap(alerts.add), name="alerts_add"),
        path(f"{told}test/", wrap(alerts.send_test), name="alerts_test"),
        path(f"{told}<str:channel_id>/remove/", wrap(alerts.remove), name="alerts_remove"),
        path("integrations/help/how-to-create-a-channel/", wrap(how_to_create_a_channel), name="help_channels"),
    ]
