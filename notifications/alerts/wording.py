"""Puts alerts in words: what happened, what becomes of the deliveries, what to do, and where.

They are made once, at the first turn of an alert (`freeze`), from how things are then. All that is sent of it
afterwards, on every retry too, is made of them without the database.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.contrib.admin.utils import quote
from django.db import Error
from django.urls import reverse

from channels_app.models import Channel
from channels_app.text import one_line, some
from channels_app.transports import Link, Notice, Section
from notifications.alerts.facts import Facts, facts_of, in_zone
from notifications.alerts.joining import title_of
from notifications.display import counted
from notifications.events.alerts import ALERT_TYPES
from notifications.events.bodies import build_body
from notifications.models import Alert
from notifications.permissions import ADMINISTRATORS
from notifications.public_links import public_link
from orders.models import Source

log = structlog.get_logger(__name__)

Kind = Alert.Kind

SUBJECT_PREFIX = "[Tidings] "
LINK_TEXTS = {True: "Open the channel", False: "Open the dashboard"}

PROBED = (
    "What becomes of its deliveries: Tidings asks the channel with one delivery at a time, at growing intervals; "
    "the others wait. What could not be delivered after its retries fails and stays in the delivery log. "
    "Other channels are not affected."
)
MEND = (
    "What to do: look at the latest attempts, mend the receiver or correct the channel's address, and send a test. "
    "Then have what failed sent again: the channel's page offers a replay."
)
HELD = (
    "What becomes of its deliveries: they are held. Nothing is lost, and nothing is sent until somebody resumes "
    "the channel. Other channels are not affected."
)


# So many channels are named in an alert about many.
NAMED_AT_MOST = 50
COMMON_KINDS = {Kind.FAILING, Kind.STILL_FAILING, Kind.LAST_WARNING}
COMMON = (
    "What to do first: look at what they have in common, such as a host, a network, a proxy or a certificate. What "
    "fails at so many receivers at once is seldom the fault of each of them."
)


@dataclass(frozen=True)
class Words:
    """What is told of one alert. `facts` are pairs of a label and a value; `url` is "" where no `PUBLIC_URL` is set."""

    kind: str
    title: str
    paragraphs: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    channel: dict[str, str] | None
    url: str
    link: str = ""

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Words":
        """Of `Alert.words`."""
        facts = tuple((label, value) for label, value in kept["facts"])
        return cls(**{**kept, "paragraphs": tuple(kept["paragraphs"]), "facts": facts})


def title(alert: Alert) -> str:
    """One line, whatever the channel's name is."""
    return ALERT_TYPES[Kind(alert.kind).key].title.format(one_line(alert.channel.name) if alert.channel else "")


def freeze(alert: Alert, others: Sequence[Alert] = ()) -> None:
    """Make the words and the body of an alert whose turn has come, and which speaks of these others as well.

    Reads the health of their channels; not saved.
    """
    try:
        words = _words_of_many([alert, *others]) if others else _words(alert)
    except Error:
        raise
    except Exception:
        # What cannot be put in words must not stand in front of all other alerts.
        log.exception("alert_without_words", alert_id=alert.pk, kind=alert.kind)
        words = Words(alert.kind, title(alert), (f"{title(alert)}.",), (), _named(alert.channel), _url(alert))
    alert.words = vars(words)
    told = {
        "kind": alert.kind,
        "channel": words.channel,
        "channels": [named for each in (alert, *others) if (named := _named(each.channel))],
        "title": words.title,
        "text": _text(words),
        "url": words.url or None,
    }
    alert.body = build_body(
        ALERT_TYPES[Kind(alert.kind).key],
        {"alert": told},
        event_id=alert.pk,
        created_at=alert.created_at,
        source=Source.ADMIN,
    )


def _words(alert: Alert) -> Words:
    found = facts_of(alert)
    if found.since:
        alert.facts = {**alert.facts, "since": found.since.isoformat()}
    return Words(
        kind=alert.kind,
        title=title(alert),
        paragraphs=tuple(filter(None, (*_paragraphs(alert, found), _where(alert)))),
        facts=found.pairs,
        channel=_named(alert.channel),
        url=_url(alert),
    )


