"""The facts of each object in a body, under a heading.

JsonObject without a value are left out, so a section may be empty.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from channels_app.transports import Section
from notifications.display import counted, money
from notifications.events.words.lookups import JsonObject, in_words, label_of, one_line
from orders.models import Contact, Order, Product, Refund, Source, Subscription, Transaction

# Of a long list this many are shown, and the others counted.
ITEMS_SHOWN = 20
MEMBERS_SHOWN = 30
TITLE_CHARACTERS = 120
ORIGINS = {**dict(Source.choices), Order.Origin.QUOTE: "Admin, from a quote"}


def section(title: str, *facts: tuple[str, str]) -> Section:
    """A section of the facts, label and value, that have both; each on one line."""
    lines = ((one_line(label), one_line(value)) for label, value in facts)
    return Section(one_line(title), tuple(fact for fact in lines if all(fact)))


def full_name(person: JsonObject) -> str:
    """First and last name; "" for neither."""
    return " ".join(filter(None, (person.text("first_name"), person.text("last_name"))))


def product_name(product: JsonObject) -> str:
    """`Coffee kit (KIT-01)`"""
    title, sku = product.text("title", TITLE_CHARACTERS), product.text("sku")
    return f"{title} ({sku})" if title and sku else title or sku


def item_name(line: JsonObject) -> str:
    """`2 × Coffee kit (KIT-01)`"""
    name, quantity = product_name(line), line.text("quantity")
    named = f"{quantity} × {name}" if name and quantity else name
    if not named:
        return ""
    return f"{named}{', upsell' if line.is_true('is_upsell') else ''}{'' if is_paid(line) else ', not paid'}"


def is_paid(line: JsonObject) -> bool:
    """Bodies from before items said so hold lines that are paid."""
    return line.members.get("paid") is not False


def pieces(lines: Sequence[JsonObject]) -> int:
    """How many pieces the lines come to; a line that does not say is one."""
    return sum(line.whole("quantity", 1) for line in lines)


def price(subscription: JsonObject) -> str:
    """`9.00 USD a month`"""
    amount, interval = subscription.money("amount"), _label(Product.Interval, subscription, "interval").lower()
    return f"{amount} a {interval}" if amount and interval else amount


def order(order: JsonObject) -> Section:
    """The section of an order: number, status, source, dates and where it is shipped."""
    return section(
        "Order",
        ("Number", order.text("number")),
        ("Status", _label(Order.Status, order, "status")),
        ("Source", ORIGINS.get(order.text("origin"), order.text("origin")) or _label(Source, order, "source")),
        ("Funnel", order.object("funnel").text("name") or order.object("funnel").text("slug")),
        ("Placed", order.time("created_at")),
        ("Completed", order.time("completed_at")),
        ("Ship to", _address(order.object("shipping_address"))),
    )


def earlier_order(order_before: JsonObject) -> Section:
    """The order by which a customer already holds a product."""
    return section(
        "Earlier order",
        ("Number", order_before.text("number")),
        ("Status", _label(Order.Status, order_before, "status")),
        ("Placed", order_before.time("created_at")),
        ("Total", order_before.money("total")),
    )


def items(order: JsonObject) -> Section:
    """The lines of an order and what they come to. Every value is an amount, so it can be laid out as a bill."""
    currency, lines = order.text("currency", 3), order.objects("items")
    facts = [(item_name(line), line.money("total", currency)) for line in lines[:ITEMS_SHOWN]]
    if more := lines[ITEMS_SHOWN:]:
        rest = sum((line.amount("total") or Decimal(0) for line in more), Decimal(0))
        facts.append((counted(pieces(more), "more item"), money(rest, currency).strip()))
    differs = len(lines) != 1 and order.amount("subtotal") != order.amount("total")
    return section(
        "Items",
        *facts,
        ("Subtotal", order.money("subtotal") if differs else ""),
        ("Shipping", order.money_if_any("shipping")),
        ("Tax", order.money_if_any("tax")),
        ("Total", order.money("total")),
        ("Paid", order.money_if_any("paid_total")),
        ("Refunded", order.money_if_any("refunded_total")),
    )


def contact(contact: JsonObject, *, in_full: bool = False) -> Section:
    """Postal addresses, and since when it is known, only where the contact is what the event is about."""
    name = full_name(contact)
    billing, shipping = (_address(contact.object(f"{which}_address"), name) for which in ("billing", "shipping"))
    return section(
        "Contact",
        ("Name", name),
        ("E-mail", contact.text("email")),
        ("Phone", contact.object("phone").text("number")),
        ("Status", _label(Contact.Status, contact, "status")),
        ("Tags", in_words(contact.members.get("tags"))),
        ("Address" if billing == shipping else "Billing address", billing if in_full else ""),
        ("Shipping address", shipping if in_full and billing != shipping else ""),
        ("Known since", contact.time("created_at") if in_full else ""),
    )


def payment(transaction: JsonObject, *, reason: bool = True) -> Section:
    """The section of a payment, with the decline's code and message unless a paragraph gives them as the `reason`."""
    return section(
        "Payment",
        ("Amount", transaction.money("amount")),
        ("Status", _label(Transaction.Status, transaction, "status")),
        ("For an upsell", "Yes" if transaction.is_true("is_upsell") else ""),
        ("Gateway", transaction.text("gateway")),
        ("Reference", transaction.text("reference")),
        ("Decline code", transaction.text("decline_code") if reason else ""),
        ("Decline message", transaction.text("decline_message") if reason else ""),
        ("Time", transaction.time("created_at")),
    )


