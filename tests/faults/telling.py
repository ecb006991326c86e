"""What the log tells of every delivery, held against what has arrived."""

from collections import Counter
from dataclasses import dataclass

from tests.channels_app.kinds.receivers import Receivers
from tests.faults.installation import ATTEMPTS, DELIVERIES, Installation

ANSWERED = {"succeeded", "http_error", "refused"}


@dataclass(frozen=True)
class Told:
    """One delivery after a fault: `outcomes` of its attempts in order, and how often it has arrived."""

    event: str
    path: str
    status: str
    outcomes: tuple[str, ...]
    arrivals: int


def tell(installation: Installation, receiver: Receivers) -> list[Told]:
    arrivals = Counter((arrived.path, arrived.event) for arrived in receiver.received)
    rows = installation.ask(
        f"SELECT delivery.event_id, channel.name, delivery.status, array_agg(attempt.outcome ORDER BY attempt.number) "
        f"FROM {DELIVERIES} delivery "
        f"JOIN channels_app_channel channel ON channel.id = delivery.channel_id "
        f"LEFT JOIN {ATTEMPTS} attempt ON attempt.delivery_id = delivery.id "
        f"WHERE NOT delivery.is_alert GROUP BY delivery.id, channel.id"
    )
    return [Told(event, path, status, tuple(outcomes), arrivals[path, event]) for event, path, status, outcomes in rows]


def prove_nothing_is_lost(installation: Installation, receiver: Receivers, *, events: int, channels: int) -> list[Told]:
    """Every event succeeded on every channel, nothing is in limbo, and nothing arrived more often than the log admits.

    An attempt that was answered has arrived once, and one that ended as unknown at most once. Returns the deliveries.
    """
    told = tell(installation, receiver)
    assert Counter(each.event for each in told) == dict.fromkeys({each.event for each in told}, channels)
    assert len(told) == events * channels
    not_told = [(each.path, each.status, each.outcomes) for each in told if each.status != "succeeded"]
    assert not_told == [], not_told
    assert installation.ask(f"SELECT count(*) FROM {DELIVERIES} WHERE lease_token IS NOT NULL") == [(0,)]
    assert [each for each in told if not {*each.outcomes} <= ANSWERED | {"unknown"}] == []
    for each in told:
        answered = sum(outcome in ANSWERED for outcome in each.outcomes)
        assert 1 <= answered <= each.arrivals <= len(each.outcomes), each
    assert {(arrived.path, arrived.event) for arrived in receiver.received} == {
        (each.path, each.event) for each in told
    }
    return told


def unknown_attempts(installation: Installation) -> Counter[str]:
    """How many attempts of each delivery ended as unknown, those that never began included."""
    rows = installation.ask(f"SELECT delivery_id FROM {ATTEMPTS} WHERE outcome = 'unknown'")
    return Counter(delivery for (delivery,) in rows)
