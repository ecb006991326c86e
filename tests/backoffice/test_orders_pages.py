"""A cheap net over every page of commerce: it opens, for those who may; it shows, and does not change."""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice.orders.filters import TOO_MANY
from orders import searching, services
from orders.models import (
    Contact,
    Funnel,
    Order,
    Product,
    Quote,
    Refund,
    Subscription,
    Survey,
    SurveyResponse,
    Transaction,
)
from tests.backoffice.reading import buttons_of, messages_of, queries_of_commerce, text_of
from tests.orders.shop import counts, decline, item, pay, place, refund, stored
from tests.parametrizing import quick_first

pytestmark = pytest.mark.django_db

REGISTERED = sorted(
    (model for model in admin.site._registry if model._meta.app_label == "orders"), key=lambda model: model.__name__
)
ADDED_BY_STAFF = [Contact, Funnel, Order, Product, Quote, Survey]


def url(model, page, *args):
    return reverse(f"admin:orders_{model._meta.model_name}_{page}", args=args)


def everything(lead, mug, funnel):
    """A partly refunded order of a funnel with a declined and an approved purchase."""
    order = place(lead, item("mug", 2), source="funnel")
    decline(order, decline_code="51", decline_message="Insufficient funds")
    pay(order, "25.00")
    refund(order, "5.00", reason="Scratched")
    return stored(order)


@pytest.fixture
def rows(lead, mug, club, funnel, survey):
    """At least one row of every registered model."""
    everything(lead, mug, funnel)
    pay(place(lead, item("club")), "9.00", "club")
    services.create_quote(contact=lead.pk, items=[item("mug")])
    services.complete_survey(slug="finding", source="shop", answers={"stars": 5}, email="ada@example.com")


def test_every_model_that_staff_work_with_is_registered():
    assert set(REGISTERED) == {
        *(Contact, Funnel, Order, Product, Quote, Refund, Subscription, Survey, SurveyResponse, Transaction),
    }


@pytest.mark.parametrize("model", quick_first(REGISTERED, 2), ids=lambda model: model.__name__)
def test_list_search_filter_and_page_open(model, admin_client, rows):
    row = model.objects.order_by("pk").first()
    for address in [
        url(model, "changelist"),
        url(model, "changelist") + "?q=ada",
        url(model, "changelist") + "?p=1&o=1.-2",
        url(model, "change", row.pk),
        url(model, "history", row.pk),
    ]:
        response = admin_client.get(address)
        assert response.status_code == 200, address
        assert len(re.findall(r"<h1\b", response.content.decode())) == 1, address


@pytest.mark.parametrize("model", quick_first(REGISTERED), ids=lambda model: model.__name__)
def test_the_link_of_a_row_leads_to_its_page(model, admin_client, rows):
    page = admin_client.get(url(model, "changelist")).content.decode()
    path = f"/admin/orders/{model._meta.model_name}/"
    links = set(re.findall(rf'href="({path}[^/"?]+/change/)[^"]*"', page))
    assert len(links) == model.objects.count()
    assert {admin_client.get(link).status_code for link in links} == {200}


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_add_page_opens_only_where_staff_add(model, admin_client):
    assert admin_client.get(url(model, "add")).status_code == (200 if model in ADDED_BY_STAFF else 403)


@pytest.mark.parametrize("model", quick_first(REGISTERED, 2), ids=lambda model: model.__name__)
def test_nothing_is_deleted(model, admin_client, rows):
    row = model.objects.order_by("pk").first()
    before = counts()
    assert admin_client.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    admin_client.post(
        url(model, "changelist"), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    )
    assert counts() == before
    assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", quick_first(REGISTERED), ids=lambda model: model.__name__)
def test_pages_need_the_permission_of_their_model(model, sign_in, rows):
    row = model.objects.order_by("pk").first()
    pages = [url(model, "changelist"), url(model, "change", row.pk)]
    others = [f"orders.view_{other._meta.model_name}" for other in REGISTERED if other is not model]
    stranger = sign_in(*others)
    assert [stranger.get(page).status_code for page in [*pages, url(model, "add")]] == [403, 403, 403]
    viewer = sign_in(f"orders.view_{model._meta.model_name}")
    assert [viewer.get(page).status_code for page in pages] == [200, 200]
    assert viewer.get(url(model, "add")).status_code == 403
    assert viewer.post(url(model, "add"), {}).status_code == 403
    assert viewer.post(url(model, "change", row.pk), {}).status_code == 403


