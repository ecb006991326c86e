"""A whole day: many persons at once, and then what the receivers got."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.demo.play.conversation import Disagreement
from tests.demo.play.expectation import Event, OneOf
from tests.demo.play.person import Person
from tests.demo.play.player import Api, Listener, enable_event_types, listeners
from tests.demo.play.state import Catalogue, Product
from tests.waiting import wait_until

_IN_THE_SHOP = 8  # persons at a time in each lane
_SHOWN = 5
_READ_ONE_IN = 3  # of the orders have their events read in the log
# Longer than this nobody waits for the clock: the day ends with funnel orders that are paid.
_PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Plan:
    """`only` plays one person alone: a day is the same for a person whoever else is there."""

    seed: int
    persons: int
    run: str
    completion_seconds: float
    lanes: int = 4
    only: int | None = None
    without: frozenset[str] = frozenset()


@dataclass
class Day:
    """`play` raises AssertionError that names the seed and tells the story of whoever met a difference."""

    api: Api
    plan: Plan
    catalogue: Catalogue
    persons: list[Person] = field(default_factory=list)
    calls: int = 0
    postbacks: int = 0

    def play(self) -> None:
        plan = self.plan
        numbers = range(plan.persons) if plan.only is None else [plan.only]
        self.persons = [
            Person(
                number=number,
                seed=plan.seed,
                run=plan.run,
                catalogue=self.catalogue,
                api=self.api,
                completion_seconds=plan.completion_seconds,
                without=plan.without,
            )
            for number in numbers
        ]
        with _listening(self.api, plan.run) as channels:
            with ThreadPoolExecutor(plan.lanes) as pool:
                found = [line for lines in pool.map(self._play_lane, range(plan.lanes)) for line in lines]
            self._raise(found)
            self._close()
            for channel in channels:
                wait_until(lambda: channel.has_received_everything(self.api), timeout=_PATIENCE_SECONDS, interval=0.2)  # noqa: B023
            self.calls = sum(len(person.talk.history) for person in self.persons)
            self.postbacks = sum(len(channel.receiver.received) for channel in channels)
            self._raise([self._with_story(line) for channel in channels for line in channel.differences(self.expected)])
        self._raise([line for person in self.persons for line in self._misordered(person)])

    @property
    def expected(self) -> list[Event]:
        return [event for person in self.persons for event in person.rules.expected]

    def _play_lane(self, lane: int) -> list[str]:
        order = random.Random(f"{self.plan.seed}:lane:{lane}")
        waiting = self.persons[lane :: self.plan.lanes]
        present: list[Person] = []
        found = []
        while waiting or present:
            while waiting and len(present) < _IN_THE_SHOP:
                present.append(waiting.pop())
            person = order.choice(present)
            try:
                person.step()
            except Disagreement as error:
                found.append(str(error))
                present.remove(person)
            else:
                if not person.steps_left:
                    present.remove(person)
        return found

    def _close(self) -> None:
        """Waits until the clock has completed what is paid, and looks at every order once more."""
        found = []
        for person in self.persons:
            if self.plan.completion_seconds <= _PATIENCE_SECONDS:
                for order in person.rules.orders:
                    if order.awaits_completion:
                        wait_until(
                            lambda: person.look_at(order) == "completed",  # noqa: B023
                            timeout=self.plan.completion_seconds + _PATIENCE_SECONDS,
                            interval=0.5,
                        )
                person.rules.end()
            try:
                for order in person.rules.orders:
                    person.look_at(order)
            except Disagreement as error:
                found.append(str(error))
        self._raise(found)

    def _misordered(self, person: Person) -> list[str]:
        """Some orders whose events are recorded in another order than rule 1 says."""
        lines = []
        expected = [(event.type, event.data.get("order")) for event in person.rules.expected]
        # Where the server's clock or a race decides, so it does when.
        uncertain = {shown["number"] for _, order in expected if isinstance(order, OneOf) for shown in order.values}
        for order in person.rules.orders[::_READ_ONE_IN]:
            unsure = {"order.completed", "customer.created"} if order.number in uncertain else set()
            recorded = [event["type"] for event in self.api.listed(f"/events?order={order.number}&limit=200")]
            found = [event_type for event_type in reversed(recorded) if event_type not in unsure]
            wanted = [
                event_type
                for event_type, shown in expected
                if isinstance(shown, dict) and shown["number"] == order.number and event_type not in unsure
            ]
            if found != wanted:
                lines.append(f"order {order.number}: recorded {found}, not {wanted}\n{person.talk.story}")
        return lines

    def _with_story(self, line: str) -> str:
        for person in self.persons:
            if f".{person.identity}." in line:
                return f"{line}\n{person.talk.story}"
        return line

    def _raise(self, found: list[str]) -> None:
        if found:
            shown = "\n\n".join(found[:_SHOWN])
            raise AssertionError(f"{self.plan}: {len(found)} differences from the rules:\n\n{shown}")


@contextmanager
def _listening(api: Api, run: str) -> Iterator[list[Listener]]:
    with ExitStack() as stack:
        stack.callback(enable_event_types(api))
        channels = listeners(run)
        for channel in channels:
            stack.enter_context(channel.receiver)
            channel.attach(api)
            stack.callback(api.done, "DELETE", f"/channels/{channel.channel_id}")
        yield channels


def read_catalogue(api: Api, funnels: list[str], surveys: dict[str, str], currency: str = "USD") -> Catalogue:
    """What `GET /products` offers in this currency."""
    offered: list[dict[str, Any]] = [each for each in api.listed("/products") if each["currency"] == currency]
    assert offered, f"Nothing is sold in {currency}."
    products = {
        each["sku"]: Product(each["sku"], each["title"], each["kind"], Decimal(each["unit_price"]), each["interval"])
        for each in offered
    }
    return Catalogue(products, tuple(funnels), surveys, currency)
