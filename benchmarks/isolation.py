"""What do 16 healthy channels notice when four others hang, or when another works off a backlog?

20 channels hear of 50 events a second, dealt out over them. Then four of them stop answering; in another trial one of
them has 10,000 deliveries to be sent at once, as after a pause.
"""

import time
from collections.abc import Callable, Collection
from functools import partial

from django.db.models.functions import Now

from benchmarks import installation, table
from benchmarks.baseline import deliver
from benchmarks.happening import happen
from benchmarks.receiver import Receiver
from channels_app.models import Channel
from notifications.services import resume_channel

EVENTS_A_SECOND = 50
TROUBLED = (3, 8, 13, 18)
BACKLOG = 10_000
PHASE_SECONDS = 20
# A delivery that takes longer than this from its commit to its arrival is late.
LATE_SECONDS = 5.0
Trouble = Callable[[Receiver, list[Channel], bool], None]


def run(rounds: int) -> None:
    with Receiver() as receiver:
        for title, trouble in (
            ("Isolation: 20 channels, 50 events a second, four of which then hang", _hang),
            (f"Isolation: the same, and one works off a backlog of {BACKLOG:,}", _work_off),
        ):
            trials = [partial(measured, receiver, reuse, trouble) for reuse in installation.CONTENDERS.values()]
            contenders = table.measure(rounds, *trials)
            rows = [("16 healthy channels", "p99 before", "p99 then", "ratio", "late by 5 s")]
            for name, (before, after, late) in zip(installation.CONTENDERS, contenders, strict=True):
                ratio = table.ratios(after, before).text()
                rows.append((name, before.text("ms"), after.text("ms"), ratio, late.text("%")))
            table.show(title, rows)


def _hang(receiver: Receiver, _channels: list[Channel], _usual: bool) -> None:
    receiver.hang(*TROUBLED)


def _work_off(_receiver: Receiver, channels: list[Channel], usual: bool) -> None:
    channel = channels[TROUBLED[0]]
    if usual:
        for delivery_id in installation.make_backlog([channel], BACKLOG):
            deliver.delay(delivery_id)
        return
    Channel.objects.filter(pk=channel.pk).update(paused_at=Now())
    installation.make_backlog([channel], BACKLOG)
    resume_channel(channel_id=channel.pk, by="bench")


def measured(receiver: Receiver, reuse: int | None, trouble: Trouble) -> tuple[float, float, float]:
    """p99 of the healthy channels in ms before and in trouble, and percent of them that came late then.

    `reuse` None: of Tidings, else of the baseline. What has not arrived when the phase ends and the lateness has passed
    counts as having taken until then.
    """
    usual = reuse is not None
    installation.empty()
    channels = installation.make_channels(receiver)
    receiver.hang()
    with installation.contender(reuse):
        installation.warm_up(channels, usual=usual)
        before = phase(receiver, channels, but=TROUBLED, usual=usual)
        trouble(receiver, channels, usual)
        after = phase(receiver, channels, but=TROUBLED, usual=usual)
        receiver.hang()
    late = 100 * sum(waited > LATE_SECONDS * 1000 for waited in after) / len(after)
    return table.percentile(before, 99), table.percentile(after, 99), late


def phase(
    receiver: Receiver, channels: list[Channel], *, but: Collection[int] = (), usual: bool = False
) -> list[float]:
    """50 events a second, dealt out over these channels. The waits of their deliveries in ms, from commit to arrival,
    those of the places in `but` left out.
    """
    receiver.arrivals()
    committed: dict[str, float] = {}
    began = time.monotonic()
    for number in range(EVENTS_A_SECOND * PHASE_SECONDS):
        place = number % len(channels)
        event_id, at = happen(channels[place], usual=usual)
        if place not in but:
            committed[event_id] = at
        time.sleep(max(0.0, began + (number + 1) / EVENTS_A_SECOND - time.monotonic()))
    ends = time.monotonic() + LATE_SECONDS + 1
    arrived: dict[str, float] = {}
    while len(arrived) < len(committed) and time.monotonic() < ends:
        arrived |= {each.event_id: each.at for each in receiver.arrivals() if each.event_id in committed}
        time.sleep(0.1)
    now = time.monotonic()
    return [1000 * (arrived.get(event_id, now) - at) for event_id, at in committed.items()]
