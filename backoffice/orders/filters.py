"""Filters of the lists of commerce, shown as selects in one form with the search."""

from datetime import timedelta
from typing import Any

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from backoffice.orders.postbacks import RETRYABLE
from notifications.models import Delivery
from orders.models import Survey

FAILURES_LOOKED_AT = 1000
DAYS = {"1": "Last 24 hours", "7": "Last 7 days", "30": "Last 30 days"}


class _Choice(SimpleListFilter):
    """A filter that overlooks what is none of its choices."""

    def value(self) -> str | None:
        value = super().value()
        return value if value in {str(choice) for choice, _ in self.lookup_choices} else None


def equals(field: str, title: str, choices: list[tuple[str, str]]) -> type[SimpleListFilter]:
    """A filter for rows whose `field` has the chosen one of `choices`."""

    class Equals(_Choice):
        parameter_name = field

        def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
            return choices

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            return queryset.filter(**{field: self.value()}) if self.value() else queryset

    Equals.title = title
    return Equals


class SurveyFilter(_Choice):
    title = "Survey"
    parameter_name = "survey"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return [(str(survey.pk), survey.title) for survey in Survey.objects.all()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(survey=self.value()) if self.value() else queryset


class CreatedFilter(_Choice):
    title = "Created"
    parameter_name = "days"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return list(DAYS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        days = self.value()
        return queryset.filter(created_at__gte=Now() - timedelta(days=int(days))) if days else queryset


class PostbacksFilter(_Choice):
    """Orders with a failed postback that can be retried. Only for those who may see deliveries.

    It begins with the newest `FAILURES_LOOKED_AT` of them, by the index on their status: to ask of each order, newest
    first, whether one of its deliveries failed takes the longer the fewer did.
    """

    title = "Postbacks"
    parameter_name = "postbacks"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return [("failed", "Failed")] if request.user.has_perm("notifications.view_delivery") else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        failed = Delivery.objects.filter(status=Delivery.Status.FAILED, event_type__in=RETRYABLE).order_by("-pk")
        return queryset.filter(pk__in=failed.values("event__order")[:FAILURES_LOOKED_AT])
