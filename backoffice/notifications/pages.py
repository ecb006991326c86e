"""Where the pages of Integrations stand. Each module has its own; permissions are asked there."""

from collections.abc import Callable

from django.http import HttpResponse
from django.urls import URLPattern, path

from backoffice.notifications import alerts
from backoffice.notifications.attachments import add_channel, attach, detach, edit_sources
from backoffice.notifications.event_catalogue import event_catalogue, event_catalogue_type
from backoffice.notifications.event_types import event_type_page, switch, system_notifications
from backoffice.notifications.guide import how_to_create_a_channel
from backoffice.notifications.integrations import integrations

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
