"""Contacts, products and funnels: entered and corrected by staff."""

import threading

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.urls import reverse

from notifications.models import HistoryEntry
from orders import services
from orders.models import Contact, Funnel, Product
from tests.backoffice.reading import buttons_of, follow, messages_of, text_of
from tests.orders.shop import NO_AMOUNT, contact_input, item, place

pytestmark = pytest.mark.django_db

ADD = "/admin/orders/contact/add/"


def page(contact):
    return reverse("admin:orders_contact_change", args=[contact.pk])


FILLED = {
    **{"email": " Grace@Example.com ", "first_name": " Grace ", "last_name": "Hopper"},
    **{"phone_number": "+1 555 0100", "phone_country": "us", "tags": "vip\n navy \n\nvip"},
    **{"billing_address_line1": "1 Main St", "billing_address_country": "us"},
}


def test_adding_a_contact_enters_and_announces_a_lead_of_the_admin(admin_client, announced):
    response = admin_client.post(ADD, FILLED)
    contact = Contact.objects.get()
    assert (contact.email, str(contact), contact.status, contact.source) == (
        *("Grace@Example.com", "Grace Hopper", "lead", "admin"),
    )
    assert contact.phone == {"country": "US", "number": "+1 555 0100"}
    assert contact.tags == ["vip", "navy"]
    assert contact.billing_address["line1"] == "1 Main St"
    assert contact.billing_address["country"] == "US"
    assert contact.shipping_address is None
    heard = announced.only("contact.created")
    assert (heard.arguments["source"], heard.arguments["reactivated"]) == ("admin", False)
    assert messages_of(response) == ["Contact Grace Hopper was added as a lead."]
    assert response["Location"] == page(contact)
    assert "Added" in text_of(admin_client.get(reverse("admin:orders_contact_history", args=[contact.pk])))


def test_a_known_email_is_refused_on_its_field_and_nothing_is_lost(admin_client, announced, lead):
    response = admin_client.post(ADD, {**FILLED, "email": "ADA@example.com"})
    assert response.status_code == 200
    assert response.context["form"].errors == {"email": ["This e-mail is known."]}
    assert 'aria-describedby="id_email_error"' in response.content.decode()
    assert 'id="id_email_error"' in response.content.decode()
    for typed in ("ADA@example.com", "Grace", "+1 555 0100", "1 Main St"):
        assert typed in response.content.decode()
    assert (Contact.objects.count(), announced.names) == (1, [])


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("email", "", "This field is required."),
        ("email", "nobody", "Enter a valid e-mail address."),
        ("first_name", "x" * 151, "Give at most 150 characters."),
        ("phone_number", "", "This field is required."),
        ("phone_country", "USA", "Give at most 2 characters."),
        ("billing_address_country", "XX", "Give a country as its two letters of ISO 3166-1, like US, or nothing."),
        ("tags", "x" * 51, "Give at most 50 characters."),
    ],
)
def test_what_cannot_be_taken_is_refused_on_its_field(field, value, sentence, admin_client, announced):
    response = admin_client.post(ADD, {**FILLED, field: value})
    assert response.context["form"].errors == {field: [sentence]}
    assert (Contact.objects.count(), announced.names) == (0, [])


def test_editing_corrects_a_contact_and_announces_nothing(admin_client, announced, lead):
    lead.tags = ["a, b"]
    lead.save()
    shown = admin_client.get(page(lead)).context["form"]
    assert shown["email"].value() == "ada@example.com"
    assert shown["tags"].value() == "a, b"
    posted = {"first_name": "Augusta", "last_name": "King", "tags": shown["tags"].value()}
    response = admin_client.post(page(lead), {**posted, "status": "customer", "source": "admin"})
    lead.refresh_from_db()
    assert (lead.first_name, lead.last_name, lead.tags) == ("Augusta", "King", ["a, b"])
    assert (lead.email, lead.status, lead.source) == ("ada@example.com", "lead", "shop")
    assert messages_of(response) == ["Contact Augusta King was saved."]
    assert announced.names == []


