"""The essentials of what Tidings writes, in answers and in postbacks.

Each reader insists on exactly the members of the object and gives what the rules can foresee: no ids made by the
server, no times. AssertionError where the shape is wrong.
"""

import re
from collections.abc import Callable
from typing import Any

from tests.demo.play.expectation import Essentials, Event

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
ADDRESS = ("first_name", "last_name", "line1", "line2", "city", "state", "zip_code", "country")
_CONTACT = (
    *("id", "first_name", "last_name", "email", "phone", "status", "source", "tags"),
    *("billing_address", "shipping_address", "created_at"),
)
_ORDER = (
    *("number", "source", "origin", "status", "currency", "subtotal", "shipping", "tax", "total", "paid_total"),
    *("refunded_total", "funnel", "contact", "items", "subscriptions", "shipping_address", "tracking"),
    *("created_at", "completed_at"),
)
_ITEM = ("sku", "title", "kind", "quantity", "unit_price", "total", "is_upsell", "paid")
_TRANSACTION = (
    *("id", "kind", "status", "amount", "currency", "gateway", "reference", "is_upsell"),
    *("decline_code", "decline_message", "created_at"),
)
_REFUND = ("id", "kind", "amount", "currency", "reason", "created_at")
_SUBSCRIPTION = (
    *("id", "status", "product", "amount", "currency", "interval", "source"),
    *("started_at", "canceled_at", "cancel_reason"),
)


def read_contact(contact: dict[str, Any]) -> Essentials:
    _members(contact, _CONTACT)
    for name in ("billing_address", "shipping_address"):
        _optional(contact[name], ADDRESS)
    _optional(contact["phone"], ("country", "number"))
    essentials = _without(contact, "id", "created_at")
    return {**essentials, "tags": sorted(contact["tags"])}


def read_contact_answer(answer: dict[str, Any]) -> Essentials:
    """The contact, and whether it was reactivated."""
    contact = _without(answer, "reactivated")
    return {"contact": read_contact(contact), "reactivated": answer.get("reactivated")}


def read_order(order: dict[str, Any]) -> Essentials:
    _members(order, _ORDER)
    for item in order["items"]:
        _members(item, _ITEM)
    for subscription in order["subscriptions"]:
        _members(subscription, ("id", "sku", "status"))
    _optional(order["shipping_address"], ADDRESS)
    _optional(order["tracking"], ("carrier", "number", "url", "updated_at"))
    _optional(order["funnel"], ("id", "name", "slug"))
    if order["status"] != "refunded":
        assert (order["completed_at"] is not None) == (order["status"] == "completed"), order
    contact = read_contact(order["contact"])
    return {
        **_without(order, "created_at", "completed_at"),
        "funnel": order["funnel"] and order["funnel"]["slug"],
        "contact": {"email": contact["email"], "status": contact["status"]},
        "items": sorted(([item[name] for name in _ITEM] for item in order["items"]), key=repr),
        "subscriptions": sorted([part["sku"], part["status"]] for part in order["subscriptions"]),
        "tracking": order["tracking"] and _without(order["tracking"], "updated_at"),
    }


def read_transaction(transaction: dict[str, Any]) -> Essentials:
    _members(transaction, _TRANSACTION)
    return _without(transaction, "id", "created_at")


def read_refund(refund: dict[str, Any]) -> Essentials:
    _members(refund, _REFUND)
    return _without(refund, "id", "created_at")


def read_subscription(subscription: dict[str, Any]) -> Essentials:
    _members(subscription, _SUBSCRIPTION)
    _members(subscription["product"], ("sku", "title"))
    assert (subscription["canceled_at"] is not None) == (subscription["status"] == "canceled"), subscription
    return _without(subscription, "id", "started_at", "canceled_at")


def read_response(response: dict[str, Any]) -> Essentials:
    _members(response, ("id", "email", "answers", "completed_at"))
    return _without(response, "id", "completed_at")


def _read_survey(survey: dict[str, Any]) -> Essentials:
    _members(survey, ("slug", "title"))
    return survey


def _read_product(product: dict[str, Any]) -> Essentials:
    _members(product, ("sku", "title", "kind"))
    return product


def _read_contact_status(contact: dict[str, Any]) -> Essentials:
    return {name: value for name, value in read_contact(contact).items() if name in {"email", "status", "source"}}


def _as_it_is(value: Any) -> Any:
    return value


_Members = dict[str, Callable[[Any], Any]]
_DATA: dict[str, _Members] = {
    "order.completed": {"order": read_order},
    "shipping.tracking_updated": {"order": read_order},
    "contact.created": {"contact": read_contact, "reactivated": _as_it_is},
    "customer.created": {"contact": _read_contact_status, "order": read_order},
    "product.conflict": {
        "contact": _read_contact_status,
        "order": read_order,
        "product": _read_product,
        "previous_order": read_order,
    },
    "transaction.approved": {"transaction": read_transaction, "order": read_order},
    "transaction.declined": {"transaction": read_transaction, "order": read_order},
    "refund.applied": {"refund": read_refund, "transaction": read_transaction, "order": read_order},
    "subscription.canceled": {
        "subscription": read_subscription,
        "contact": _read_contact_status,
        "order": read_order,
    },
    "survey.completed": {
        "survey": _read_survey,
        "response": read_response,
        "contact": _read_contact_status,
        "order": read_order,
    },
}
EVENT_TYPES = tuple(_DATA)
# Only a survey can be about nobody known, or about no order.
_NULLABLE = {("survey.completed", "contact"), ("survey.completed", "order")}


def read_postback(body: dict[str, Any]) -> Event:
    """The event in the body of a postback."""
    _members(body, ("id", "type", "timestamp", "source", "data"))
    _times(body)
    data, readers = body["data"], _DATA[body["type"]]
    _members(data, tuple(readers))
    essentials = {
        name: None if data[name] is None and (body["type"], name) in _NULLABLE else read(data[name])
        for name, read in readers.items()
    }
    return Event(body["type"], body["source"], _email(data), essentials)


def _email(data: dict[str, Any]) -> str:
    about = data["order"]["contact"] if data.get("order") else data.get("contact") or data["response"]
    return str(about["email"]).lower()


def _times(value: Any, name: str = "") -> None:
    if isinstance(value, dict):
        for key, member in value.items():
            _times(member, key)
    elif isinstance(value, list):
        for member in value:
            _times(member)
    elif (name.endswith("_at") or name == "timestamp") and value is not None:
        assert _TIME.fullmatch(value), (name, value)


def _members(value: dict[str, Any], names: tuple[str, ...]) -> None:
    assert isinstance(value, dict) and value.keys() == set(names), f"not exactly {sorted(names)}: {value}"


def _optional(value: dict[str, Any] | None, names: tuple[str, ...]) -> None:
    if value is not None:
        _members(value, names)


def _without(value: dict[str, Any], *names: str) -> Essentials:
    return {name: member for name, member in value.items() if name not in names}
