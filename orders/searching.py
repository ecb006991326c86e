"""Search terms: a number, a name, an e-mail address, or parts of these two."""

import re

from django.db import connection

from orders.email_keys import ascii_form
from orders.models import Contact

# Of the contacts that a term fits, so many of the newest lead to what is theirs: each is looked up by an index.
MOST_CONTACTS = 200
# Words of a term beyond these are not looked at.
MOST_WORDS = 8
_NUMBER = re.compile(r"(?:(order|quote)[\s:]*)?(?:(?:no|nr|number)\.?\s*)?#?\s*(\d{1,19})", re.ASCII | re.IGNORECASE)

_WORDS = "lower(' ' || first_name || ' ' || last_name || ' ' || email)"
_HAS_PART = "strpos(words, lower(%s)) > 0"
# The grams of the part, as `orders_grams` makes them of names and addresses.
_HAS_GRAMS = """orders_grams(first_name, last_name, email) @> ARRAY(
    SELECT substr(part, place, 3)
    FROM (SELECT lower(%s) AS part) AS given, generate_series(1, greatest(length(part) - 2, 1)) AS place
)"""
# What fits many contacts fits enough of the newest, which are read one by one; only where these are too few, the others
# are asked, through the index alone (OFFSET 0 keeps the planner from walking through all of them in their order).
# Neither grows with the number of contacts, but for the lists in the index.
_FITTING = """
WITH newest AS MATERIALIZED (SELECT id, {words} AS words FROM orders_contact ORDER BY id DESC LIMIT 5000)
(SELECT id FROM newest WHERE {has_parts} ORDER BY id DESC LIMIT {most})
UNION ALL
(
    SELECT id
    FROM (SELECT id, {words} AS words FROM orders_contact WHERE {has_grams} OFFSET 0) AS older
    WHERE id < (SELECT min(id) FROM newest) AND {has_parts}
    ORDER BY id DESC LIMIT {most}
)
LIMIT {most}
"""


def number_of(kind: str, term: str) -> str:
    """`1042` of `1042`, `#1042`, `Order 1042`, `order no. 1042` where `kind` is "order"; "" where it is none of its."""
    found = _NUMBER.fullmatch(term)
    return found[2] if found and (found[1] or kind).lower() == kind else ""


def words_of(term: str) -> list[str]:
    """`Lovelace, Ada` is two words."""
    return term.replace(",", " ").replace(";", " ").split()


def contacts_meant(term: str) -> list[str]:
    """The ids of the contacts that a term fits, the newest first: `MOST_CONTACTS`, and one where there are more.

    A whole e-mail address means that contact alone. Else a contact has each word of the term in its name or address, in
    any order and whatever the case; of one or two characters, at the beginning of a word. A word that is not ASCII may
    also stand as a domain has it.
    """
    if "@" in term and (known := list(Contact.objects.with_email(term).values_list("pk", flat=True))):
        return known
    parts = [_spellings(word) for word in words_of(term)[:MOST_WORDS]]
    if not parts:
        return []
    query = _FITTING.format(
        words=_WORDS,
        has_parts=_each_in_some_spelling(_HAS_PART, parts),
        has_grams=_each_in_some_spelling(_HAS_GRAMS, parts),
        most=MOST_CONTACTS + 1,
    )
    given = [spelling for spellings in parts for spelling in spellings]
    with connection.cursor() as cursor:
        cursor.execute(query, [*given, *given, *given])
        return sorted((pk for (pk,) in cursor.fetchall()), reverse=True)


def _spellings(word: str) -> list[str]:
    """The word, and as a domain has it: browsers send `ada@bücher.example` as `ada@xn--bcher-kva.example`."""
    spellings = [word] if word.isascii() else [word, ascii_form(word).removeprefix("@")]
    return [each if len(each) > 2 else f" {each}" for each in spellings]


def _each_in_some_spelling(condition: str, parts: list[list[str]]) -> str:
    return " AND ".join(f"({' OR '.join([condition] * len(spellings))})" for spellings in parts)
