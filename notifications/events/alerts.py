"""What Tidings tells of itself, to those who are told of alerts: no switch turns it off, and no channel is attached.

`notifications.alerts` says when, and puts it in words.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from django.db import models
from pydantic import BaseModel, Field

from channels_app.transports import kind_choices
from notifications.events.base import EventType

ALERT_PREFIX = "alert."
Tone = Literal["good", "bad", "neutral"]


class AlertKind(models.TextChoices):
    FAILING = "failing", "A channel keeps failing"
    STILL_FAILING = "still_failing", "A channel still fails"
    LAST_WARNING = "last_warning", "Last warning before a channel is paused"
    PAUSED = "paused", "A channel was paused"
    RECOVERED = "recovered", "A channel has recovered"
    UNREADABLE = "unreadable", "The secrets of a channel cannot be read"
    OVERDUE = "overdue", "Deliveries wait for too long"
    ON_TIME = "on_time", "Deliveries go out in time again"
    LOST = "lost", "Deliveries failed with their workers"
    SLOW = "slow", "A receiver is slower than what comes in"
    CAUGHT_UP = "caught_up", "A receiver has caught up"
    TEST = "test", "Test"

    @property
    def key(self) -> str:
        """Of the type of events that it is."""
        return f"{ALERT_PREFIX}{self.value}"


class AlertChannelOut(BaseModel):
    """The channel that an alert is about."""

    id: Annotated[str, Field(description="The channel's id.", examples=["chn_01kaskf4zze4t9a1t8cdhyjvb5"])]
    name: Annotated[str, Field(description="Its name when the alert was put in words.", examples=["Warehouse"])]
    kind: Annotated[str, Field(json_schema_extra={"enum": [kind for kind, _ in kind_choices()]})]


class AlertOut(BaseModel):
    """Something that is wrong with delivering, or right again."""

    kind: Annotated[str, Field(json_schema_extra={"enum": AlertKind.values})]
    channel: Annotated[
        AlertChannelOut | None, Field(description="What it is about; null where it is about none, or about several.")
    ]
    channels: Annotated[list[AlertChannelOut], Field(description="All that it is about.")]
    title: Annotated[str, Field(description="One line.", examples=["Warehouse keeps failing"])]
    text: Annotated[
        str,
        Field(
            description="What happened, what becomes of the deliveries and what to do, in paragraphs with an empty "
            "line between them."
        ),
    ]
    url: Annotated[
        str | None, Field(description="The page to go on from; null where it is not known how Tidings is reached.")
    ]


class AlertData(BaseModel):
    """Of every type that begins with `alert.`."""

    alert: AlertOut


@dataclass(frozen=True, eq=False, kw_only=True)
class AlertType(EventType):
    """`title` is for the name of the channel that it is about, if it is about one. `title_of_many` is for a number of
    channels; "" where many are never told in one.
    """

    title: str
    title_of_many: str = ""
    tone: Tone = "bad"


def _alert(
    kind: AlertKind,
    description: str,
    *,
    title: str,
    title_of_many: str = "",
    tone: Tone = "bad",
    label: str = "",
) -> AlertType:
    about = AlertChannelOut(id="chn_01kaskf4zze4t9a1t8cdhyjvb5", name="Warehouse", kind="postback")
    channel = about if "{}" in title else None

    def sample(_: datetime) -> dict[str, Any]:
        said = title.format(about.name)
        alert = AlertOut(
            kind=kind.value,
            channel=channel,
            channels=[channel] if channel else [],
            title=said,
            text=f"{said}.\n\nWhat to do: nothing.",
            url=None,
        )
        return {"alert": alert}

    return AlertType(
        key=kind.key,
        label=label or kind.label,
        description=description,
        signal=None,
        facts={"alert": AlertOut},
        data=AlertData,
        sample=sample,
        title=title,
        title_of_many=title_of_many,
        tone=tone,
    )


ALERT_TYPES: dict[str, AlertType] = {
    alert_type.key: alert_type
    for alert_type in (
        _alert(
            AlertKind.FAILING,
            "The fifth failure in a row on a channel.",
            title="{} keeps failing",
            title_of_many="{} channels keep failing",
        ),
        _alert(
            AlertKind.STILL_FAILING,
            "A channel has failed for a fifth of the time after which it is paused.",
            title="{} still fails",
            title_of_many="{} channels still fail",
        ),
        _alert(
            AlertKind.LAST_WARNING,
            "A channel has failed for four fifths of the time after which it is paused.",
            title="{} will be paused if it goes on failing",
            title_of_many="{} channels will be paused if they go on failing",
        ),
        _alert(
            AlertKind.PAUSED,
            "Somebody paused a channel; or Tidings did, after it had failed for long, or after a 410.",
            title="{} was paused",
            title_of_many="{} channels were paused by Tidings",
        ),
        _alert(
            AlertKind.RECOVERED,
            "A channel that failed takes deliveries.",
            title="{} has recovered",
            title_of_many="{} channels have recovered",
            tone="good",
        ),
        _alert(
            AlertKind.UNREADABLE,
            "The key that encrypted a channel's secrets is lost, so nothing can be sent to it.",
            title="The secrets of {} cannot be read",
            title_of_many="The secrets of {} channels cannot be read",
        ),
        _alert(
            AlertKind.OVERDUE,
            "The oldest delivery that could be sent now waits for more than two minutes.",
            title="Deliveries wait for too long",
        ),
        _alert(
            AlertKind.ON_TIME,
            "No delivery that could be sent waits for too long any longer.",
            title="Deliveries go out in time again",
            tone="good",
        ),
        _alert(
            AlertKind.LOST,
            "Deliveries of a channel failed because three workers in a row died with each of them.",
            title="Deliveries to {} failed with their workers",
            title_of_many="Deliveries to {} channels failed with their workers",
        ),
        _alert(
            AlertKind.SLOW,
            "A channel at its cap is late by more than ten minutes, and more and more waits on it.",
            title="{} is slower than what comes in",
            title_of_many="{} channels are slower than what comes in",
        ),
        _alert(
            AlertKind.CAUGHT_UP,
            "The backlog of a slow channel is worked off.",
            title="{} has caught up",
            title_of_many="{} channels have caught up",
            tone="good",
        ),
        _alert(
            AlertKind.TEST,
            "Somebody sent a test to all who are told.",
            title="This is a test alert",
            tone="neutral",
            label="Test alert",
        ),
    )
}
