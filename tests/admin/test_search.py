# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""The search at the top of every page."""

import pytest

from channels_app.models import Channel
from notifications.models import Delivery
from orders.models import Refund, Transaction
from tests.admin.notifications_fixtures import failed, order, page_of, people, text_of, url, warehouse

NOTIFICATIONS, ORDERS, VIEWERS = "Notification administrators", "Order staff", "Viewers"


def find(client, term):
    return client.get(url("search"), {"q": term})


@pytest.fixture
def paid(order):
    return Transaction.objects.create(
        order=order, status="approved", amount=5, currency="USD", gateway="stripe", reference="ch_1"
    )


@pytest.mark.parametrize("write", ["{0}", "#{0}", "  {0} "])
def test_an_order_number_leads_to_its_order(people, order, write):
    answer = find(people[ORDERS], write.format(order.number))
    assert (answer.status_code, answer.url) == (302, page_of(order))


@pytest.mark.parametrize("term", ["Ada@example.com", "ada@EXAMPLE.com"])
def test_an_email_leads_to_its_contact(people, order, term):
    answer = find(people[VIEWERS], term)
    assert (answer.status_code, answer.url) == (302, page_of(order.contact))


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
    assert "Nothing is called" in text_of(find(people[NOTIFICATIONS], "9999"))


@pytest.mark.parametrize("term", ["", "   "])
def test_an_empty_search_says_what_can_be_searched(people, term):
    text = text_of(find(people[ORDERS], term))
    assert "Orders: the number of an order" in text
    assert "Channels:" not in text
    assert "Nothing is called" not in text


@pytest.mark.parametrize("term", ["9999", "nobody@example.com", "dlv_nothing", "x" * 300, "%", "１００１", "²"])
def test_what_is_not_found_is_said_and_explained(people, order, term):
    text = text_of(find(people["superuser"], term))
    assert "Nothing is called" in text
    assert "What can be searched" in text


def test_what_was_typed_stays_in_the_box_and_is_only_text(people):
    page = find(people["superuser"], '"><script>x</script>').content.decode()
    assert 'value="&quot;&gt;&lt;script&gt;x&lt;/script&gt;"' in page


def test_a_search_changes_nothing_and_takes_no_post(people, order):
    assert people["superuser"].post(url("search"), {"q": order.number}).status_code == 405


@pytest.mark.parametrize("term", ["1001", "ada@example.com", "dlv_1", "evt_1", "ware"])
def test_a_search_asks_at_most_three_questions_of_its_own(people, failed, django_assert_max_num_queries, term):
    client = people["superuser"]
    with django_assert_max_num_queries(100) as base:
        find(client, "")
    with django_assert_max_num_queries(len(base) + 3):
        find(client, term)
