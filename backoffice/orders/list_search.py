"""What the lists of commerce find. Each kind of term is looked up by one index: the lists grow large."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet

from orders.models import Order
from orders.searching import MOST_CONTACTS, contacts_meant, number_of

TOO_MANY = (
    f"More than {MOST_CONTACTS} contacts have this in their name or e-mail address: only what is of {MOST_CONTACTS} of "
    "them is shown. Type more of it."
)


@dataclass(frozen=True)
class Found:
    """The rows of a list that a term fits; not all of them where `is_cut`."""

    condition: Q
    is_cut: bool = False


@dataclass(frozen=True)
class Search:
    """Rows by their own id (where they have one that people see), order number, and the name or e-mail of the contact.

    `contact` leads from the list's model to the contact; empty: they are the contacts. `order` leads to the order's
    number. `quote` leads to the quote's, which a number alone then means. `exactly` goes before names.
    """

    help_text: str
    own_id: str = ""
    contact: str = "contact__"
    order: str = "order__number"
    quote: str = ""
    exactly: Callable[[str], QuerySet[Any]] | None = field(default=None)

    def find(self, term: str) -> Found:
        if self.own_id and term.startswith(self.own_id):
            return Found(Q(pk=term))
        if term.startswith("con_"):
            return Found(Q(**{f"{self.contact}pk": term}))
        if by_number := self._by_number(term):
            return Found(by_number)
        if self.exactly and (found := list(self.exactly(term).values_list("pk", flat=True))):
            return Found(Q(pk__in=found))
        contacts = contacts_meant(term)
        shown = contacts[:MOST_CONTACTS]
        return Found(Q(**{f"{self.contact}pk__in": shown}), is_cut=len(contacts) > len(shown))

    def _by_number(self, term: str) -> Q | None:
        """None where it is no number, or may as well be a part of an address: digits alone that no order has."""
        if self.quote and (number := number_of("quote", term)):
            return Q(**{self.quote: number})
        number = number_of("order", term)
        if number and (number != term or (self.contact and Order.objects.filter(number=number).exists())):
            return Q(**{self.order: number})
        return None
