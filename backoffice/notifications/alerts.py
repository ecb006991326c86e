"""Alerts: who is told when something goes wrong, when that happens, and how telling them went."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from backoffice.channels.pages import channel_label
from backoffice.frame import crumbs, may, page
from channels_app.models import Channel
from channels_app.transports import kind_label
from channels_app.transports.email.mailserver import where_mail_ends
from notifications import alert_raising, alert_targets, monitoring
from notifications.alerts import joining, stages, watching, wording
from notifications.delivery import policy
from notifications.errors import Conflict
from notifications.models import FAILURES_BEFORE_PROBING, Alert, AlertChannel, AlertDelivery
from notifications.permissions import ADMINISTRATORS

ROWS = 20

may_view = permission_required("channels_app.view_channel", raise_exception=True)
may_change = permission_required("channels_app.change_channel", raise_exception=True)


@dataclass(frozen=True)
class Copy:
    """How telling one target went: `state` names a colour, `at` is of that state, `note` says why."""

    target: str
    state: str
    word: str
    at: datetime | None
    note: str


class AlertChannelForm(forms.Form):
    """A channel to be told of alerts. `offered` are those, as (id, label); what is sent may be another, which the
    service judges.
    """

    def __init__(self, data: QueryDict | None = None, *, channels: list[tuple[str, str]]) -> None:
        super().__init__(data, label_suffix="", auto_id="alert-%s")
        self.offered = channels
        self.fields["channel"] = forms.CharField(
            widget=forms.Select(choices=[("", "Choose a channel"), *channels]),
            error_messages={"required": "Choose a channel."},
        )


@require_GET
@may_view
def alerts_page(request: HttpRequest) -> HttpResponse:
    """`?before=`: the alerts that are older than the one of this id."""
    return _page(request, AlertChannelForm(channels=_choosable()))


@require_POST
@may_change
def add(request: HttpRequest) -> HttpResponse:
    form = AlertChannelForm(request.POST, channels=_choosable())
    if form.is_valid():
        try:
            added = alert_targets.choose(channel_id=form.cleaned_data["channel"], by=request.user.get_username())
        except ValidationError as error:
            form.add_error(None, error)
        except Conflict as error:
            form.add_error("channel", str(error))
        else:
            paused = " It is paused: until it is resumed it is told of none." if added.channel.paused_at else ""
            messages.success(request, f"{added.channel.name} is told of alerts from now on.{paused}")
            return redirect("admin:alerts")
    return _page(request, form, status=422)


@require_POST
@may_change
def remove(request: HttpRequest, channel_id: str) -> HttpResponse:
    try:
        channel = alert_targets.leave_out(channel_id=channel_id, by=request.user.get_username())
    except (Channel.DoesNotExist, AlertChannel.DoesNotExist) as error:
        raise Http404("The channel is not told of alerts any more.") from error
    messages.success(request, f"{channel.name} is no longer told of alerts.")
    return redirect("admin:alerts")


@require_POST
@may_change
def send_test(request: HttpRequest) -> HttpResponse:
    try:
        alert_raising.write_test(by=request.user.get_username())
    except Conflict as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "A test alert goes to all who are told. How that went stands below in a moment.")
    return redirect("admin:alerts")


def told_in_words() -> str:
    """How many are told, for a card: `2 people and 1 channel are told`."""
    people, channels = len(alert_targets.recipients()), alert_targets.chosen().count()
    told = [
        *([f"{people} {'person' if people == 1 else 'people'}"] if people else []),
        *([f"{channels} {'channel' if channels == 1 else 'channels'}"] if channels else []),
    ]
    return f"{' and '.join(told)} {'is' if people + channels == 1 else 'are'} told" if told else "Nobody is told"


def _page(request: HttpRequest, form: AlertChannelForm, *, status: int = 200) -> HttpResponse:
    before = request.GET.get("before", "")
    found = Alert.objects.select_related("channel").order_by("-pk")
    if before and before.isprintable():
        found = found.filter(pk__lt=before)
    rows = list(found[: ROWS + 1])
    return page(
        request,
        "notifications/alerts.html",
        status=status,
        title="Alerts",
        crumbs=crumbs("integrations"),
        form=form,
        may_change=may(request, "channels_app.change_channel"),
        recipients=alert_targets.recipients(),
        nobody=alert_targets.NOBODY,
        mail_ends=where_mail_ends(),
        group=ADMINISTRATORS,
        chosen=[(each, kind_label(each.channel.kind)) for each in alert_targets.chosen()],
        choosable=bool(form.offered),
        when=_when(),
        alerts=_told(rows[:ROWS]),
        older=rows[ROWS - 1].pk if len(rows) > ROWS else "",
        paged=bool(before),
        retention_days=settings.RETENTION_DAYS,
    )


def _when() -> dict[str, Any]:
    """The numbers in the sentences that say when somebody is told."""
    whole = stages.pause_after()
    return {
        "failures": FAILURES_BEFORE_PROBING,
        "pauses": bool(whole),
        "first": span(whole * stages.FIRST_WARNING_AFTER),
        "last": span(whole * stages.LAST_WARNING_AFTER),
        "whole": span(whole),
        "ahead": span(whole * stages.LAST_WARNING_AHEAD),
        "late": monitoring.in_words(monitoring.LONGEST_WAIT_SECONDS),
        "behind": span(watching.BEHIND_AFTER),
        "together": monitoring.in_words(alert_raising.TOGETHER_WITHIN.total_seconds()),
        "many": joining.MANY,
        "late_again": span(watching.LATE_AGAIN_AFTER),
        "refused": policy.ALERT_TRIES_IF_REFUSED,
        "first_pause": span(policy.ALERT_FIRST_PAUSE),
        "longest_pause": span(policy.ALERT_LONGEST_PAUSE),
    }


def span(time: timedelta) -> str:
    """`1 day`, `2.4 hours`, `30 minutes`."""
    for unit, length in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        if time >= length or unit == "minute":
            count = f"{round(time / length, 1):g}"
            break
    return f"{count} {unit}" if count == "1" else f"{count} {unit}s"


def _choosable() -> list[tuple[str, str]]:
    """The channels that may be chosen, as (id, label)."""
    channels = Channel.objects.filter(archived_at=None, told_of_alerts=None).order_by("name", "id")
    return [(channel.pk, channel_label(channel)) for channel in channels]


def _told(rows: list[Alert]) -> list[tuple[Alert, str, list[Copy]]]:
    """Each with its title and how telling each target went."""
    copies: dict[str, list[Copy]] = {}
    joined = {alert.pk for alert in rows if alert.told_with_id}
    sent = AlertDelivery.objects.filter(event__in=[alert.pk for alert in rows])
    # The administrators first: their system channel comes before those that were made.
    for delivery in sent.select_related("channel").order_by("-channel__system", "id"):
        copies.setdefault(delivery.event_id, []).append(_copy(delivery, joined=delivery.event_id in joined))
    return [(alert, alert.words.get("title") or wording.title(alert), copies.get(alert.pk, [])) for alert in rows]


def _copy(delivery: AlertDelivery, *, joined: bool) -> Copy:
    if delivery.status == delivery.Status.SUCCEEDED:
        state, word = "held" if delivery.error else "succeeded", "Sent"
    elif delivery.withdrawn:
        state, word = "", "Withdrawn"
    elif delivery.status == delivery.Status.FAILED:
        state, word = "failed", "Given up"
    elif delivery.in_flight:
        state, word = "pending", "Being sent"
    elif delivery.attempts_made:
        state, word = "failed", "Next try"
    else:
        state, word = "pending", "Waits"
    return Copy(
        target=str(delivery.channel),
        state=state,
        word=word,
        at=delivery.finished_at or (timezone.now() if delivery.in_flight else delivery.next_attempt_at),
        note=delivery.error or ("In one message with others." if joined and not delivery.attempts_made else ""),
    )
