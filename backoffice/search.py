"""The search at the top of every page: finds things by number, id, name or e-mail address.

The shape of the term says what is looked for, and an index finds it, so that a search costs about the same however
much there is. Only what the user may open is looked for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from backoffice.frame import address_of, may, page
from channels_app.models import Channel
from notifications.events import event_label
from notifications.models import Delivery, Event
from orders.email_keys import ascii_form
from orders.models import Contact, Order, Quote, Refund, Subscription, Transaction
from orders.searching import contacts_meant, number_of, words_of

LONGEST_TERM = 254  # an e-mail address
CHANNELS_SHOWN = 20
CONTACTS_SHOWN = 20
# What begins so is an id, not a part of a name.
ID_PREFIXES = ("txn_", "ref_", "con_", "sub_", "evt_", "dlv_", "chn_", "rsp_", "att_")


@dataclass(frozen=True)
class Hit:
    """Something found. `exact`: it is what was asked for, not only something like it."""

    words: str
    detail: str
    url: str
    exact: bool = True


@dataclass(frozen=True)
class Place:
    """One kind of thing: how it is called, what may be typed to find it, who may, and how it is found."""

    title: str
    by: str
    permission: str
    find: Callable[[str], Iterator[Hit]]


def _orders(term: str) -> Iterator[Hit]:
    if number := number_of("order", term):
        orders = Order.objects.filter(number=number)
    elif term.startswith("txn_"):
        orders = Order.objects.filter(pk__in=Transaction.objects.filter(pk=term).values("order"))
    elif term.startswith("ref_"):
        orders = Order.objects.filter(pk__in=Refund.objects.filter(pk=term).values("order"))
    else:
        return
    for order in orders.select_related("contact"):
        yield Hit(str(order), f"{order.get_status_display()}, {order.contact}", address_of(order))


def _quotes(term: str) -> Iterator[Hit]:
    """A number alone is an order's."""
    if term.startswith("quote"):
        for quote in Quote.objects.filter(pk=number_of("quote", term) or 0).select_related("contact"):
            yield Hit(str(quote), f"{quote.get_status_display()}, {quote.contact}", address_of(quote))


def _contacts(term: str) -> Iterator[Hit]:
    """The newest first; where there are more, the list has them."""
    ids = [term] if term.startswith("con_") else _meant(term)
    for contact in Contact.objects.filter(pk__in=ids[:CONTACTS_SHOWN]).order_by("-pk"):
        exact = contact.pk == term or _is_called(contact, term)
        detail = f"{contact.email}, {contact.get_status_display().lower()}"
        yield Hit(str(contact), detail, address_of(contact), exact)
    if len(ids) > CONTACTS_SHOWN:
        url = f"{reverse('admin:orders_contact_changelist')}?{urlencode({'q': term})}"
        yield Hit("More contacts like this", "In the list of contacts", url, exact=False)


def _meant(term: str) -> list[str]:
    """Contacts by name or e-mail, but by no number that can only be an order's or a quote's, and by no id."""
    number = number_of("order", term) or number_of("quote", term)
    is_other = (number and number != term) or term.startswith(ID_PREFIXES)
    return [] if is_other else contacts_meant(term)


def _is_called(contact: Contact, term: str) -> bool:
    """Whether the term is the contact's whole name, in any order, or its address in any spelling of the domain."""
    name = f"{contact.first_name} {contact.last_name}".lower().split()
    return sorted(name) == sorted(words_of(term)) or ("@" in term and ascii_form(contact.email) == ascii_form(term))


def _subscriptions(term: str) -> Iterator[Hit]:
    if term.startswith("sub_"):
        for subscription in Subscription.objects.filter(pk=term).select_related("item", "contact"):
            yield Hit(str(subscription), subscription.get_status_display(), address_of(subscription))


def _events(term: str) -> Iterator[Hit]:
    if term.startswith("evt_"):
        for event in Event.objects.filter(pk=term):
            yield Hit(event_label(event.type), event.pk, address_of(event))


def _deliveries(term: str) -> Iterator[Hit]:
    if term.startswith("dlv_"):
        for delivery in Delivery.objects.filter(pk=term).select_related("channel"):
            words = f"{event_label(delivery.event_type)} to {delivery.channel.name}"
            yield Hit(words, f"{delivery.pk}, {delivery.shown_status}", address_of(delivery))


def _channels(term: str) -> Iterator[Hit]:
    """Find channels by a part of their name: people make them one at a time, so there are few."""
    if term.startswith("chn_"):
        channels = Channel.objects.filter(pk=term)
    else:
        channels = Channel.objects.filter(archived_at=None, name__icontains=term).order_by("name", "id")
    for channel in channels[:CHANNELS_SHOWN]:
        exact = term in {channel.pk, channel.name.lower()}
        yield Hit(
            channel.name, f"{channel.short_address or channel.kind}, {channel.status}", address_of(channel), exact
        )


def _log(term: str) -> Iterator[Hit]:
    """Link to the log, for users who may see it, though not the order or the contact it is about."""
    number = number_of("order", term)
    if number and Order.objects.filter(number=number).exists():
        term, known = number, True
    else:
        known = bool(_meant(term))
    if known:
        url = f"{reverse('admin:notifications_delivery_changelist')}?{urlencode({'q': term})}"
        yield Hit(f"Deliveries about {term}", "In the delivery log", url)


PLACES = (
    Place("Orders", "the number of an order, or the id of a payment or refund", "orders.view_order", _orders),
    Place("Quotes", "Quote and its number", "orders.view_quote", _quotes),
    Place(
        "Contacts",
        "a name or an e-mail address, or a part of it; the id of a contact",
        "orders.view_contact",
        _contacts,
    ),
    Place("Subscriptions", "the id of a subscription", "orders.view_subscription", _subscriptions),
    Place("Events", "the id of an event", "notifications.view_event", _events),
    Place("Deliveries", "the id of a delivery", "notifications.view_delivery", _deliveries),
    Place("Channels", "the name or id of a channel", "channels_app.view_channel", _channels),
)
LOG = Place("Delivery log", "the number of an order, a name or an e-mail address", "notifications.view_delivery", _log)


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """One exact hit goes straight to its page. The caller has checked that the user is staff."""
    typed = " ".join(request.GET.get("q", "").split())
    places = _places(request)
    groups = []
    if typed and len(typed) <= LONGEST_TERM:
        found = [(place.title, list(place.find(typed.lower()))) for place in places]
        groups = [(title, hits) for title, hits in found if hits]
    hits = [hit for _, hits in groups for hit in hits]
    if len(hits) == 1 and hits[0].exact:
        return redirect(hits[0].url)
    return page(request, "search.html", title="Search", typed=typed, groups=groups, places=places)


def _places(request: HttpRequest) -> list[Place]:
    """The kinds that this user may look for. The log stands in for those that they may not open."""
    places = [place for place in PLACES if may(request, place.permission)]
    if {"Orders", "Contacts"}.isdisjoint(place.title for place in places) and may(request, LOG.permission):
        places.append(LOG)
    return places