def _words_of_many(alerts: Sequence[Alert]) -> Words:
    names = [one_line(each.channel.name) for each in alerts if each.channel]
    facts = []
    for each in alerts[:NAMED_AT_MOST]:
        about = dict(facts_of(each).pairs)
        told = [about[label] for label in ("Address", "Waits for", "Latest failure") if label in about]
        facts.append((about["Channel"], ", ".join(told)))
    page = public_link(reverse("admin:channels_app_channel_changelist"))
    return Words(
        kind=alerts[0].kind,
        title=title_of(alerts),
        paragraphs=tuple(
            filter(
                None,
                (
                    f"{title_of(alerts)}: {some(names, NAMED_AT_MOST)}.",
                    COMMON if alerts[0].kind in COMMON_KINDS else "",
                    "What becomes of the deliveries of each, and what to do, stands on its channel's page.",
                    "" if page else "You find them in Tidings under Channels.",
                ),
            )
        ),
        facts=tuple(facts),
        channel=None,
        url=page,
        link="Open the channels",
    )


def notice_of_alert(kept: str, *, administrators: bool) -> Notice:
    """The words of an alert as they were frozen (`Alert.words`, as JSON), for people. Needs no database connection.

    An e-mail to the administrators says in its subject where it comes from.
    """
    words = Words.of(json.loads(kept))
    alert_type = ALERT_TYPES[Kind(words.kind).key]
    why = (
        f"because you belong to {ADMINISTRATORS} or are a superuser"
        if administrators
        else "because this channel was chosen under Integrations, Alerts"
    )
    return Notice(
        type=alert_type.key,
        title=f"{SUBJECT_PREFIX if administrators else ''}{words.title}",
        paragraphs=words.paragraphs,
        sections=(Section("How it stands", words.facts),) if words.facts else (),
        links=(Link(words.link or LINK_TEXTS[words.channel is not None], words.url),) if words.url else (),
        tone=alert_type.tone,
        footer=f"Sent by Tidings {why}.",
    )


def _text(words: Words) -> str:
    facts = "\n".join(f"{label}: {value}" for label, value in words.facts)
    first, *others = words.paragraphs
    return "\n\n".join(filter(None, (first, facts, *others)))


