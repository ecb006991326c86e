"""What happened, for each event type: a title to be told by in an inbox, a sentence or two, and the facts that matter.

A function of `WORDINGS` gives a notice without its frame (note, footer, links into the back office), which
`notice_of` puts around it.
"""

from collections.abc import Callable

from channels_app.transports import Link, Notice, Section
from notifications.events import EVENT_TYPES, event_label
from notifications.events.words import sections
from notifications.events.words.lookups import Facts
from notifications.events.words.occurrence import Occurrence
from notifications.events.words.phrases import (
    capital,
    given_back,
    goods,
    named,
    named_order,
    odd_sums,
    paragraphs,
    place_of,
    reason,
    sentence,
    titled,
)
from orders.links import as_uri
from orders.models import Contact, Order, Refund, Source

LINK_CHARACTERS = 2000
SENDERS: dict[str, str] = {Source.ADMIN: "the back office", Source.SHOP: "the shop", Source.FUNNEL: "a funnel"}


def order_completed(event: Occurrence) -> Notice:
    order, lines = event.order, event.order.objects("items")
    return Notice(
        type=event.type,
        title=titled(f"{capital(event.order_name)} completed", order.money("total")),
        paragraphs=paragraphs(sentence(event.somebody, "bought", goods(lines), place_of(order)), odd_sums(order)),
        sections=(
            sections.order(order),
            sections.items(order),
            sections.contact(event.contact),
            sections.tracking(order.object("tracking")),
        ),
        tone="good",
    )


def contact_created(event: Occurrence) -> Notice:
    again = event.data.is_true("reactivated")
    by = SENDERS.get(event.source, "")
    if again:
        known = "customer" if event.contact.text("status") == Contact.Status.CUSTOMER else "lead"
        told = (
            f"{capital(by or 'somebody')} sent a contact that was known already as a {known}. "
            "What was given anew has replaced what was known before."
        )
    else:
        told = f"A new contact came from {by}." if by else "A new contact came in."
    return Notice(
        type=event.type,
        title=f"{event.somebody} is back (contact sent again)" if again else f"New contact: {event.who}",
        paragraphs=(told,),
        sections=(sections.contact(event.contact, in_full=True),),
        tone="good",
    )


def tracking_updated(event: Occurrence) -> Notice:
    tracking = event.order.object("tracking")
    carrier, number = tracking.text("carrier"), tracking.text("number")
    parcel = " ".join(filter(None, (carrier, number)))
    facts = (sections.tracking(tracking), sections.order(event.order), sections.contact(event.contact))
    if not tracking:
        return Notice(
            type=event.type,
            title=f"{capital(event.order_name)}: tracking cleared",
            paragraphs=(f"{capital(event.order_name)} of {event.who} has no tracking information any more.",),
            sections=facts,
        )
    return Notice(
        type=event.type,
        title=f"{capital(event.order_name)}: tracking set{f' to {parcel}' if parcel else ''}",
        paragraphs=(
            sentence(
                f"The parcel for {event.who} travels",
                f"with {carrier}" if carrier else "",
                f"under the number {number}" if number else "",
            ),
        ),
        sections=facts,
        links=_track(tracking.members.get("url")),
        tone="good",
    )


def product_conflict(event: Occurrence) -> Notice:
    product, before = event.data.object("product"), event.data.object("previous_order")
    bought = named(product, "a product")
    return Notice(
        type=event.type,
        title=f"{event.somebody} bought {bought} again ({event.order_name})",
        paragraphs=(
            f"{event.somebody} paid for {bought} with {event.order_name}, but has had it since {named_order(before)}.",
            "Nothing was blocked. You may want to give the money back, or to offer something else instead.",
        ),
        sections=(
            sections.product(product),
            sections.order(event.order),
            sections.items(event.order),
            sections.earlier_order(before),
            sections.contact(event.contact),
        ),
        tone="bad",
    )


def transaction_declined(event: Occurrence) -> Notice:
    """The second paragraph is the reason."""
    transaction = event.data.object("transaction")
    message, code = transaction.text("decline_message"), transaction.text("decline_code")
    why = [sentence(capital(message))] if message else []
    why += [f"Code: {code}"] if code else []
    return Notice(
        type=event.type,
        title=titled(f"{_payment(transaction)} declined for {event.order_name}", transaction.money("amount")),
        paragraphs=(_about_payment(event, transaction, "declined"), " ".join(why) or "No reason was given."),
        sections=_payment_sections(event, transaction),
        tone="bad",
    )


def transaction_approved(event: Occurrence) -> Notice:
    transaction = event.data.object("transaction")
    return Notice(
        type=event.type,
        title=titled(f"{_payment(transaction)} approved for {event.order_name}", transaction.money("amount")),
        paragraphs=paragraphs(_about_payment(event, transaction, "approved"), odd_sums(event.order)),
        sections=_payment_sections(event, transaction),
        tone="good",
    )