def refund(refund: JsonObject, *, reason: bool = True) -> Section:
    """Without the `reason` where a paragraph gives it."""
    return section(
        "Refund",
        ("Kind", _label(Refund.Kind, refund, "kind")),
        ("Amount", refund.money("amount")),
        ("Reason", refund.text("reason") if reason else ""),
        ("Time", refund.time("created_at")),
    )


def subscription(subscription: JsonObject, *, reason: bool = True) -> Section:
    """Without the `reason` where a paragraph gives it."""
    return section(
        "Subscription",
        ("Product", product_name(subscription.object("product"))),
        ("Price", price(subscription)),
        ("Status", _label(Subscription.Status, subscription, "status")),
        ("Started", subscription.time("started_at")),
        ("Canceled", subscription.time("canceled_at")),
        ("Reason", subscription.text("cancel_reason") if reason else ""),
    )


def product(product: JsonObject) -> Section:
    """A product without its price."""
    return section(
        "Product",
        ("Title", product.text("title")),
        ("SKU", product.text("sku")),
        ("Kind", _label(Product.Kind, product, "kind")),
    )


def tracking(tracking: JsonObject) -> Section:
    """A parcel's carrier and number; its link stands by itself."""
    return section(
        "Tracking",
        ("Carrier", tracking.text("carrier")),
        ("Number", tracking.text("number")),
        ("Set", tracking.time("updated_at")),
    )


def survey(survey: JsonObject, response: JsonObject) -> Section:
    """A survey with who answered it and when."""
    return section("Survey", ("Title", survey.text("title") or survey.text("slug")), *_response(response))


def response(response: JsonObject) -> Section:
    """The section of a survey's response: the person and the time."""
    return section("Response", *_response(response))


def answers(response: JsonObject) -> Section:
    """The answers, up to `MEMBERS_SHOWN`."""
    return _members("Answers", response.object("answers").members, "more answer")


def anything(name: str, value: Any) -> Section:
    """An object of which nothing is known but its members: those that are no objects themselves."""
    members = JsonObject(value).members
    plain = {each: member for each, member in members.items() if not isinstance(member, dict)}
    return _members(label_of(name), plain, "more fact")


KNOWN: dict[str, Callable[[JsonObject], tuple[Section, ...]]] = {
    "transaction": lambda facts: (payment(facts),),
    "refund": lambda facts: (refund(facts),),
    "subscription": lambda facts: (subscription(facts),),
    "product": lambda facts: (product(facts),),
    "survey": lambda facts: (survey(facts, JsonObject(None)),),
    "response": lambda facts: (response(facts), answers(facts)),
    "order": lambda facts: (order(facts), items(facts), tracking(facts.object("tracking"))),
    "previous_order": lambda facts: (earlier_order(facts),),
    "contact": lambda facts: (contact(facts, in_full=True),),
}


def all_of(data: JsonObject) -> list[Section]:
    """Whatever the data of an event holds, in its order."""
    plain = {name: value for name, value in data.members.items() if not isinstance(value, dict)}
    found = [anything("details", plain)]
    for name, value in data.members.items():
        if name in KNOWN:
            found += KNOWN[name](JsonObject(value))
        elif name not in plain:
            found.append(anything(name, value))
    if not data.object("contact"):
        found.append(contact(data.object("order").object("contact")))
    return found


def _response(response: JsonObject) -> tuple[tuple[str, str], ...]:
    return ("E-mail", response.text("email")), ("Completed", response.time("completed_at"))


def _members(title: str, members: dict[str, Any], noun: str) -> Section:
    facts = section(title, *((label_of(name), in_words(value)) for name, value in members.items())).facts
    if more := len(facts[MEMBERS_SHOWN:]):
        facts = (*facts[:MEMBERS_SHOWN], ("And", counted(more, noun)))
    return Section(title, facts)


def _address(address: JsonObject, whose: str = "") -> str:
    """An address as on an envelope, in one line, without the name where it is the contact's."""
    city, state, zip_code = (address.text(name) for name in ("city", "state", "zip_code"))
    town = f"{city}, {state} {zip_code}" if city and state else f"{city or state} {zip_code}"
    where = [address.text("line1"), address.text("line2"), town.strip(), address.text("country")]
    name = full_name(address)
    return ", ".join(filter(None, [name if name != whose else "", *where])) if any(where) else ""


def _label(choices: Any, facts: JsonObject, name: str) -> str:
    """The label of a choice; a value that is none is shown as it stands."""
    value = facts.text(name)
    return str(dict(choices.choices).get(value, value))