def _paragraphs(alert: Alert, found: Facts) -> tuple[str, ...]:
    name = one_line(alert.channel.name) if alert.channel else ""
    comma_since = f", {_since(found.since)}" if found.since else ""
    failed = f"The channel {name} has failed {found.failures} times in a row{comma_since}."
    match alert.kind:
        case Kind.FAILING:
            return failed, PROBED, MEND, _what_follows()
        case Kind.STILL_FAILING:
            at = f"If it goes on failing you are warned once more, and Tidings pauses it at {in_zone(found.pauses_at)}."
            return failed, PROBED, MEND, at if found.pauses_at else ""
        case Kind.LAST_WARNING:
            at = f" at {in_zone(found.pauses_at)}" if found.pauses_at else ""
            pause = (
                f"This is the last warning: if it goes on failing, Tidings pauses it{at}. Its deliveries are held then "
                "until somebody resumes it; nothing is lost."
            )
            return failed, pause, PROBED, MEND
        case Kind.PAUSED:
            at = f" at {in_zone(found.at)}" if found.at else ""
            return (
                f"The channel {name} was paused by {one_line(alert.facts.get('by', ''))}{at}.",
                HELD,
                "What to do: when the receiver is ready, resume the channel; what is held then goes out at once. "
                "A channel that is no longer needed can be deleted.",
            )
        case Kind.RECOVERED:
            return (
                f"The channel {name} takes deliveries again. It had failed {_since(found.since) or 'before'}.",
                "What becomes of its deliveries: what waits goes out now. What had failed for good stays failed.",
                "What to do: nothing, unless what failed is to be sent again; the channel's page offers a replay.",
            )
        case Kind.UNREADABLE:
            return (
                f"Nothing can be sent to the channel {name}: the key that encrypted its secrets is not in "
                "SECRETS_ENCRYPTION_KEYS.",
                "What becomes of its deliveries: they are tried again a few times, then they fail and stay in the "
                "delivery log. Other channels are not affected, unless their secrets were written with the same key.",
                "What to do: put the key back into SECRETS_ENCRYPTION_KEYS of every web and worker process, or give "
                "the channel's secrets anew on its page. Then have what failed sent again: that page offers a replay.",
            )
        case Kind.OVERDUE:
            return (
                f"The oldest due delivery has waited for {found.waited}, though nothing forbids it to be sent.",
                "What becomes of the deliveries: all of them are kept, and go out as soon as workers take them.",
                "What to do: look at the log of the workers; they are stuck or too few. Start more, or restart them. "
                "DELIVERY_CONCURRENCY and CHANNEL_CONCURRENCY say how much is sent at the same time.",
                "You are told again after an hour, then once a day, and when it is over.",
            )
        case Kind.LOST:
            lost = counted(alert.facts.get("number", 1), "delivery", grouped=True)
            return (
                f"The worker stopped with {lost} to the channel {name} in its hands, three times in a row each.",
                "What becomes of them: they failed and are not tried again by themselves. Their pages in the delivery "
                "log say of each attempt whether anything may have been sent. Other deliveries are not affected.",
                "What to do: look at the end of the workers' logs, or of the system's, for why they stopped (memory is "
                "a frequent reason). Then have what failed sent again: the channel's page offers a replay.",
            )
        case Kind.SLOW:
            return (
                f"The channel {name} takes less than what comes in: its oldest due delivery has waited for "
                f"{found.waited}, and more deliveries wait than before.",
                f"What becomes of its deliveries: all of them are kept, and go out as fast as the receiver answers, at "
                f"most {settings.CHANNEL_CONCURRENCY} at a time. Other channels are not affected.",
                "What to do: have the receiver answer faster, best before it begins its own work. If it can take more "
                "at a time, raise CHANNEL_CONCURRENCY. Where many channels are told of at once, start more workers.",
                "You are not told again until it has caught up.",
            )
        case Kind.CAUGHT_UP:
            return f"The channel {name} has caught up: its backlog is worked off.", "What to do: nothing."
        case Kind.ON_TIME:
            late = f"; they had been late {_since(found.since)}" if found.since else ""
            return f"Deliveries go out in time again{late}.", "What to do: nothing."
        case _:
            by = one_line(alert.facts.get("by", "")) or "somebody"
            return f"This is a test, sent by {by}. Nothing is wrong.", "What to do: nothing. Alerts reach you."


def _what_follows() -> str:
    if days := settings.PAUSE_FAILING_AFTER_DAYS:
        return (
            f"If it goes on failing you are warned twice more, and after {days:g} {'day' if days == 1 else 'days'} "
            "Tidings pauses the channel."
        )
    return "You are not told again until it has recovered."


def _since(at: datetime | None) -> str:
    return f"since {in_zone(at)}" if at else ""


def _named(channel: Channel | None) -> dict[str, str] | None:
    return {"id": channel.pk, "name": channel.name, "kind": channel.kind} if channel else None


def _url(alert: Alert) -> str:
    """Of the page to go on from; "" where nobody has said where Tidings is reached."""
    if alert.channel is None:
        return public_link(reverse("admin:index"))
    return public_link(reverse("admin:channels_app_channel_change", args=[quote(alert.channel.pk)]))


def _where(alert: Alert) -> str:
    """In words, where there is no link."""
    if settings.PUBLIC_URL:
        return ""
    if alert.channel is None:
        return "The dashboard of Tidings shows how things stand."
    return f"You find it in Tidings under Channels, {one_line(alert.channel.name)}."
