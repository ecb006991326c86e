"""What Tidings tells of itself, to those who are told of alerts: no switch turns it off, and no channel is attached.

`notifications.alerts` says when, and puts it in words.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from channels_app.transports import kind_choices
from notifications.events.base import EventType

ALERT_KINDS = (
    *("failing", "still_failing", "last_warning", "paused", "recovered", "unreadable", "overdue", "on_time", "lost"),
    *("slow", "caught_up", "test"),
)


class AlertChannelOut(BaseModel):
    """The channel that an alert is about."""

    id: Annotated[str, Field(description="The channel's id.", examples=["chn_01kaskf4zze4t9a1t8cdhyjvb5"])]
    name: Annotated[str, Field(description="Its name when the alert was put in words.", examples=["Warehouse"])]
    kind: Annotated[str, Field(json_schema_extra={"enum": [kind for kind, _ in kind_choices()]})]


class AlertOut(BaseModel):
    """Something that is wrong with delivering, or right again."""

    kind: Annotated[str, Field(json_schema_extra={"enum": list(ALERT_KINDS)})]
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


def _alert(kind: str, label: str, description: str, title: str, *, channel: bool = True) -> EventType:
    def sample(_: datetime) -> dict[str, Any]:
        about = AlertChannelOut(id="chn_01kaskf4zze4t9a1t8cdhyjvb5", name="Warehouse", kind="postback")
        alert = AlertOut(
            kind=kind,
            channel=about if channel else None,
            channels=[about] if channel else [],
            title=title,
            text=f"{title}.\n\nWhat to do: nothing.",
            url=None,
        )
        return {"alert": alert}

    return EventType(
        key=f"alert.{kind}",
        label=label,
        description=description,
        signal=None,
        facts={"alert": AlertOut},
        data=AlertData,
        sample=sample,
    )


ALERT_TYPES: dict[str, EventType] = {
    alert_type.key: alert_type
    for alert_type in (
        _alert(
            "failing", "A channel keeps failing", "The fifth failure in a row on a channel.", "Warehouse keeps failing"
        ),
        _alert(
            "still_failing",
            "A channel still fails",
            "A channel has failed for a fifth of the time after which it is paused.",
            "Warehouse still fails",
        ),
        _alert(
            "last_warning",
            "Last warning before a channel is paused",
            "A channel has failed for four fifths of the time after which it is paused.",
            "Warehouse will be paused if it goes on failing",
        ),
        _alert(
            "paused",
            "A channel was paused",
            "Somebody paused a channel; or Tidings did, after it had failed for long, or after a 410.",
            "Warehouse was paused",
        ),
        _alert(
            "recovered", "A channel has recovered", "A channel that failed takes deliveries.", "Warehouse has recovered"
        ),
        _alert(
            "unreadable",
            "The secrets of a channel cannot be read",
            "The key that encrypted a channel's secrets is lost, so nothing can be sent to it.",
            "The secrets of Warehouse cannot be read",
        ),
        _alert(
            "overdue",
            "Deliveries wait for too long",
            "The oldest delivery that could be sent now waits for more than two minutes.",
            "Deliveries wait for too long",
            channel=False,
        ),
        _alert(
            "on_time",
            "Deliveries go out in time again",
            "No delivery that could be sent waits for too long any longer.",
            "Deliveries go out in time again",
            channel=False,
        ),
        _alert(
            "lost",
            "Deliveries failed with their workers",
            "Deliveries of a channel failed because three workers in a row died with each of them.",
            "Deliveries to Warehouse failed with their workers",
        ),
        _alert(
            "slow",
            "A receiver is slower than what comes in",
            "A channel at its cap is late by more than ten minutes, and more and more waits on it.",
            "Warehouse is slower than what comes in",
        ),
        _alert(
            "caught_up",
            "A receiver has caught up",
            "The backlog of a slow channel is worked off.",
            "Warehouse has caught up",
        ),
        _alert(
            "test", "Test alert", "Somebody sent a test to all who are told.", "This is a test alert", channel=False
        ),
    )
}