def correct(client, contact, email, **posted):
    return client.post(page(contact), {"first_name": "Ada", "last_name": "Byron", "email": email, **posted})


@pytest.mark.parametrize(
    "typed", ["countess@example.com", " Countess@Example.com ", "ADA@example.com", "ada@b\u00fccher.example"]
)
def test_staff_correct_an_email_and_the_history_keeps_both(typed, admin_client, admin_user, announced, lead):
    response = correct(admin_client, lead, typed, tags="vip")
    lead.refresh_from_db()
    assert (response.status_code, lead.email, lead.tags, announced.names) == (302, typed.strip(), ["vip"], [])
    assert Contact.objects.with_email(typed.strip().lower()).get() == lead
    sentence = f"The e-mail of contact {lead.pk} was corrected from ada@example.com to {typed.strip()}."
    entry = HistoryEntry.objects.get()
    assert (entry.sentence, entry.by, entry.action) == (sentence, admin_user.username, "edited")
    assert sentence in text_of(admin_client.get(reverse("admin:orders_contact_history", args=[lead.pk])))
    assert sentence in text_of(admin_client.get(reverse("admin:notifications_historyentry_changelist")))
    # What was sold is still theirs, and the same again is no correction.
    assert correct(admin_client, lead, typed, tags="vip").status_code == 302
    assert HistoryEntry.objects.count() == 1
    services.create_contact(source="shop", data=contact_input(typed.strip().upper()))
    assert Contact.objects.get().email == typed.strip()


@pytest.mark.parametrize(
    "typed",
    [
        "BOB@b\u00fccher.example",
        "bob@xn--bcher-kva.example",
        "bob@bu\u0308cher.example",
        "b\u200bob@b\u00fccher.example",
    ],
)
def test_the_email_of_another_contact_is_refused_in_every_spelling(typed, admin_client, announced, lead):
    other = Contact.objects.create(source="shop", email="bob@b\u00fccher.example")
    response = correct(admin_client, lead, typed, tags="vip")
    assert response.context["form"].errors == {"email": ["This e-mail is known."]}
    assert "This e-mail is known." in text_of(response)
    for contact, email in ((lead, "ada@example.com"), (other, "bob@b\u00fccher.example")):
        contact.refresh_from_db()
        assert (contact.email, contact.tags) == (email, [])
    assert (HistoryEntry.objects.count(), LogEntry.objects.count(), announced.names) == (0, 0, [])


@pytest.mark.parametrize("typed", ["", "nobody", "a@b", "a b@example.com", "ada@example.com\u2028"])
def test_what_is_no_email_corrects_nothing(typed, admin_client, lead):
    response = correct(admin_client, lead, typed, tags="vip")
    lead.refresh_from_db()
    if response.status_code == 302:  # what is trimmed away
        assert lead.email == "ada@example.com" and typed.strip() == lead.email
    else:
        assert list(response.context["form"].errors) == ["email"]
        assert lead.tags == []
    assert HistoryEntry.objects.count() == 0


def test_whoever_may_only_look_corrects_no_email(sign_in, lead):
    assert correct(sign_in("orders.view_contact"), lead, "eve@example.com").status_code == 403
    lead.refresh_from_db()
    assert lead.email == "ada@example.com"


@pytest.mark.django_db(transaction=True)
def test_of_two_corrections_to_one_address_at_once_one_is_refused_in_words(admin_user, lead):
    other = Contact.objects.create(source="shop", email="bob@example.com")
    answers = []

    def send(contact):
        client = Client()
        client.force_login(admin_user)
        barrier.wait(30)
        try:
            answers.append(correct(client, contact, "new@example.com"))
        finally:
            connection.close()

    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=send, args=[contact]) for contact in (lead, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answer.status_code for answer in answers) == [200, 302]
    assert [answer.context["form"].errors for answer in answers if answer.status_code == 200] == [
        {"email": ["This e-mail is known."]}
    ]
    assert Contact.objects.filter(email="new@example.com").count() == HistoryEntry.objects.count() == 1


