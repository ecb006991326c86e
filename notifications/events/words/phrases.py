"""How things are called in the middle of a sentence, and how sentences are put together."""

from notifications.display import counted
from notifications.events.words.lookups import JsonObject
from notifications.events.words.sections import is_paid, pieces
from orders.models import Order

NAME_CHARACTERS = 60
PLACES: dict[str, str] = {
    Order.Origin.ADMIN: "in the back office",
    Order.Origin.QUOTE: "from a quote",
    Order.Origin.SHOP: "in the shop",
    Order.Origin.FUNNEL: "in a funnel",
}


def named_order(order: JsonObject) -> str:
    """`order 1001`; "an order" where it has no number."""
    number = order.text("number", NAME_CHARACTERS)
    return f"order {number}" if number else "an order"


def named(thing: JsonObject, otherwise: str) -> str:
    """The name of a product, a survey or a funnel."""
    names = (thing.text(name, NAME_CHARACTERS) for name in ("title", "name", "sku", "slug"))
    return next(filter(None, names), otherwise)


def capital(text: str) -> str:
    """Make the first letter a capital; the others stay as they are."""
    return text[:1].upper() + text[1:]


def titled(title: str, detail: str) -> str:
    """`title: detail`, or the title alone."""
    return f"{title}: {detail}" if detail else title


def sentence(*parts: str) -> str:
    """The parts that are not empty, up to a full stop."""
    text = " ".join(filter(None, parts))
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def paragraphs(*texts: str) -> tuple[str, ...]:
    """The texts that are not empty."""
    return tuple(filter(None, texts))


def reason(text: str) -> str:
    """A quotation of what a person wrote, introduced as one; "" for none."""
    return sentence("Reason:", text) if text else ""


def goods(lines: list[JsonObject]) -> str:
    """The goods that were paid for: a single item by its name, several by how many pieces they are."""
    lines = [line for line in lines if is_paid(line)]
    if len(lines) != 1:
        return counted(pieces(lines), "item") if lines else "something"
    name, quantity = named(lines[0], "something"), lines[0].text("quantity")
    return name if quantity in {"", "1"} else f"{quantity} × {name}"


def place_of(order: JsonObject) -> str:
    """`in the funnel Spring launch`"""
    if order.object("funnel"):
        return f"in the funnel {named(order.object('funnel'), '')}".strip()
    return PLACES.get(order.text("origin"), "")


def odd_sums(order: JsonObject) -> str:
    """A sentence where not just the total has been paid, or some was given back; else ""."""
    total, paid = order.amount("total"), order.amount("paid_total")
    sentences = []
    if total is not None and paid is not None and paid != total:
        sentences.append(
            f"{order.money_if_any('paid_total') or 'Nothing'} has been paid of a total of {order.money('total')}."
        )
    if order.amount("refunded_total"):
        sentences.append(given_back(order))
    return " ".join(sentences)


def given_back(order: JsonObject) -> str:
    """A sentence with the order's refunded total."""
    return f"Of what was paid for the order, {order.money('refunded_total')} has been given back so far."