@pytest.mark.parametrize(
    "model",
    quick_first([Order, Quote, Refund, Subscription, SurveyResponse, Transaction]),
    ids=lambda model: model.__name__,
)
def test_a_record_is_not_changed_by_posting_to_its_page(model, admin_client, rows):
    row = model.objects.order_by("pk").first()
    before = model.objects.filter(pk=row.pk).values().get()
    values = {"status": "open", "number": "1", "amount": "0.01", "total": "0.01", "source": "shop"}
    assert admin_client.post(url(model, "change", row.pk), values).status_code == 403
    assert model.objects.filter(pk=row.pk).values().get() == before


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_an_unknown_row_leads_back_to_the_index(model, admin_client):
    response = admin_client.get(url(model, "change", "999999"))
    assert (response.status_code, response["Location"]) == (302, reverse("admin:index"))


def found(client, model, **query):
    return [row.pk for row in client.get(url(model, "changelist"), query).context["cl"].result_list]


def test_rows_are_found_by_order_number_whole_email_and_id(admin_client, rows, lead, mug):
    other = Contact.objects.create(source="shop", email="grace@example.com")
    elsewhere = place(other, item("mug"))
    pay(elsewhere, reference="elsewhere")
    refund(elsewhere, "1.00")
    services.create_quote(contact=other.pk, items=[item("mug")])
    everybody = {model: list(model.objects.values_list("pk", flat=True)) for model in REGISTERED}
    hers = {
        Contact: [other.pk],
        Order: [elsewhere.pk],
        Transaction: [elsewhere.transactions.get().pk],
        Refund: [elsewhere.refunds.get().pk],
        Quote: [other.quotes.get().pk],
    }
    for model, ids in hers.items():
        assert found(admin_client, model, q=" GRACE@example.com ") == ids, model
        assert found(admin_client, model, q=other.pk) == ids, model
        assert found(admin_client, model, q="nobody@example.com") == [], model
    for model in (Order, Transaction, Refund):
        assert found(admin_client, model, q=elsewhere.number) == hers[model]
        assert found(admin_client, model, q=elsewhere.number[:-1]) == []
    for model in (Transaction, Refund, Subscription, SurveyResponse):
        assert found(admin_client, model, q=everybody[model][0]) == everybody[model][:1]
    assert found(admin_client, Contact, q="Gra") == [other.pk]
    assert found(admin_client, Transaction, q="elsewhere") == hers[Transaction]
    assert found(admin_client, Quote, q=str(hers[Quote][0])) == hers[Quote]
    assert found(admin_client, Quote, q="9" * 19) == found(admin_client, Order, q=f"#{'9' * 19}") == []
    assert found(admin_client, Quote, q="9" * 30) == found(admin_client, Order, q="9" * 30) == []
    assert found(admin_client, Subscription, q="ada@example.com") == everybody[Subscription]
    assert found(admin_client, SurveyResponse, q="ada@example.com") == everybody[SurveyResponse]


@pytest.mark.parametrize(
    "term",
    quick_first(
        ["Grace Hopper", "hopper GRACE", "Hopper, Grace", "opp", "race.h", "@navy.example", "navy.exam", "gr ho"]
    ),
)
def test_rows_are_found_by_names_and_parts_of_addresses(term, admin_client, rows, club, mug):
    hers = Contact.objects.create(source="shop", email="Grace.H@navy.example", first_name="Grace", last_name="Hopper")
    order = place(hers, item("club"), item("mug"))
    pay(order, reference="elsewhere")
    refund(order, "1.00")
    services.create_quote(contact=hers.pk, items=[item("mug")])
    subscription, purchase = order.subscriptions.get(), order.transactions.get()
    assert found(admin_client, Contact, q=term) == [hers.pk]
    assert found(admin_client, Order, q=term) == [order.pk]
    assert found(admin_client, Quote, q=term) == [hers.quotes.get().pk]
    assert found(admin_client, Subscription, q=term) == [subscription.pk]
    assert found(admin_client, Transaction, q=term) == [purchase.pk]
    assert found(admin_client, Refund, q=term) == [order.refunds.get().pk]
    for model in (Contact, Order, Quote, Subscription, Transaction, Refund, SurveyResponse):
        assert found(admin_client, model, q=f"{term} nobody") == []


