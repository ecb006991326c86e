"""The filters of the logs: one form each, filled in from the query, that narrows the rows.

Each question is answered along an index, newest first: the logs grow large.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Lower

from channels_app.models import Channel
from notifications import stats
from notifications.correlation import is_request_id
from notifications.database_time import database_now
from notifications.events import event_type_choices
from notifications.history import of_api_key
from notifications.id_times import first_id_at
from notifications.models import IS_WAITING, TEST_EVENT_PREFIX, Delivery, Event, HistoryEntry
from orders.models import Order, Source
from orders.searching import MOST_CONTACTS, contacts_meant, number_of

# More channels than this are not listed to choose from: their name is typed in.
LISTED_CHANNELS = 100
TOO_MANY = f"More than {MOST_CONTACTS} contacts have this in their name or e-mail address. Type more of it."
FINISHED = ("finished", "succeeded", "failed")
PERIODS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}


def choice(label: str, choices: list[tuple[str, str]], *, all_of_them: str = "All") -> forms.ChoiceField:
    """A field of a filter that need not be chosen; `all_of_them` labels the empty choice."""
    wrong = {"invalid_choice": "There is no such choice. Choose from the list."}
    return forms.ChoiceField(label=label, choices=[("", all_of_them), *choices], required=False, error_messages=wrong)


def moment(label: str) -> forms.DateTimeField:
    """A field for a time, in the time zone of the user unless the text names another."""
    return forms.DateTimeField(
        label=label,
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        error_messages={"invalid": "This is not a time. Write it like 2026-11-23T18:36."},
    )


class LogFilters(forms.Form):
    """Fields left empty ask nothing; those filled in hold all together."""

    searched: ClassVar[str]  # what the search field takes, in words

    q = forms.CharField(label="Search", required=False, widget=forms.TextInput(attrs={"type": "search"}))
    period = choice(
        "Time",
        [("1h", "Last hour"), ("24h", "Last 24 hours"), ("7d", "Last 7 days")],
        all_of_them="Any time",
    )
    since = moment("From")
    until = moment("To")

    def __init__(self, asked: Mapping[str, Any]) -> None:
        super().__init__(asked, auto_id="log-%s", label_suffix="", use_required_attribute=False)
        self.fields["q"].widget.attrs["placeholder"] = self.searched
        self.order_fields(["q", "status", "action", "event_type", "channel", "source", "period", "since", "until"])
        if "channel" in self.fields:
            self._offer_channels()

    @property
    def asks(self) -> bool:
        """Whether anything is filled in."""
        return any(str(self.data.get(name, "")).strip() for name in self.fields)

    @property
    def choices(self) -> list[forms.BoundField]:
        """The fields to choose from, without the search and the exact times."""
        return [field for field in self if field.name not in {"q", "since", "until"}]

    @property
    def times_open(self) -> bool:
        """Whether an exact time is asked for, so that its fields are shown."""
        return any(self.data.get(name) for name in ("since", "until"))

    def rows(self) -> QuerySet[Any]:
        """The matching rows, in no order yet; none where the form has errors."""
        raise NotImplementedError

    def clean_channel(self) -> list[str] | None:
        """The ids of the channels meant: by id, or by name without regard to case."""
        meant: str = self.cleaned_data["channel"]
        if not meant:
            return None
        found = list(Channel.objects.filter(Q(pk=meant) | Q(name__iexact=meant)).values_list("pk", "name"))
        if not found:
            raise forms.ValidationError("There is no such channel.")
        if not isinstance(self.fields["channel"].widget, forms.Select) and meant == found[0][0]:
            self["channel"].help_text = found[0][1]  # an id says little
        return [pk for pk, _ in found]

    def clean(self) -> dict[str, Any]:
        asked: dict[str, Any] = super().clean() or {}
        if asked.get("since") and asked.get("until") and asked["until"] <= asked["since"]:
            self.add_error("until", "This is not after From.")
        return asked

    def between(self) -> tuple[datetime | None, datetime | None]:
        """From when (inclusive) until when (exclusive); None: open."""
        asked = self.cleaned_data
        starts = [asked["since"]] if asked["since"] else []
        if asked["period"]:
            starts.append(database_now() - PERIODS[asked["period"]])
        return max(starts, default=None), asked["until"]

    def with_ids_between(self, rows: QuerySet[Any], prefix: str) -> QuerySet[Any]:
        """The rows made within the chosen time, by their ids."""
        since, until = self.between()
        if since:
            rows = rows.filter(pk__gte=first_id_at(prefix, since))
        return rows.filter(pk__lt=first_id_at(prefix, until)) if until else rows

    def equal(self, **columns: str) -> Q:
        """The condition that each column has the value of its field, where that is filled in."""
        chosen = {column: self.cleaned_data[field] for column, field in columns.items() if self.cleaned_data[field]}
        return Q(**chosen)

    def _offer_channels(self) -> None:
        """A list to choose from, the deleted ones last; a field for the name where there are too many."""
        field = self.fields["channel"]
        channels = list(
            Channel.objects.order_by(F("archived_at").asc(nulls_first=True), Lower("name"), "pk")[: LISTED_CHANNELS + 1]
        )
        if len(channels) > LISTED_CHANNELS:
            field.widget.attrs["placeholder"] = "Name or id"
            return
        there = [(channel.pk, channel.name) for channel in channels if not channel.archived_at]
        gone = [(channel.pk, channel.name) for channel in channels if channel.archived_at]
        field.widget = forms.Select(choices=[("", "All"), *there, *([("Deleted", gone)] if gone else [])])


class EventSearch(LogFilters):
    """A log of what became of events."""

    def search_events(self, term: str, prefix: str = "") -> Q:
        """Events by id, by order number, by the id of their request, or by the name or e-mail of their contact, or
        parts of these two; nothing, with an error beside the search, where that fits more contacts than can be looked
        up.

        `prefix` leads from another model to the event. Whatever is meant is then looked up exactly, by its index.
        """
        if term.startswith("evt_"):
            return Q(**{f"{prefix}id": term})
        number = number_of("order", term)
        order = Order.objects.filter(number=number).first() if number else None
        if order:
            return Q(**{f"{prefix}order_id": order.pk})
        if number and number != term:
            return Q(pk__in=[])
        if is_request_id(term) and Event.every.filter(request_id=term).exists():
            return Q(**{f"{prefix}request_id": term})
        contacts = contacts_meant(term)
        if len(contacts) > MOST_CONTACTS:
            self.add_error("q", TOO_MANY)
            return Q(pk__in=[])
        return _one_of(f"{prefix}contact_id", contacts)


class DeliveryFilters(EventSearch):
    """Deliveries by status as shown, event type, channel, source of the event and time.

    With a status in which they are finished, a period is that of finishing, and means what the dashboard counts: the
    last 24 hours are the present one and the 23 before it, and tests are left out. Else it is that of being made.
    """

    searched = "Event or delivery id, order number, name, e-mail"

    status = choice(
        "Status",
        [
            ("pending", "Pending"),
            ("held", "Held"),
            ("finished", "Finished"),
            ("succeeded", "Succeeded"),
            ("failed", "Failed"),
        ],
    )
    event_type = choice("Event type", event_type_choices())
    channel = forms.CharField(label="Channel", required=False)
    source = choice("Source", list(Source.choices))

    def rows(self) -> QuerySet[Delivery]:
        if not self.is_valid():
            return Delivery.objects.none()
        rows = self._finished() if self._asks_when_finished() else Delivery.objects.all()
        rows = rows.filter(self._status(), self.equal(event_type="event_type", event__source="source"))
        if channels := self.cleaned_data["channel"]:
            rows = rows.filter(_one_of("channel_id", channels))
        term = self.cleaned_data["q"]
        if term.startswith("dlv_"):
            rows = rows.filter(pk=term)
        elif term:
            rows = rows.filter(self.search_events(term, "event__"))
        return self.with_ids_between(rows, "dlv")

    def between(self) -> tuple[datetime | None, datetime | None]:
        asked = self.cleaned_data
        return (asked["since"], asked["until"]) if self._asks_when_finished() else super().between()

    def _asks_when_finished(self) -> bool:
        return bool(self.cleaned_data["period"]) and self.cleaned_data["status"] in FINISHED

    def _finished(self) -> QuerySet[Delivery]:
        period: str = self.cleaned_data["period"]
        return stats.finished_since(stats.day_begins() if period == "24h" else database_now() - PERIODS[period])

    def _status(self) -> Q:
        status = self.cleaned_data["status"]
        if status == "finished":
            return Q(status__in=FINISHED[1:])
        if status not in {"pending", "held"}:
            return Q(status=status) if status else Q()
        # Asked for first: paused channels are few, and the pending ones of a channel have an index.
        paused = list(Channel.objects.exclude(paused_at=None).values_list("pk", flat=True))
        held = IS_WAITING & Q(channel__in=paused)
        return held if status == "held" else Q(status="pending") & ~held


class EventFilters(EventSearch):
    """Events by type, source and time; the tests that people send are no occurrences, and found by their id alone."""

    searched = "Event or request id, order number, name, e-mail"

    event_type = choice("Event type", event_type_choices())
    source = choice("Source", list(Source.choices))

    def rows(self) -> QuerySet[Event]:
        if not self.is_valid():
            return Event.objects.none()
        rows = Event.objects.filter(self.equal(type="event_type", source="source"))
        term = self.cleaned_data["q"]
        if term:
            rows = rows.filter(self.search_events(term))
        if not term.startswith(TEST_EVENT_PREFIX):
            rows = rows.filter(pk__lt=TEST_EVENT_PREFIX)  # the suffix of every other begins with a digit
        return self.with_ids_between(rows, "evt")


class HistoryFilters(LogFilters):
    """Filters of the history: action, event type, channel and time."""

    searched = "Exact name of a person, API key or channel; delivery id"

    action = choice("Action", list(HistoryEntry.Action.choices))
    event_type = choice("Event type", event_type_choices())
    channel = forms.CharField(label="Channel", required=False)

    def rows(self) -> QuerySet[HistoryEntry]:
        if not self.is_valid():
            return HistoryEntry.objects.none()
        rows = HistoryEntry.objects.filter(self.equal(event_type="event_type", action="action"))
        if channels := self.cleaned_data["channel"]:
            rows = rows.filter(_one_of("channel_id", channels))
        term = self.cleaned_data["q"]
        if term.startswith("dlv_"):
            rows = rows.filter(delivery_id=term)
        elif term:
            named = list(Channel.objects.filter(name__iexact=term).values_list("pk", flat=True))
            rows = rows.filter(Q(by__in=[term, of_api_key(term)]) | Q(channel__in=named))
        since, until = self.between()
        if since:
            rows = rows.filter(at__gte=since)
        return rows.filter(at__lt=until) if until else rows


def _one_of(column: str, values: list[str]) -> Q:
    return Q(**{column: values[0]}) if len(values) == 1 else Q(**{f"{column}__in": values})
