"""Filters of the delivery log and of the events, shown as selects in one form with the search."""

from typing import Any

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from channels_app.models import Channel
from notifications.catalogue import event_type_choices
from orders.models import Source

HELD = Q(status="pending", channel__paused_at__isnull=False, lease_token=None)


class StatusFilter(SimpleListFilter):
    """The status as it is shown: a held delivery is stored as pending, on a paused channel."""

    title = "Status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return [("pending", "Pending"), ("held", "Held"), ("succeeded", "Succeeded"), ("failed", "Failed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        if value == "held":
            return queryset.filter(HELD)
        return queryset.filter(status="pending").exclude(HELD) if value == "pending" else queryset.filter(status=value)


class _EqualsFilter(SimpleListFilter):
    """One field has the chosen value."""

    field: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.field: self.value()}) if self.value() else queryset


class DeliveryEventTypeFilter(_EqualsFilter):
    title = "Event type"
    parameter_name = "event_type"
    field = "event_type"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return event_type_choices()


class EventTypeFilter(DeliveryEventTypeFilter):
    field = "type"


class ChannelFilter(_EqualsFilter):
    """Deleted channels too: the log keeps their deliveries."""

    title = "Channel"
    parameter_name = "channel"
    field = "channel_id"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return [(channel.pk, str(channel)) for channel in Channel.objects.order_by("name", "id")]


class SourceFilter(_EqualsFilter):
    title = "Source"
    parameter_name = "source"
    field = "source"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return list(Source.choices)


def search_events(term: str, prefix: str = "") -> Q:
    """Events by id, order number or contact e-mail; `prefix` leads from another model to the event.

    Each is looked up exactly, by its index: the log grows large.
    """
    if term.startswith("evt_"):
        return Q(**{f"{prefix}id": term})
    if "@" in term:
        return Q(**{f"{prefix}contact__email_key": term.lower()})
    return Q(**{f"{prefix}order__number": term})
