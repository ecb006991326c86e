"""Values that mean the same wherever they stand, each as one schema with a name: words, amounts, free objects.

A word that is sent in is one of a closed list (an enum, named `...Choice` where the same words are given out, too). One
that is given out is a string: further words may come at any time, and a client that was generated with a closed list
would fail on them. The words known today are listed as `x-extensible-enum`, and in the description.
"""

from typing import Any

from api.openapi.references import REF, each_schema
from api.schemas import OUTCOME_WORDS, REPLAY_WORDS, ROUTING_WORDS, STATUS_WORDS, TRIGGER_WORDS
from channels_app.transports import kind_choices
from notifications.events import EVENT_TYPES
from notifications.events.alerts import AlertKind
from orders.currencies import MOST_DECIMALS

Schema = dict[str, Any]
Words = tuple[str, ...]

EXTENSIBLE = "x-extensible-enum"

_KINDS: Words = tuple(kind for kind, _ in kind_choices())
_SENT: dict[Words, tuple[str, str]] = {
    ("shop", "funnel"): ("Sender", "Who calls: a shop or a funnel."),
    ("admin", "shop", "funnel"): ("SourceChoice", "Where something may come from."),
    ("approved", "declined"): ("TransactionStatusChoice", "What a payment gateway may say."),
    ("refund", "void"): ("RefundKindChoice", "A part of a purchase or its rest (refund), or the whole of it (void)."),
    ("now", "24h"): ("SecretExpiry", "How long an earlier signing secret goes on signing."),
    ("attempts",): ("DeliveryExpansion", "What a list of deliveries leaves out and gives where it is asked for."),
    tuple(EVENT_TYPES): ("EventTypeChoice", "The key of an event type."),
    _KINDS: ("ChannelKindChoice", "How a channel may tell of events."),
    tuple(STATUS_WORDS): ("DeliveryStatusChoice", "A status that deliveries are looked for by."),
}
_GIVEN_OUT: dict[Words, tuple[str, str]] = {
    ("admin", "shop", "funnel"): ("Source", "Where something comes from: the back office, a shop or a funnel."),
    ("admin", "quote", "shop", "funnel"): ("OrderOrigin", "How an order came about."),
    ("open", "paid", "completed", "refunded"): ("OrderStatus", "How far an order is."),
    ("physical", "digital", "subscription"): ("ProductKind", "What sort of product something is."),
    ("week", "month", "year"): ("Interval", "How often a subscription is paid."),
    ("lead", "customer"): ("ContactStatus", "Whether a contact has made an approved purchase."),
    ("active", "canceled"): ("SubscriptionStatus", "Whether a subscription goes on."),
    ("purchase",): ("TransactionKind", "What a transaction is for."),
    ("approved", "declined"): ("TransactionStatus", "What the payment gateway said."),
    ("refund", "void"): ("RefundKind", "How money was given back: a part or the rest of a purchase, or the whole."),
    tuple(EVENT_TYPES): ("EventTypeKey", "The key of an event type."),
    _KINDS: ("ChannelKind", "How a channel tells of events."),
    ("active", "paused"): ("ChannelStatus", "Whether what is due for a channel is sent."),
    tuple(STATUS_WORDS): ("DeliveryStatus", "How far a delivery is."),
    tuple(TRIGGER_WORDS): ("AttemptTrigger", "Why an attempt was made."),
    tuple(OUTCOME_WORDS): ("AttemptOutcome", "What an attempt came to."),
    tuple(ROUTING_WORDS): ("RoutingOutcome", "What became of an event at an attached channel."),
    tuple(REPLAY_WORDS): ("ReplayStatus", "Whether a replay goes on."),
    tuple(AlertKind.values): ("AlertKind", "What an alert tells of."),
}
_MONEY: Schema = {
    "type": "string",
    "pattern": rf"^(0|[1-9][0-9]{{0,17}})(\.[0-9]{{1,{MOST_DECIMALS}}})?$",
    "description": "An amount of money as decimal text, so that nobody calculates with binary fractions. Given out, it "
    "has exactly as many decimals as its currency (JPY 0, USD 2, KWD 3). Sent in, it has at most as many and is 0 to "
    "9999999999.99; a JSON number without an exponent is taken as well.",
    "examples": ["49.00"],
}
_HEADERS: Schema = {
    "type": "object",
    "additionalProperties": {"type": "string"},
    "description": "Header lines of HTTP: names and values.",
}
_FREE: Schema = {"type": "object", "additionalProperties": True, "description": "An object with any members."}


def name_values(schema: Schema, define: dict[str, Schema], *, sent: bool) -> None:
    """Put references in the place of values that have a name, in `schema` and all that stands in it.

    Their schemas go to `define`. What says more of the one value, its description and example, stays beside the
    reference.
    """
    for each in list(each_schema(schema)):
        named = _named(each, sent=sent)
        if named is not None:
            name, value = named
            define[name] = value
            kept: Schema = {keyword: each[keyword] for keyword in ("description", "examples") if keyword in each}
            each.clear()
            each["$ref"] = f"{REF}{name}"
            each.update(kept)


def _named(schema: Schema, *, sent: bool) -> tuple[str, Schema] | None:
    if not sent and (schema.get("const"),) in _GIVEN_OUT:
        return _word((schema["const"],), sent=False)
    if "enum" in schema:
        return _word(tuple(schema["enum"]), sent=sent)
    if schema.get("type") == "string" and "[0-9]{1,4}" in schema.get("pattern", ""):
        return "Money", dict(_MONEY)
    if schema.get("type") == "object" and not schema.keys() - {
        "type",
        "additionalProperties",
        "description",
        "examples",
    }:
        if schema.get("additionalProperties") == {"type": "string"}:
            return "Headers", dict(_HEADERS)
        if schema.get("additionalProperties") is True:
            return "FreeObject", dict(_FREE)
    return None


def _word(words: Words, *, sent: bool) -> tuple[str, Schema] | None:
    """None for words that have no name."""
    listed = ", ".join(f"`{word}`" for word in words)
    if sent and words in _SENT:
        name, description = _SENT[words]
        return name, {"type": "string", "enum": [*words], "description": f"{description} One of {listed}."}
    if not sent and words in _GIVEN_OUT:
        name, description = _GIVEN_OUT[words]
        return name, {
            "type": "string",
            "description": f"{description} Known are {listed}; others may be added.",
            EXTENSIBLE: [*words],
            "examples": [words[0]],
        }
    return None
