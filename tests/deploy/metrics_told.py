"""The metrics that `/metrics` tells, by name, and the names that an expression of Prometheus asks for."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"\btidings_\w+")
PARTS = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",), "gauge": ("",)}


@dataclass(frozen=True)
class Told:
    """A metric with its type, the names of its samples, and its labels; None where it has no sample."""

    name: str
    type: str
    labels: frozenset[str] | None

    @property
    def samples(self) -> set[str]:
        return {f"{self.name}{part}" for part in PARTS[self.type]}


def told(text: str) -> dict[str, Told]:
    """What this answer of `/metrics` tells, by the name that the documents use: a counter's has its `_total`."""
    found = {}
    for family in text_string_to_metric_families(text):
        labels = [frozenset(sample.labels) - {"le"} for sample in family.samples]
        assert len(set(labels)) <= 1, family.name
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = Told(family.name, family.type, labels[0] if labels else None)
    return found


def asked(expression: str) -> set[str]:
    """The samples that an expression names."""
    return set(NAME.findall(expression))


def expressions(node: Any) -> list[str]:
    """All that stands under `expr`, `query` or `definition`, however deep."""
    if isinstance(node, dict):
        found = [value for key, value in node.items() if key in {"expr", "query", "definition"} and type(value) is str]
        return found + [each for value in node.values() for each in expressions(value)]
    return [each for value in node for each in expressions(value)] if isinstance(node, list) else []
