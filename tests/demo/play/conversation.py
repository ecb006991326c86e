"""What one person says to the API and hears back, judged call by call."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.demo.play.expectation import Essentials, difference
from tests.demo.play.model import Answer, Answered
from tests.demo.play.player import Api, Call, Reply


class Disagreement(AssertionError):
    """An answer is not what the rules say."""


@dataclass(frozen=True)
class Move:
    """A call, the rules for it, and how its body is read when it is not a refusal."""

    call: Call
    judge: Callable[[Answered], Answer]
    read: Callable[[Any], Essentials]


@dataclass
class Conversation:
    """Every method raises Disagreement, with the whole story, where an answer is not the right one.

    `kept` are the calls with an `Idempotency-Key` that were answered 2xx, with their answers.
    """

    api: Api
    name: str
    history: list[str] = field(default_factory=list)
    kept: list[tuple[Call, Reply]] = field(default_factory=list)

    @property
    def story(self) -> str:
        return f"{self.name}:\n  " + "\n  ".join(self.history)

    def make(self, move: Move) -> Reply:
        """One call. A refused one may be repeated with its key: refusals are not kept."""
        began = time.monotonic()
        reply = self.api(move.call)
        self._judge(move, reply, began)
        if move.call.idempotency_key and reply.status < 300:
            self.kept.append((move.call, reply))
        elif move.call.idempotency_key:
            self._judge(move, self.api(move.call), began)
        return reply

    def make_at_once(self, first: Move, second: Move) -> None:
        """Two calls without a key. One answered 201 is judged first; the order of equals must not matter."""
        began = time.monotonic()
        replies = self.api.at_once(first.call, second.call)
        self.history.append("at once:")
        for move, reply in sorted(zip((first, second), replies, strict=True), key=lambda pair: pair[1].status != 201):
            self._judge(move, reply, began)

    def make_hastily(self, move: Move) -> None:
        """The same call with the same key twice at once: it happens once, the other waits or gets its answer."""
        began = time.monotonic()
        replies = self.api.at_once(move.call, move.call)
        self.history.append("twice at once with one key:")
        originals = [reply for reply in replies if reply.status < 300 and not reply.replayed]
        if len(originals) != 1:
            self.disagree(f"expected one original answer, got {replies}")
        self._judge(move, originals[0], began)
        self.kept.append((move.call, originals[0]))
        for reply in replies:
            running = reply.status == 409 and reply.headers.get("retry-after") == "1"
            if reply is not originals[0] and not running:
                self._check_replay(reply, originals[0])

    def replay(self, call: Call, first: Reply) -> None:
        """The same call with the same key again: the first answer, and nothing happens."""
        reply = self.api(call)
        self.history.append(f"{call} -> {reply.status} again")
        self._check_replay(reply, first)

    def _check_replay(self, reply: Reply, first: Reply) -> None:
        if (reply.status, reply.body, reply.replayed) != (first.status, first.body, True):
            self.disagree(f"expected the answer {first.status} {first.body} replayed, got {reply}")

    def _judge(self, move: Move, reply: Reply, began: float) -> None:
        self.history.append(f"{move.call} -> {reply.status} {_in_short(reply)}")
        answered = Answered(reply.body if isinstance(reply.body, dict) else {}, began, time.monotonic())
        answer = move.judge(answered)
        if reply.status != answer.status:
            self.disagree(f"expected {answer.status}, got {reply.status} {reply.body}")
        if reply.replayed:
            self.disagree("this is no repetition, but was answered as one")
        if answer.body is not None:
            try:
                found = difference(answer.body, move.read(reply.body))
            except AssertionError as error:
                found = f"wrong shape: {error}"
            if found:
                self.disagree(found)

    def disagree(self, what: str) -> None:
        raise Disagreement(f"{what}\n{self.story}")


def _in_short(reply: Reply) -> str:
    if reply.status >= 400:
        return str(reply.body.get("detail") or reply.body)
    return str({name: reply.body[name] for name in ("id", "number", "status") if name in reply.body})
