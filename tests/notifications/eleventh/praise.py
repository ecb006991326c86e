"""A further event type: one block, as it would stand in `notifications/events/`, and the `send` that announces it."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.dispatch import Signal
from pydantic import BaseModel

from channels_app.transports import Notice
from notifications.events import samples
from notifications.events.base import EventType
from notifications.events.words import sections
from notifications.events.words.occurrence import Occurrence
from orders.models import Order
from orders.representations import OrderOut

order_praised = Signal()


class Praise(BaseModel):
    stars: int
    nickname: str


class PraiseData(BaseModel):
    """`order.praised`."""

    praise: Praise
    order: OrderOut


def _words(event: Occurrence) -> Notice:
    stars = event.data.object("praise").whole("stars", 0)
    return event.notice(
        title=f"{event.somebody} praises {event.order_name}",
        paragraphs=(f"{stars} of 5 stars.",),
        sections=(sections.order(event.order),),
        tone="good",
    )


def _sample(now: datetime) -> dict[str, Any]:
    return {"praise": Praise(stars=5, nickname="Countess"), "order": samples.order(now)}


PRAISED = EventType(
    key="order.praised",
    label="Order praised",
    description="A buyer is happy with an order.",
    signal=order_praised,
    facts={"praise": Praise, "order": Order},
    data=PraiseData,
    sample=_sample,
    words=_words,
    personal=frozenset({"nickname"}),
    manual_retry=True,
)


@transaction.atomic
def praise(order: Order, *, stars: int = 4, nickname: str = "Enchantress") -> None:
    order_praised.send(sender=Order, praise=Praise(stars=stars, nickname=nickname), order=order)
