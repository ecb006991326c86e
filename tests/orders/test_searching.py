"""What people type to find a contact, and that what it costs does not grow with the shop."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orders.models import Contact
from orders.searching import MOST_CONTACTS, contacts_meant, number_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "term",
    ["1042", "#1042", "# 1042", "Order 1042", "order #1042", "ORDER: 1042", "Order no. 1042", "order1042", "Nr 1042"],
)
def test_a_number_is_read_as_people_write_it(term):
    assert number_of("order", term) == "1042"


@pytest.mark.parametrize(
    "term", ["Quote 1042", "1042a", "a1042", "١٠٤٢", "10 42", "1,042", "##1042", "-1042", "", "Order", "1" * 20]
)
def test_what_is_no_number_of_an_order_is_none(term):
    assert number_of("order", term) == ""


def test_the_number_of_a_quote_is_not_that_of_an_order():
    assert (number_of("quote", "Quote 7"), number_of("quote", "#7"), number_of("quote", "Order 7")) == ("7", "7", "")


def fill(count: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders_contact (id, email, first_name, last_name, tags, status, source, created_at) "
            "SELECT 'con_' || lpad(n::text, 26, '0'), 'buyer' || n || '@example.com', 'Buyer', md5(n::text), '{}', "
            "'lead', 'shop', now() FROM generate_series(1, %s) AS n",
            [count],
        )
        cursor.execute("ANALYZE orders_contact")


def plan_of(term: str) -> str:
    with CaptureQueriesContext(connection) as asked:
        contacts_meant(term)
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + asked[-1]["sql"])
        return "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.slow
def test_old_contacts_are_found_through_the_index_and_common_words_among_the_newest():
    old = Contact.objects.create(
        pk="con_0", source="shop", email="ada@old.example", first_name="Ada", last_name="Lovelace"
    )
    fill(8000)
    assert contacts_meant("velac ada") == [old.pk]
    plan = plan_of("velac ada")
    assert "Bitmap Index Scan on contact_searched" in plan
    assert "Seq Scan on orders_contact" not in plan
    assert max(map(int, re.findall(r"rows=(\d+)", plan))) == 5000

    newest = [f"con_{number:026}" for number in range(8000, 8000 - MOST_CONTACTS - 1, -1)]
    assert contacts_meant("buyer") == newest
    plan = plan_of("buyer")
    assert "Bitmap Index Scan on contact_searched (never executed)" in plan
    assert max(map(int, re.findall(r"rows=(\d+)", plan))) <= MOST_CONTACTS + 10


@pytest.mark.parametrize("email", ["ada@bücher.example", "ada@xn--bcher-kva.example"])
def test_a_label_of_a_domain_is_found_however_it_was_sent(email):
    """An input for e-mail addresses gives the ASCII form, the API whatever a shop sends."""
    contact = Contact.objects.create(source="shop", email=email, first_name="Özlem", last_name="Müller")
    fill(10)
    for term in ("bücher", "BÜCHER özlem", "@bücher", "müller ada@bücher"):
        assert contacts_meant(term) == [contact.pk], term
    assert contacts_meant("küche") == []


names = st.text(st.sampled_from("abcÄöß -'.é%_\\李\u200cxİ"), max_size=6).map(lambda name: " ".join(name.split()))


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(names, names), min_size=1, max_size=6), st.data())
def test_what_is_found_has_every_word_whether_old_or_new(people, data):
    Contact.objects.all().delete()
    for number, (first, last) in enumerate(people):
        Contact.objects.create(source="shop", email=f"{number}@example.com", first_name=first, last_name=last)
    first, last = data.draw(st.sampled_from(people))
    whole = f"{last} {first}"
    begin = data.draw(st.integers(0, max(len(whole) - 1, 0)))
    term = whole[begin : begin + data.draw(st.integers(1, 6))] if data.draw(st.booleans()) else whole
    words = term.replace(",", " ").split()
    with connection.cursor() as cursor:

        def lowered(text):
            cursor.execute("SELECT lower(%s)", [text])
            return cursor.fetchone()[0]

        fitting = [
            contact.pk
            for contact in Contact.objects.order_by("-pk")
            if words
            and all(
                lowered(word if len(word) > 2 else f" {word}")
                in lowered(f" {contact.first_name} {contact.last_name} {contact.email}")
                for word in words
            )
        ]
        # The same contacts again, as if there were thousands of newer ones.
        sql = "SELECT id FROM orders_contact WHERE " + " AND ".join(
            "orders_grams(first_name, last_name, email) @> ARRAY(SELECT substr(lower(%s), n, 3) "
            "FROM generate_series(1, greatest(length(lower(%s)) - 2, 1)) n)"
            for _ in words
        )
        parts = [part for word in words for part in [word if len(word) > 2 else f" {word}"] * 2]
        cursor.execute(sql if words else "SELECT id FROM orders_contact WHERE false", parts)
        by_index = {pk for (pk,) in cursor.fetchall()}
    assert contacts_meant(term) == fitting
    assert set(fitting) <= by_index