def test_a_contact_that_the_api_took_survives_being_saved_unchanged(admin_client):
    address = {"line1": "1 Main St", "city": "Ankeny", "country": "US"}
    sent = contact_input(
        phone={"country": "US", "number": "1"}, billing_address=address, shipping_address=address, tags=["x", "y, z"]
    )
    contact = Contact.objects.create(source="shop", **sent.model_dump())
    before = Contact.objects.filter(pk=contact.pk).values().get()
    form = admin_client.get(page(contact)).context["form"]
    admin_client.post(page(contact), {name: form[name].value() or "" for name in form.fields})
    assert Contact.objects.filter(pk=contact.pk).values().get() == before


def test_a_refused_correction_writes_nothing(admin_client, lead):
    response = admin_client.post(page(lead), {"first_name": "Augusta", "shipping_address_country": "nowhere"})
    assert response.context["form"].errors == {"shipping_address_country": ["Give at most 2 characters."]}
    lead.refresh_from_db()
    assert lead.first_name == "Ada"


def test_a_viewer_sees_a_contact_without_a_way_to_save_it(sign_in, lead, mug):
    order = place(lead, item("mug"))
    viewer = sign_in("orders.view_contact")
    response = viewer.get(page(lead))
    assert buttons_of(response) == []
    assert all(field.disabled for field in response.context["form"].fields.values())
    assert f"Order {order.number}" not in text_of(response)
    assert viewer.post(page(lead), {"first_name": "Eve"}).status_code == 403
    lead.refresh_from_db()
    assert lead.first_name == "Ada"
    assert f"Order {order.number}" in text_of(sign_in("orders.view_contact", "orders.view_order").get(page(lead)))


def test_whoever_may_only_add_is_led_to_the_index_afterwards(sign_in):
    response = sign_in("orders.add_contact").post(ADD, FILLED)
    assert (Contact.objects.count(), response["Location"]) == (1, reverse("admin:index"))


def test_a_product_is_added_and_its_sku_stays(admin_client):
    filled = {"sku": "tea", "title": "Tea", "kind": "subscription", "interval": "month", "unit_price": "9.90"}
    assert admin_client.post("/admin/orders/product/add/", {**filled, "currency": "eur"}).status_code == 302
    tea = Product.objects.get()
    assert (tea.sku, tea.kind, tea.interval, str(tea.unit_price), tea.currency) == (
        *("tea", "subscription", "month", "9.90", "EUR"),
    )
    url = reverse("admin:orders_product_change", args=[tea.pk])
    changed = {**filled, "sku": "coffee", "title": "Green tea", "currency": "EUR"}
    assert "Green tea" in text_of(follow(admin_client, admin_client.post(url, changed)))
    tea.refresh_from_db()
    assert (tea.sku, tea.title) == ("tea", "Green tea")


@pytest.mark.parametrize(
    ("changed", "field", "sentence"),
    [
        ({"unit_price": "-1"}, "unit_price", NO_AMOUNT),
        ({"currency": "XYZ"}, "currency", "Give a currency as its three letters of ISO 4217, like USD."),
        ({"interval": "month"}, "__all__", "A subscription has an interval; other products have none."),
        ({"sku": "mug"}, "sku", "Product with this Sku already exists."),
    ],
)
def test_a_product_that_cannot_be_is_refused(changed, field, sentence, admin_client, mug):
    filled = {"sku": "tea", "title": "Tea", "kind": "physical", "unit_price": "9.90", "currency": "EUR"}
    response = admin_client.post("/admin/orders/product/add/", {**filled, **changed})
    assert response.context["adminform"].form.errors == {field: [sentence]}
    assert Product.objects.count() == 1


def test_the_slug_of_a_funnel_stays(admin_client, funnel):
    url = reverse("admin:orders_funnel_change", args=[funnel.pk])
    assert admin_client.post(url, {"name": "Summer launch", "slug": "summer"}).status_code == 302
    assert list(Funnel.objects.values_list("name", "slug")) == [("Summer launch", "spring")]
