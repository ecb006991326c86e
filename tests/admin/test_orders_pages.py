"""A cheap net over every page of commerce: it opens, for those who may; it shows, and does not change."""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import reverse

from orders import services
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
from tests.admin.reading import buttons_of, text_of
from tests.orders.shop import counts, decline, item, pay, place, refund, stored

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


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
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


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_the_link_of_a_row_leads_to_its_page(model, admin_client, rows):
    page = admin_client.get(url(model, "changelist")).content.decode()
    path = f"/admin/orders/{model._meta.model_name}/"
    links = set(re.findall(rf'href="({path}[^/"?]+/change/)[^"]*"', page))
    assert len(links) == model.objects.count()
    assert {admin_client.get(link).status_code for link in links} == {200}


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_add_page_opens_only_where_staff_add(model, admin_client):
    assert admin_client.get(url(model, "add")).status_code == (200 if model in ADDED_BY_STAFF else 403)


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_nothing_is_deleted(model, admin_client, rows):
    row = model.objects.order_by("pk").first()
    before = counts()
    assert admin_client.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    admin_client.post(
        url(model, "changelist"), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    )
    assert counts() == before
    assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
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
    "model", [Order, Quote, Refund, Subscription, SurveyResponse, Transaction], ids=lambda model: model.__name__
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


@pytest.mark.parametrize(
    ("query", "found"), [("1", 0), ("ADA@example", 1), ("nobody", 0)], ids=["part of a number", "e-mail", "nothing"]
)
def test_orders_are_found_by_number_and_contact(query, found, admin_client, lead, mug):
    place(lead, item("mug"))
    response = admin_client.get(url(Order, "changelist"), {"q": query})
    assert response.context["cl"].result_count == found


def test_an_order_is_found_by_its_whole_number(admin_client, lead, mug):
    order, _other = place(lead, item("mug")), place(lead, item("mug"))
    response = admin_client.get(url(Order, "changelist"), {"q": order.number})
    assert [row.pk for row in response.context["cl"].result_list] == [order.pk]


@pytest.mark.parametrize(
    "model", [Contact, Order, Quote, Refund, Subscription, Transaction], ids=lambda model: model.__name__
)
def test_a_list_takes_as_many_queries_for_twenty_rows_as_for_one(
    model, admin_client, lead, mug, club, django_assert_num_queries
):
    def add(rows):
        for row in range(rows):
            contact = Contact.objects.create(source="shop", email=f"{model.objects.count()}-{row}@example.com")
            order = place(contact, item("mug"), item("club"))
            pay(order, reference=f"{order.number}")
            services.create_quote(contact=contact.pk, items=[item("mug")])
            refund(order, "1.00")

    add(1)
    admin_client.get(url(model, "changelist"))  # content types are looked up once a process
    with django_assert_num_queries(4):  # session, user, count, rows
        admin_client.get(url(model, "changelist"))
    add(19)
    with django_assert_num_queries(4):
        response = admin_client.get(url(model, "changelist"))
    assert len(response.context["cl"].result_list) >= 20


def test_the_order_page_shows_the_whole_order(admin_client, lead, mug, funnel):
    order = everything(lead, mug, funnel)
    response = admin_client.get(url(Order, "change", order.pk))
    shown = text_of(response)
    for part in (
        *(f"Order {order.number}", "Paid", "Source Funnel", "Origin Funnel", "Funnel Spring launch"),
        *("Ada Byron ada@example.com", "mug Mug Physical 2 12.50 25.00", "Total 25.00 USD", "Given back 5.00 USD"),
        *("stripe d1 Declined 51 Insufficient funds 12.50 0.00", "stripe r1 Approved 25.00 5.00"),
        *("Refund stripe r1 Scratched 5.00", "Completed not yet"),
    ):
        assert part in shown
    assert buttons_of(response) == [
        *("Thank-you page reached", "Record payment", "Record payment", "Refund or void", "Give back"),
        *("Set tracking", "Save tracking"),
    ]


def test_tables_say_what_their_headers_head(admin_client, lead, mug, funnel):
    page = admin_client.get(url(Order, "change", everything(lead, mug, funnel).pk)).content.decode()
    content = page.partition('id="content-main"')[2]
    headers = re.findall(r"<th\b[^>]*>", content)
    assert len(headers) > 10
    assert all('scope="col"' in header or 'scope="row"' in header for header in headers)
    identifiers = re.findall(r'\bid="([^"]+)"', content)
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r'<label for="([^"]+)"', content)) <= set(identifiers)


def test_templates_have_neither_inline_script_nor_inline_style():
    templates = list((Path(apps.get_app_config("orders").path) / "templates").rglob("*.html"))
    assert len(templates) > 5
    for template in templates:
        assert not re.search(r"<script|\son[a-z]+=|\sstyle=|<style", template.read_text()), template


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