@pytest.mark.parametrize("write", quick_first(["Order {}", "#{}", "order #{}", "Order no. {}"]))
def test_rows_are_found_by_an_order_number_as_people_write_it(write, admin_client, lead, club, mug):
    order, other = place(lead, item("club")), place(lead, item("mug"))
    pay(order)
    refund(order, "1.00")
    services.create_quote(contact=lead.pk, items=[item("mug")])
    sold = services.sell_quote(quote_id=services.create_quote(contact=lead.pk, items=[item("mug")]).pk)
    pay(other, reference="r2")
    term = write.format(order.number)
    assert found(admin_client, Order, q=term) == [order.pk]
    assert found(admin_client, Transaction, q=term) == [order.transactions.get().pk]
    assert found(admin_client, Refund, q=term) == [order.refunds.get().pk]
    assert found(admin_client, Subscription, q=term) == [order.subscriptions.get().pk]
    assert found(admin_client, Contact, q=term) == [lead.pk]
    assert found(admin_client, SurveyResponse, q=term) == []
    if write.lower().startswith("order"):
        assert found(admin_client, Quote, q=write.format(sold.number)) == [sold.quote.pk]
    assert found(admin_client, Order, q=write.format("999999")) == []


def test_a_number_of_no_order_is_looked_for_in_addresses(admin_client, lead, mug):
    buyer = Contact.objects.create(source="shop", email="ada20260001@example.com")
    order = place(buyer, item("mug"))
    assert found(admin_client, Order, q="20260001") == [order.pk]
    assert found(admin_client, Order, q="#20260001") == []
    assert found(admin_client, Quote, q=f"Quote {order.pk}") == []


def test_a_list_says_that_a_search_fits_too_many_contacts(admin_client, mug, monkeypatch):
    monkeypatch.setattr(searching, "MOST_CONTACTS", 2)
    monkeypatch.setattr("backoffice.orders.filters.MOST_CONTACTS", 2)
    made = [Contact.objects.create(source="shop", email=f"b{n}@example.com", last_name="Doe") for n in range(3)]
    orders = [place(contact, item("mug")) for contact in made]
    assert found(admin_client, Order, q="doe") == [orders[2].pk, orders[1].pk]
    for model in (Order, Contact):
        page = admin_client.get(url(model, "changelist"), {"q": "doe"})
        assert messages_of(page) == [TOO_MANY]
        assert not messages_of(admin_client.get(url(model, "changelist"), {"q": "b1"}))
    query = {"app_label": "orders", "model_name": "order", "field_name": "contact", "term": "doe"}
    options = admin_client.get(reverse("admin:autocomplete"), query)
    assert {each["id"] for each in options.json()["results"]} == {made[1].pk, made[2].pk}
    assert not messages_of(admin_client.get(url(Order, "changelist")))


def test_lists_are_filtered_and_overlook_what_no_filter_offers(admin_client, rows, survey):
    refunded = list(Order.objects.filter(status="paid").values_list("pk", flat=True))
    assert found(admin_client, Order, status="paid") == refunded
    assert found(admin_client, Order, source="shop", status="paid") == []
    assert found(admin_client, Order, days="7") == list(Order.objects.order_by("-pk").values_list("pk", flat=True))
    assert found(admin_client, SurveyResponse, survey=survey.pk) == [SurveyResponse.objects.get().pk]
    for model, query in ((Order, {"days": "x"}), (Order, {"status": "x"}), (SurveyResponse, {"survey": "x"})):
        assert len(found(admin_client, model, **query)) == model.objects.count()
    page = admin_client.get(url(Order, "changelist"), {"status": "paid"}).content.decode()
    assert '<option value="paid" selected>Paid</option>' in page


@pytest.mark.parametrize("model", quick_first(REGISTERED, 2), ids=lambda model: model.__name__)
def test_an_empty_list_says_what_to_do_and_a_search_without_a_match_how_to_clear_it(model, admin_client):
    empty = admin_client.get(url(model, "changelist"))
    nothing_yet = admin.site._registry[model].nothing_yet
    assert nothing_yet
    assert nothing_yet in text_of(empty)
    added = f'<a class="ui-button ui-button-primary" href="add/">Add {model._meta.verbose_name}</a>'
    assert (added in empty.content.decode()) == (model in ADDED_BY_STAFF)
    assert "Nothing matches." not in text_of(empty)
    searched = admin_client.get(url(model, "changelist"), {"q": "zzz"})
    assert "Nothing matches." in text_of(searched)
    assert nothing_yet not in text_of(searched)
    assert '<a class="ui-button" href="?">Clear search and filters</a>' in searched.content.decode()


