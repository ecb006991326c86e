# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""The search at the top of every page."""

import pytest

from channels_app.models import Channel
from notifications.models import Delivery
from orders.models import Contact, Quote, Refund, Transaction
from tests.backoffice.notifications_fixtures import failed, order, page_of, people, text_of, url, warehouse

NOTIFICATIONS, ORDERS, VIEWERS = "Notification administrators", "Order staff", "Viewers"


def find(client, term):
    return client.get(url("search"), {"q": term})


@pytest.fixture
def paid(order):
    return Transaction.objects.create(
        order=order, status="approved", amount=5, currency="USD", gateway="stripe", reference="ch_1"
    )


@pytest.mark.parametrize(
    "write", ["{0}", "#{0}", "  {0} ", "Order {0}", "order #{0}", "ORDER no. {0}", "Order: {0}", "# {0}"]
)
def test_an_order_number_leads_to_its_order(people, order, write):
    answer = find(people[ORDERS], write.format(order.number))
    assert (answer.status_code, answer.url) == (302, page_of(order))


@pytest.mark.parametrize("term", ["Ada@example.com", "ada@EXAMPLE.com"])
def test_an_email_leads_to_its_contact(people, order, term):
    answer = find(people[VIEWERS], term)
    assert (answer.status_code, answer.url) == (302, page_of(order.contact))


@pytest.fixture
def lovelace(db):
    return Contact.objects.create(
        source="shop", email="Countess.of.L@analytical-engine.example", first_name="Augusta Ada", last_name="Lovelace"
    )


@pytest.mark.parametrize(
    "term", ["Augusta Ada Lovelace", "lovelace  ADA augusta", "countess.of.l@ANALYTICAL-ENGINE.example"]
)
def test_a_whole_name_leads_to_its_contact_in_whatever_order(people, order, lovelace, term):
    answer = find(people[ORDERS], term)
    assert (answer.status_code, answer.url) == (302, page_of(lovelace))


@pytest.mark.parametrize(
    "term",
    [
        "Ada Lovelace",
        "Lovelace",
        "lovel",
        "velac",
        "Lovelace, Ada",
        "countess",
        "@analytical",
        "engine.example",
        "ada engine",
        "l@analytical-engine.example",
    ],
)
def test_parts_of_a_name_or_an_address_list_its_contact(people, order, lovelace, term):
    answer = find(people[ORDERS], term)
    assert answer.status_code == 200
    assert f'href="{page_of(lovelace)}"' in answer.content.decode()
    assert page_of(order.contact) not in answer.content.decode()


@pytest.mark.parametrize(
    "term", ["Ada Babbage", "ovelace@", "Order Lovelace", "#Lovelace", "lovelace%", "%", "_ovelace", "dа"]
)
def test_every_word_must_be_there_as_it_is(people, lovelace, term):
    assert "Nothing is called" in text_of(find(people[ORDERS], term))


def test_short_words_begin_a_word_of_a_name(people, db):
    li = Contact.objects.create(source="shop", email="x@example.com", first_name="Na", last_name="Li")
    xu = Contact.objects.create(source="shop", email="y@example.com", first_name="明", last_name="李")
    Contact.objects.create(source="shop", email="z@example.com", first_name="Emilia", last_name="Doe")
    assert find(people[ORDERS], "li na").url == page_of(li)
    assert find(people[ORDERS], "李明"[0]).status_code == 200
    assert find(people[ORDERS], "明 李").url == page_of(xu)
    page = find(people[ORDERS], "li").content.decode()
    assert page_of(li) in page and "Emilia" not in page


def test_an_address_leads_to_its_contact_in_both_spellings_of_its_domain(people, db):
    ada = Contact.objects.create(source="shop", email="Ada@Bücher.example", first_name="A", last_name="B")
    for term in ("ada@xn--bcher-kva.example", "ADA@BÜCHER.example"):
        assert find(people[ORDERS], term).url == page_of(ada)
    assert page_of(ada) in find(people[ORDERS], "bücher").content.decode()


def test_many_contacts_are_listed_newest_first_with_the_way_to_the_others(people, db):
    made = [Contact.objects.create(source="shop", email=f"buyer{n}@example.com", last_name="Doe") for n in range(22)]
    page = find(people[ORDERS], "doe").content.decode()
    assert [contact.pk for contact in made if page_of(contact) in page] == [contact.pk for contact in made[2:]]
    assert f'href="{url("orders_contact_changelist")}?q=doe"' in page


def test_a_number_that_is_part_of_an_address_finds_both(people, order):
    ada = Contact.objects.create(source="shop", email=f"ada{order.number}@example.com")
    page = find(people[ORDERS], order.number).content.decode()
    assert page_of(order) in page and page_of(ada) in page
    assert find(people[ORDERS], f"#{order.number}").url == page_of(order)


