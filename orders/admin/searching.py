"""What the lists of commerce find. Each kind of term is looked up exactly, by one index: the lists grow large."""

from collections.abc import Callable
from dataclasses import dataclass, field

from django.db.models import Q

from orders.models import Contact


@dataclass(frozen=True)
class Search:
    """Rows by their own id (where they have one that people see), order number and e-mail.

    `contact` leads from the list's model to the contact; empty: they are the contacts, also found by the beginning of
    their e-mail. `order` leads to the order's number; empty: not searched. `otherwise` takes what is none of these.
    """

    help_text: str
    own_id: str = ""
    contact: str = "contact__"
    order: str = "order__number"
    otherwise: Callable[[str], Q] | None = field(default=None)

    def condition(self, term: str) -> Q:
        if self.own_id and term.startswith(self.own_id):
            return Q(pk=term)
        if term.startswith("con_"):
            return Q(**{f"{self.contact}pk": term})
        if not self.contact:
            begins = Q(email_key__startswith=term.lower())
            return begins | Q(pk__in=Contact.objects.with_email(term).values("pk")) if "@" in term else begins
        if "@" in term:
            return Q(**{f"{self.contact}in": Contact.objects.with_email(term)})
        if term.isdecimal() and self.order:
            return Q(**{self.order: term})
        return self.otherwise(term) if self.otherwise else Q(pk__in=[])
