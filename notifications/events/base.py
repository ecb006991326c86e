"""`EventType`: everything that Tidings knows of one kind of occurrence, in one object.

`docs/event-types.md` is the recipe for a further one.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models
from django.dispatch import Signal
from pydantic import BaseModel, TypeAdapter

from channels_app.transports import Notice, kind_choices
from notifications.events.words.occurrence import Occurrence
from orders.models import Contact, Order

KEY = re.compile(r"[a-z]+(_[a-z]+)*(\.[a-z]+(_[a-z]+)*)+")
KEY_CHARACTERS = 40  # of the columns that keep keys
# Events are filed under these facts, so they can be of no other model.
_FILED_UNDER: dict[str, type] = {"order": Order, "contact": Contact}


@dataclass(frozen=True, eq=False, kw_only=True)
class EventType:
    """One kind of occurrence.

    `signal` announces it; None: no app does, `notifications` records it itself. `facts` are the arguments that it is
    sent with, less `source`, by name: a model, whose rows are kept by their primary keys, or any other type, whose
    values are kept as JSON. Each may be None.

    `data` is the model of the event's `data` member. It is validated from the facts of the same names, unless `build`
    makes it of all facts. Either runs without a database statement. `personal` names those of its members, at whatever
    depth, that identify a person and that `notifications.erasure` does not know by their names.

    `sample` makes facts that could be, at a moment, unsaved and without the database. `words` says what happened to
    people; without it they read label, description and all that the data holds.

    Raises `ValueError` where these do not fit together.
    """

    key: str
    label: str
    description: str
    signal: Signal | None
    facts: Mapping[str, Any]
    data: type[BaseModel]
    sample: Callable[[datetime], dict[str, Any]]
    build: Callable[..., BaseModel] | None = None
    words: Callable[[Occurrence], Notice] | None = None
    personal: frozenset[str] = frozenset()
    postback_only: bool = False
    manual_retry: bool = False

    def __post_init__(self) -> None:
        if not KEY.fullmatch(self.key) or len(self.key) > KEY_CHARACTERS:
            raise ValueError(f"{self.key}: a key is as `order.completed`, of at most {KEY_CHARACTERS} characters.")
        if (unbuilt := self.data.model_fields.keys() - self.facts.keys()) and self.build is None:
            raise ValueError(f"{self.key}: nothing builds {', '.join(sorted(unbuilt))}.")
        for name, model in _FILED_UNDER.items():
            if self.facts.get(name, model) is not model:
                raise ValueError(f"{self.key}: {name} is not a {model.__name__}.")

    @property
    def kinds(self) -> list[str]:
        """The kinds of channel that may be attached."""
        return ["postback"] if self.postback_only else [kind for kind, _ in kind_choices()]

    def build_data(self, facts: Mapping[str, Any]) -> BaseModel:
        """The `data` member. Raises whatever building raises."""
        return self.build(**facts) if self.build else self.data.model_validate(facts)

    def keep(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Facts as JSON, from which `find` finds them again."""
        return {name: _kept(facts[name], kind) for name, kind in self.facts.items() if name in facts}

    def find(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """Kept facts as they are now. Raises `ObjectDoesNotExist` for a row that is gone."""
        return {name: _found(kept[name], kind) for name, kind in self.facts.items() if name in kept}


def _kept(value: Any, kind: Any) -> Any:
    if isinstance(value, models.Model):
        return value.pk
    return None if value is None else TypeAdapter(kind).dump_python(value, mode="json", warnings=False)


def _found(value: Any, kind: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, type) and issubclass(kind, models.Model):
        return kind._default_manager.get(pk=value)
    return TypeAdapter(kind).validate_python(value)
