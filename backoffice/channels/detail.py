"""The page of one channel: how it is, and what went to it."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from backoffice.channels.fields import MASK as SHOWN_MASK
from backoffice.channels.forms import TestForm
from backoffice.channels.health import (
    COUNT_AT_MOST,
    Waiting,
    condition_of,
    facts_now,
    facts_of,
    facts_of_day,
    health_sentences,
    why_unreadable,
)
from backoffice.channels.pages import NEW_SECRET, answered_by, crumbs_of, event_types_of, of_channel
from backoffice.charts import chart, per_day, times
from backoffice.frame import may, page
from backoffice.recipients import recipients_of_channel
from channels_app import verification
from channels_app.models import Channel
from channels_app.transports import kind_label, takes
from channels_app.transports.email.mailserver import where_mail_ends
from notifications.database_time import database_now
from notifications.models import EVENT_TEXTS, Delivery, EventChannel, EventTypeSwitch, HistoryEntry, ReplayJob
from notifications.stats import channel_backlogs, last_day, last_month

RECENT_DELIVERIES = 10
RECENT_CHANGES = 10
NO_KEY = "It cannot be read: the key that encrypted it is not in SECRETS_ENCRYPTION_KEYS."


@of_channel("view")
def one(request: HttpRequest, channel: Channel) -> HttpResponse:
    fresh = may(request, "channels_app.change_channel") and request.session.get(NEW_SECRET) == channel.pk
    if fresh:
        del request.session[NEW_SECRET]
    return show(request, channel, fresh=fresh)


@of_channel("view")
def history(_request: HttpRequest, channel: Channel) -> HttpResponse:
    return redirect(f"{reverse('admin:notifications_historyentry_changelist')}?channel={channel.pk}")


def show(
    request: HttpRequest,
    channel: Channel,
    *,
    fresh: bool = False,
    revealed: bool = False,
    test_form: TestForm | None = None,
) -> TemplateResponse:
    """`fresh`: a new secret, shown unasked; `revealed`: asked for, as are the headers' values or the secret URL.

    `test_form` is one that was filled in wrongly, in place of an empty one.
    """
    headers = channel.readable_headers
    backlog = channel_backlogs([channel.pk], at_most=COUNT_AT_MOST)[channel.pk]
    wanted = takes(channel.kind)
    return page(
        request,
        "channels_app/channel.html",
        title=channel.name,
        crumbs=crumbs_of(),
        channel=channel,
        kind=kind_label(channel.kind),
        takes=wanted,
        answered_by=answered_by(channel),
        settings=_settings(channel),
        recipients=recipients_of_channel(channel, with_replies=may(request, "notifications.view_delivery")),
        condition=condition_of(channel),
        mail_ends=where_mail_ends() if wanted.recipients else "",
        why_unreadable=why_unreadable(channel),
        health=health_sentences(channel),
        facts=facts_now(channel, backlog),
        changeable=facts_of(channel) if channel.paused_at else None,
        held=Waiting(backlog.waiting) if channel.paused_at else None,
        fresh=fresh,
        revealed=revealed,
        secret=_secret(channel) if fresh or revealed else None,
        url=channel.readable_url if revealed and channel.url_is_secret else None,
        header_names=None if headers is None else list(headers),
        headers=headers if revealed else None,
        secrets_before=channel.secrets_before(database_now()) if wanted.signing_secret else [],
        samples=verification.samples() if wanted.signing_secret else [],
        test_form=test_form or TestForm(event_types=event_types_of(channel)),
        attachments=_attachments(channel),
        may_change=may(request, "channels_app.change_channel"),
        may_delete=may(request, "channels_app.delete_channel"),
        **_log(request, channel),
    )


def _settings(channel: Channel) -> list[tuple[str, str]]:
    """The settings of its kind: each label with its value, a secret one masked, or `NO_KEY`."""
    shown = channel.shown_settings
    if shown is None:
        return [(each.label, NO_KEY) for each in takes(channel.kind).settings]
    return [
        (each.label, SHOWN_MASK if each.secret and shown[each.name] else shown[each.name] or "–")
        for each in takes(channel.kind).settings
    ]


def _secret(channel: Channel) -> str | None:
    """The URL of a kind whose URL is a secret, else the signing secret; None where its key is lost."""
    return channel.readable_url if takes(channel.kind).secret_url else channel.readable_secret


def _log(request: HttpRequest, channel: Channel) -> dict[str, Any]:
    """Numbers, latest deliveries and history, for users who may read them."""
    log: dict[str, Any] = {}
    if may(request, "notifications.view_delivery"):
        day, month = last_day(channel.pk), last_month(channel.pk)
        deliveries = Delivery.objects.filter(channel=channel).select_related("event__order", "channel")
        deliveries = deliveries.defer(*EVENT_TEXTS)
        log |= {
            "may_read_log": True,
            "day": day,
            "day_facts": facts_of_day(day.totals),
            "chart": chart(day),
            "times": times(day),
            "month": month,
            "days": per_day(month),
            "deliveries": list(deliveries.order_by("-id")[:RECENT_DELIVERIES]),
            "replay": ReplayJob.objects.filter(channel=channel, status=ReplayJob.Status.RUNNING).first(),
        }
    if may(request, "notifications.view_historyentry"):
        changes = HistoryEntry.objects.filter(channel=channel).order_by("-id")
        log |= {"may_read_history": True, "changes": list(changes[:RECENT_CHANGES])}
    return log


def _attachments(channel: Channel) -> list[tuple[EventChannel, bool]]:
    """The event types that it is attached to, each with whether it is on."""
    on = set(EventTypeSwitch.objects.filter(enabled=True).values_list("event_type", flat=True))
    attached = EventChannel.objects.filter(channel=channel).order_by("id")
    return [(attachment, attachment.event_type in on) for attachment in attached]