def test_a_quote_is_found_by_its_number(people, order):
    quote = Quote.objects.create(contact=order.contact, currency="USD")
    for term in (f"Quote {quote.pk}", f"quote #{quote.pk}"):
        assert find(people[ORDERS], term).url == page_of(quote)
    assert "Nothing is called" in text_of(find(people[ORDERS], f"Quote {quote.pk + 1}"))


def test_an_id_leads_to_what_it_names(people, failed, order, warehouse, paid):
    refund = Refund.objects.create(order=order, transaction=paid, kind="refund", amount=1, currency="USD")
    leads = {
        failed.pk: page_of(failed),
        failed.pk.upper(): page_of(failed),
        failed.event.pk: page_of(failed.event),
        order.contact.pk: page_of(order.contact),
        warehouse.pk: page_of(warehouse),
        paid.pk: page_of(order),
        refund.pk: page_of(order),
    }
    assert {term: find(people[VIEWERS], term).url for term in leads} == leads


def test_a_channel_is_found_by_its_name_and_listed_by_a_part_of_it(people, warehouse):
    assert find(people[NOTIFICATIONS], "warehouse").url == page_of(warehouse)
    answer = find(people[NOTIFICATIONS], "house")
    assert answer.status_code == 200
    assert f'href="{page_of(warehouse)}"' in answer.content.decode()


def test_several_are_listed_in_groups(people, order, warehouse):
    Channel.objects.create(name=f"Copy of {order.number}", kind="postback", url="https://example.com/a")
    answer = find(people[VIEWERS], order.number)
    assert answer.status_code == 200
    assert f"Orders {order} Open" in text_of(answer)
    assert f"Channels Copy of {order.number} https://example.com/a" in text_of(answer)


def test_only_what_a_person_may_open_is_looked_for(people, failed, order, warehouse):
    nobody = people["staff without a group"]
    for term in (order.number, "ada@example.com", failed.pk, failed.event.pk, order.contact.pk, "warehouse"):
        answer = find(nobody, term)
        assert answer.status_code == 200
        assert "Nothing is called" in text_of(answer)
    assert "Nothing is called" in text_of(find(people[ORDERS], "warehouse"))
    assert find(people["anonymous"], order.number).url.startswith(url("login"))


def test_who_may_not_open_orders_is_led_to_what_was_sent_about_them(people, order):
    log = url("notifications_delivery_changelist")
    assert find(people[NOTIFICATIONS], f"#{order.number}").url == f"{log}?q={order.number}"
    assert find(people[NOTIFICATIONS], "ADA@example.com").url == f"{log}?q=ada%40example.com"
    assert find(people[NOTIFICATIONS], f"Order {order.number}").url == f"{log}?q={order.number}"
    assert find(people[NOTIFICATIONS], "Ada").url == f"{log}?q=ada"
    for term in ("9999", "Order 9999", "Babbage"):
        assert "Nothing is called" in text_of(find(people[NOTIFICATIONS], term))


@pytest.mark.parametrize("term", ["", "   "])
def test_an_empty_search_says_what_can_be_searched(people, term):
    text = text_of(find(people[ORDERS], term))
    assert "Orders: the number of an order" in text
    assert "Channels:" not in text
    assert "Nothing is called" not in text


@pytest.mark.parametrize(
    "term",
    [
        "9999",
        "Order 9999",
        "Quote 9999999999999999999",
        "nobody@example.com",
        "dlv_nothing",
        "x" * 300,
        "%",
        "１００１",
        "²",
    ],
)
def test_what_is_not_found_is_said_and_explained(people, order, term):
    text = text_of(find(people["superuser"], term))
    assert "Nothing is called" in text
    assert "What can be searched" in text


def test_what_was_typed_stays_in_the_box_and_is_only_text(people):
    page = find(people["superuser"], '"><script>x</script>').content.decode()
    assert 'value="&quot;&gt;&lt;script&gt;x&lt;/script&gt;"' in page


def test_a_search_changes_nothing_and_takes_no_post(people, order):
    assert people["superuser"].post(url("search"), {"q": order.number}).status_code == 405


@pytest.mark.parametrize("term", ["1001", "ada@example.com", "dlv_1", "evt_1", "ware", "ada b"])
def test_a_search_asks_at_most_three_questions_of_its_own(people, failed, django_assert_max_num_queries, term):
    client = people["superuser"]
    with django_assert_max_num_queries(100) as base:
        find(client, "")
    with django_assert_max_num_queries(len(base) + 3):
        find(client, term)