def refund_applied(event: Occurrence) -> Notice:
    refund, transaction, order = (event.data.object(name) for name in ("refund", "transaction", "order"))
    amount, paid = refund.money("amount"), transaction.money("amount")
    void = refund.text("kind") == Refund.Kind.VOID
    payment = f"payment of {paid}" if paid else "payment"
    if void:
        told = f"The {payment} by {event.who} was voided."
    elif not amount or amount == paid:
        told = f"The whole {payment} was refunded to {event.who}."
    else:
        told = f"{amount} of the {payment} was refunded to {event.who}."
    if order.text("status") == Order.Status.REFUNDED:
        told += f" All that was paid for {event.order_name} has been given back."
    elif order.amount("refunded_total"):
        told += f" {given_back(order)}"
    of = f" of {amount}" if amount else ""
    return Notice(
        type=event.type,
        title=f"{'Void' if void else 'Refund'}{of} on {event.order_name}",
        paragraphs=paragraphs(told, reason(refund.text("reason"))),
        sections=(
            sections.refund(refund, reason=False),
            sections.payment(transaction),
            sections.order(order),
            sections.items(order),
            sections.contact(event.contact),
        ),
    )


def subscription_canceled(event: Occurrence) -> Notice:
    subscription = event.data.object("subscription")
    product, price = named(subscription.object("product"), "a product"), sections.price(subscription)
    return Notice(
        type=event.type,
        title=f"Subscription canceled: {product} ({event.order_name})",
        paragraphs=paragraphs(
            sentence("The subscription of", event.who, "to", product, f"for {price}" if price else "", "was canceled"),
            reason(subscription.text("cancel_reason")),
        ),
        sections=(
            sections.subscription(subscription, reason=False),
            sections.contact(event.contact),
            sections.order(event.order),
        ),
        tone="bad",
    )


def customer_created(event: Occurrence) -> Notice:
    return Notice(
        type=event.type,
        title=f"New customer: {event.who} ({event.order_name})",
        paragraphs=(f"With {event.order_name}, {event.who} has bought something for the first time.",),
        sections=(
            sections.contact(event.contact, in_full=True),
            sections.order(event.order),
            sections.items(event.order),
        ),
        tone="good",
    )


def survey_completed(event: Occurrence) -> Notice:
    survey, response = event.data.object("survey"), event.data.object("response")
    name, about = named(survey, "a survey"), f"after {event.order_name}" if event.order else ""
    return Notice(
        type=event.type,
        title=f"Survey completed: {name} ({event.who})",
        paragraphs=(sentence(event.somebody, "answered", f"the survey {name}" if survey else name, about),),
        sections=(
            sections.answers(response),
            sections.survey(survey, response),
            sections.contact(event.contact),
            sections.order(event.order),
        ),
    )


def in_general(event: Occurrence) -> Notice:
    """For whatever has no wording of its own."""
    about = named_order(event.order) if event.order else event.known_as
    event_type = EVENT_TYPES.get(event.type)
    return Notice(
        type=event.type,
        title=titled(event_label(event.type) or "Something happened", about),
        paragraphs=(event_type.description,) if event_type else (),
        sections=tuple(sections.all_of(event.data)),
    )


WORDINGS: dict[str, Callable[[Occurrence], Notice]] = {
    "order.completed": order_completed,
    "contact.created": contact_created,
    "shipping.tracking_updated": tracking_updated,
    "product.conflict": product_conflict,
    "transaction.declined": transaction_declined,
    "refund.applied": refund_applied,
    "subscription.canceled": subscription_canceled,
    "customer.created": customer_created,
    "transaction.approved": transaction_approved,
    "survey.completed": survey_completed,
}


def _payment(transaction: Facts) -> str:
    return "Upsell payment" if transaction.is_true("is_upsell") else "Payment"


def _about_payment(event: Occurrence, transaction: Facts, became: str) -> str:
    amount, gateway = transaction.money("amount"), transaction.text("gateway")
    upsell = transaction.is_true("is_upsell")
    return sentence(
        "A payment",
        f"of {amount}" if amount else "",
        "for an upsell" if upsell else "",
        f"by {event.who} was {became}",
        f"by {gateway}" if gateway else "",
    )


def _payment_sections(event: Occurrence, transaction: Facts) -> tuple[Section, ...]:
    return (
        sections.payment(transaction, reason=False),
        sections.order(event.order),
        sections.items(event.order),
        sections.contact(event.contact),
    )


def _track(url: object) -> tuple[Link, ...]:
    """To the carrier's page. What is no web address leads nowhere. Bodies of before may have one that is no URI."""
    if not isinstance(url, str) or len(url) > LINK_CHARACTERS or not url.isprintable() or " " in url:
        return ()
    if not url.lower().startswith(("http://", "https://")):
        return ()
    try:
        return (Link("Track the parcel", url if url.isascii() else as_uri(url)),)
    except ValueError:
        return ()