def test_a_long_list_has_pages_and_the_last_one_says_so(admin_client, lead, mug):
    orders = [place(lead, item("mug")) for _ in range(51)]
    assert found(admin_client, Order) == [order.pk for order in reversed(orders[1:])]
    assert found(admin_client, Order, p=2) == [orders[0].pk]
    beyond = admin_client.get(url(Order, "changelist"), {"p": 3})
    assert "There is nothing further." in text_of(beyond)


def test_a_list_takes_as_many_queries_for_twenty_rows_as_for_one(admin_client, lead, mug, club, survey):
    def add(rows):
        for row in range(rows):
            contact = Contact.objects.create(source="shop", email=f"{Order.objects.count()}-{row}@example.com")
            order = place(contact, item("mug"), item("club"))
            pay(order, reference=f"{order.number}")
            services.create_quote(contact=contact.pk, items=[item("mug")])
            refund(order, "1.00")
            services.complete_survey(slug="finding", source="shop", answers={}, order=order.number)

    def asked(model, at_least):
        with CaptureQueriesContext(connection) as queries:
            response = admin_client.get(url(model, "changelist"))
        assert len(response.context["cl"].result_list) >= at_least
        assert not [query for query in queries_of_commerce(queries) if "COUNT(" in query]
        return len(queries_of_commerce(queries))

    # The rows, and the surveys to choose from. None is a count.
    expected = {Contact: 1, Order: 1, Quote: 1, Refund: 1, Subscription: 1, SurveyResponse: 2, Transaction: 1}
    add(1)
    assert {model: asked(model, 1) for model in expected} == expected
    add(19)
    assert {model: asked(model, 20) for model in expected} == expected


def test_the_order_page_shows_the_whole_order(admin_client, lead, mug, funnel):
    order = everything(lead, mug, funnel)
    response = admin_client.get(url(Order, "change", order.pk))
    shown = text_of(response)
    for part in (
        *(f"Order {order.number}", "Paid", "Source Funnel", "Origin Funnel", "Funnel Spring launch"),
        *("Ada Byron ada@example.com", "mug Mug Physical 2 12.50 USD 25.00 USD", "Total 25.00 USD"),
        *("Given back 5.00 USD", "stripe d1 Declined 51 Insufficient funds 12.50 USD 0.00 USD"),
        *("stripe r1 Approved 25.00 USD 5.00 USD", "Refund stripe r1 Scratched 5.00 USD", "Completed Not yet"),
    ):
        assert part in shown
    assert buttons_of(response) == ["Thank-you page reached", "Record payment", "Refund or void", "Set tracking"]


def test_tables_say_what_their_headers_head(admin_client, lead, mug, funnel):
    page = admin_client.get(url(Order, "change", everything(lead, mug, funnel).pk)).content.decode()
    content = page.partition('class="ui-page"')[2]
    headers = re.findall(r"<th\b[^>]*>", content)
    assert len(headers) > 10
    assert all('scope="col"' in header or 'scope="row"' in header for header in headers)
    identifiers = re.findall(r'\bid="([^"]+)"', content)
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r'<label for="([^"]+)"', content)) <= set(identifiers)


def test_templates_have_neither_inline_script_nor_inline_style():
    templates = list((Path(apps.get_app_config("backoffice").path) / "templates").rglob("*.html"))
    assert len(templates) > 50
    for template in templates:
        assert not re.search(r"<script(?! src=)|\son[a-z]+=|\sstyle=|<style", template.read_text()), template


def test_orders_have_no_page_without_signing_in(client, lead, mug):
    order = place(lead, item("mug"))
    for address in [url(Order, "changelist"), url(Order, "change", order.pk), url(Order, "add")]:
        response = client.get(address)
        assert (response.status_code, response["Location"].partition("?")[0]) == (302, reverse("admin:login"))


@pytest.mark.parametrize(("model", "heading"), [(Order, "Add order"), (Quote, "Add quote"), (Contact, "Add contact")])
def test_the_heading_of_an_add_page_says_what_is_added(model, heading, admin_client):
    page = admin_client.get(url(model, "add")).content.decode()
    (title,) = re.findall(r"(?s)<h1\b.*?</h1>", page)
    assert heading in title


def test_scripts_of_a_page_are_loaded_once(admin_client):
    scripts = re.findall(r'<script src="([^"]+)"', admin_client.get(url(Order, "add")).content.decode())
    assert any("autocomplete.js" in script for script in scripts)
    assert len(scripts) == len(set(scripts))


def test_the_app_knows_no_other_admin_of_commerce():
    lines = {apps.get_model("orders", name) for name in ("OrderItem", "QuoteItem")}
    assert set(apps.get_app_config("orders").get_models()) - set(REGISTERED) == lines
