"""One person's day, made up from a seed: steps, most of them sensible, some of them refused, repeated or doubled."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.demo.play.conversation import Conversation, Move
from tests.demo.play.expectation import Essentials
from tests.demo.play.model import Answer, Answered, Rules
from tests.demo.play.player import Api, Call
from tests.demo.play.reading import (
    read_contact_answer,
    read_order,
    read_refund,
    read_response,
    read_subscription,
    read_transaction,
)
from tests.demo.play.state import Body, Catalogue, Order
from tests.demo.play.whims import Whims

_KEY_SHARE = 0.15  # of the POSTs carry an Idempotency-Key
_STEPS = (10, 30)
_NO_ORDER = "/orders/987654321012"


@dataclass
class Person:
    """The day is the same for the same seed, number and `without`, whoever else is there.

    `run` keeps e-mails and references apart from those of other runs on the same database. `without` names steps
    to leave out.
    """

    number: int
    seed: int
    run: str
    catalogue: Catalogue
    api: Api
    completion_seconds: float
    without: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        chance = random.Random(f"{self.seed}:{self.number}")
        self.identity = f"p{self.number}@{self.run}"
        self.rules = Rules(self.catalogue, self.completion_seconds)
        self.talk = Conversation(self.api, f"Person {self.number} of seed {self.seed}")
        self.steps_left = chance.randint(*_STEPS)
        self._random = chance
        self._whims = Whims(chance, self.catalogue, self.identity)
        self._keys = 0
        self._reported: list[tuple[Order, Body]] = []
        steps: dict[str, tuple[Callable[[], None], int]] = {
            "contact": (self._contact, 3),
            "order": (self._order, 5),
            "purchase": (self._purchase, 10),
            "repetition": (self._repetition, 4),
            "lead": (self._lead, 1),
            "thank-you": (self._thank_you, 3),
            "refund": (self._refund, 6),
            "tracking": (self._tracking, 3),
            "subscription": (self._subscription, 3),
            "survey": (self._survey, 2),
            "replay": (self._replay, 3),
            "refused": (self._refused, 2),
            "look": (self._look, 1),
        }
        self._steps = [step for name, (step, _) in steps.items() if name not in self.without]
        self._weights = [weight for name, (_, weight) in steps.items() if name not in self.without]

    def step(self) -> None:
        """Does one thing. Raises Disagreement where an answer is not the right one."""
        self.steps_left -= 1
        self._random.choices(self._steps, self._weights)[0]()

    def look_at(self, order: Order) -> str:
        """Reads the order, which has to be as the rules say; returns its status."""
        move = Move(Call("GET", f"/orders/{order.number}"), partial(self.rules.read_order, order), read_order)
        return str(self.talk.make(move).body["status"])

    def _make(self, move: Move, doubled: float = 0) -> None:
        """Makes the call, or the same one twice at once in this share of the cases."""
        if self._whims.chance(doubled):
            self.talk.make_at_once(move, move)
        elif move.call.method == "POST" and "replay" not in self.without and self._whims.chance(_KEY_SHARE):
            self.talk.make(self._with_key(move))
        else:
            self.talk.make(move)

    def _with_key(self, move: Move) -> Move:
        self._keys += 1
        call = Call(move.call.method, move.call.path, move.call.body, f"{self.identity}-{self._keys}")
        return Move(call, move.judge, move.read)

    def _contact(self) -> None:
        body = {**self._whims.contact(), **self._whims.sender()}
        self._make(_post("/contacts", body, partial(self.rules.send_contact, body), read_contact_answer), doubled=0.2)

    def _order(self) -> None:
        self._make(self._opening(self._whims.items(3), self._whims.sender()))

    def _opening(self, items: list[Body], sender: Body) -> Move:
        body = self._whims.order(list(self.rules.contacts.values()), items, sender)
        return _post("/orders", body, partial(self.rules.open_order, body), read_order)

    def _look(self) -> None:
        order = self._any_order()
        if order:
            self.look_at(order)

    def _purchase(self) -> None:
        order = self._any_order(lambda order: not order.purchases)
        if order is None:
            return self._order()
        body = self._whims.purchase(order)
        self._make(self._reporting(order, body), doubled=0.15)
        self._reported.append((order, body))
        return None

    def _reporting(self, order: Order, body: Body) -> Move:
        judge = partial(self.rules.report_transaction, order, body)
        return _post(f"/orders/{order.number}/transactions", body, judge, read_transaction)

    def _repetition(self) -> None:
        """The same gateway and reference again, as it was or with something else (rule 7)."""
        if not self._reported:
            return self._purchase()
        order, body = self._random.choice(self._reported)
        if self._whims.chance(0.2):
            order = self._random.choice(self.rules.orders)
        else:
            body = self._whims.purchase_again(body)
        return self._make(self._reporting(order, body))

    def _lead(self) -> None:
        """Two orders paid at the same time: if their contact is a lead, one of them makes a customer (rule 9)."""
        sender, orders, moves = self._whims.sender(), [], []
        for _ in range(2):
            self._make(self._opening(self._whims.items(2, kinds=("physical",)), sender))
            orders.append(self.rules.orders[-1])
        for order in orders:
            body = {**self._whims.purchase(order), "status": "approved"}
            moves.append(self._reporting(order, {name: body[name] for name in body if name in _PLAIN_PURCHASE}))
        was_lead = orders[0].contact is orders[1].contact and orders[0].contact.status == "lead"
        self.talk.make_at_once(*moves)
        if was_lead:
            self.rules.approved_at_once(*orders)

    def _thank_you(self) -> None:
        order = self._any_order(lambda order: order.source == "funnel")
        if order is None:
            return self._order()
        move = _post(f"/orders/{order.number}/thank-you", None, partial(self.rules.thank, order), read_order)
        return self._make(move, doubled=0.3)

    def _refund(self) -> None:
        order = self._any_order(lambda order: bool(order.purchases))
        if order is None:
            return self._order()
        declined = [each for each in self.rules.transactions if each.order is order and each.status == "declined"]
        body = self._whims.refund(order, declined)
        judge = partial(self.rules.give_back, order, body)
        return self._make(_post(f"/orders/{order.number}/refunds", body, judge, read_refund), doubled=0.2)

    def _tracking(self) -> None:
        order = self._any_order()
        if order is None:
            return self._order()
        body = self._whims.tracking()
        call = Call("PUT", f"/orders/{order.number}/tracking", body)
        return self._make(Move(call, partial(self.rules.track, order, body), read_order), doubled=0.2)

    def _subscription(self) -> None:
        candidates = [order for order in self.rules.orders if order.subscriptions]
        if not candidates:
            return self._purchase()
        order = self._random.choice(candidates)
        self.look_at(order)  # which tells the ids
        subscription = self._random.choice(order.subscriptions)
        body = {"reason": "Too expensive"} if self._whims.chance(0.7) else {}
        judge = partial(self.rules.cancel, subscription, body)
        return self._make(_post(f"/subscriptions/{subscription.id}/cancel", body, judge, read_subscription), 0.3)

    def _survey(self) -> None:
        body, order = self._whims.survey(self.rules.orders)
        slug = self._random.choice([*self.catalogue.surveys])
        judge = partial(self.rules.answer_survey, slug, body, order)
        self._make(_post(f"/surveys/{slug}/responses", body, judge, read_response))

    def _replay(self) -> None:
        """The same call with the same key has the same answer and no effect; another one is refused."""
        if not self.talk.kept or self._whims.chance(0.2):
            body = {**self._whims.contact(), **self._whims.sender()}
            judge = partial(self.rules.send_contact, body)
            return self.talk.make_hastily(self._with_key(_post("/contacts", body, judge, read_contact_answer)))
        call, first = self._random.choice(self.talk.kept)
        if self._whims.chance(0.8):
            return self.talk.replay(call, first)
        other = Call("POST", "/contacts", {**self._whims.contact(), "source": "shop", "tags": ["other"]})
        return self._refuse(409, Call(other.method, other.path, other.body, call.idempotency_key))

    def _refused(self) -> None:
        """Nothing of this may leave a trace."""
        known = list(self.rules.contacts.values())
        contact, order = self._whims.refused_contact(), self._whims.refused_order(known)
        survey = {"source": "shop", "email": self._whims.stranger, "answers": {"mood": "Good"}}
        refusals = [
            (422, Call("POST", "/contacts", contact)),
            (422, Call("POST", "/orders", order)),
            (404, Call("GET", _NO_ORDER)),
            (404, Call("GET", "/orders/none")),
            (404, Call("POST", f"{_NO_ORDER}/refunds", {"kind": "void"})),
            (404, Call("POST", f"{_NO_ORDER}/thank-you")),
            (404, Call("PUT", f"{_NO_ORDER}/tracking", self._whims.tracking())),
            (404, Call("POST", "/subscriptions/sub_none/cancel", {})),
            (404, Call("POST", "/surveys/no-such-survey/responses", survey)),
        ]
        weights = [4, 4, *(1 for _ in refusals[2:])]
        self._refuse(*self._random.choices(refusals, weights)[0])

    def _refuse(self, status: int, call: Call) -> None:
        self.talk.make(Move(call, lambda _: Answer(status), read_order))

    def _any_order(self, preferred: Callable[[Order], bool] = lambda order: True) -> Order | None:
        """Mostly a preferred one."""
        orders = self.rules.orders
        found = [order for order in orders if preferred(order)]
        if found and self._whims.chance(0.85):
            return self._random.choice(found)
        return self._random.choice(orders) if orders else None


_PLAIN_PURCHASE = {"status", "amount", "gateway", "reference"}


def _post(path: str, body: Body | None, judge: Callable[[Answered], Answer], read: Callable[[Any], Essentials]) -> Move:
    return Move(Call("POST", path, body), judge, read)
