"""How the lists of commerce are searched and narrowed, each by an index: the lists grow large."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from backoffice.frame import may
from backoffice.orders.postbacks import RETRYABLE
from notifications.models import Delivery
from orders.models import Order, Survey
from orders.searching import MOST_CONTACTS, contacts_meant, number_of

TOO_MANY = (
    f"More than {MOST_CONTACTS} contacts have this in their name or e-mail address: only what is of {MOST_CONTACTS} of "
    "them is shown. Type more of it."
)


@dataclass(frozen=True)
class Found:
    """The rows of a list that a term fits; not all of them where `is_cut`."""

    condition: Q
    is_cut: bool = False


@dataclass(frozen=True)
class Search:
    """Rows by their own id (where they have one that people see), order number, and the name or e-mail of the contact.

    `contact` leads from the list's model to the contact; empty: they are the contacts. `order` leads to the order's
    number. `quote` leads to the quote's, which a number alone then means. `exactly` goes before names.
    """

    help_text: str
    own_id: str = ""
    contact: str = "contact__"
    order: str = "order__number"
    quote: str = ""
    exactly: Callable[[str], QuerySet[Any]] | None = field(default=None)

    def find(self, term: str) -> Found:
        if self.own_id and term.startswith(self.own_id):
            return Found(Q(pk=term))
        if term.startswith("con_"):
            return Found(Q(**{f"{self.contact}pk": term}))
        if by_number := self._by_number(term):
            return Found(by_number)
        if self.exactly and (found := list(self.exactly(term).values_list("pk", flat=True))):
            return Found(Q(pk__in=found))
        contacts = contacts_meant(term)
        shown = contacts[:MOST_CONTACTS]
        return Found(Q(**{f"{self.contact}pk__in": shown}), is_cut=len(contacts) > len(shown))

    def _by_number(self, term: str) -> Q | None:
        """None where it is no number, or may as well be a part of an address: digits alone that no order has."""
        if self.quote and (number := number_of("quote", term)):
            return Q(**{self.quote: number})
        number = number_of("order", term)
        if number and (number != term or (self.contact and Order.objects.filter(number=number).exists())):
            return Q(**{self.order: number})
        return None


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
    """Responses by their survey."""

    title = "Survey"
    parameter_name = "survey"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return [(str(survey.pk), survey.title) for survey in Survey.objects.all()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(survey=self.value()) if self.value() else queryset


class CreatedFilter(_Choice):
    """Rows made within so many days, `DAYS`."""

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
        return [("failed", "Failed")] if may(request, "notifications.view_delivery") else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        failed = Delivery.objects.filter(status=Delivery.Status.FAILED, event_type__in=RETRYABLE).order_by("-pk")
        return queryset.filter(pk__in=failed.values("event__order")[:FAILURES_LOOKED_AT])
