"""Staff in currencies of other decimals than two, and what of an order is paid."""

from decimal import Decimal

import pytest
from django.urls import reverse

from orders.models import Contact, Funnel, Order, Product, Quote, Refund, Survey
from tests.backoffice.reading import messages_of, text_of
from tests.backoffice.test_orders_actions import act, page_of
from tests.backoffice.test_orders_adding import ADD, filled
from tests.orders.shop import NO_AMOUNT, decline, item, pay, place, stored
from tests.parametrizing import quick_first

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("currency", "price", "shown"), [("JPY", "1500", "1,500 JPY"), ("KWD", "1500.125", "1,500.125 KWD")]
)
def test_an_order_from_opening_to_refund(admin_client, lead, mug, currency, price, shown):
    # The 0.00 that the form proposes is nothing in any currency.
    response = admin_client.post(ADD, filled(lead, (mug, "1", price), currency=currency))
    order = stored(Order.objects.get())
    assert f"of {shown} was opened" in messages_of(response)[0]
    assert shown in text_of(admin_client.get(page_of(order)))

    response = act(admin_client, order, "record_payment")
    assert f"Payment of {shown} recorded" in messages_of(response)[0]
    response = act(admin_client, order, "refund")
    assert f"Refund of {shown} applied" in messages_of(response)[0]
    assert Refund.objects.get().amount == order.total
    assert stored(order).status == "refunded"


@pytest.mark.parametrize(
    ("currency", "amount", "sentence"),
    [
        ("JPY", "10.50", "Give an amount without decimals: JPY has none."),
        ("USD", "1.125", "Give an amount with at most 2 decimals: USD has no more."),
        ("USD", "1.000", "Give an amount with at most 2 decimals: USD has no more."),
    ],
)
def test_more_decimals_are_refused_beside_the_field(admin_client, lead, mug, currency, amount, sentence):
    response = admin_client.post(ADD, filled(lead, (mug, "1", "5"), currency=currency, shipping=amount))
    assert response.context["form"].errors == {"shipping": [sentence]}
    response = admin_client.post(ADD, filled(lead, (mug, "1", amount), currency=currency))
    assert response.context["items"].errors[0] == {"unit_price": [sentence]}
    quote = reverse("admin:orders_quote_add")
    response = admin_client.post(quote, filled(lead, (mug, "1", "5"), currency=currency, tax=amount))
    assert response.context["form"].errors == {"tax": [sentence]}
    assert (Order.objects.count(), Quote.objects.count()) == (0, 0)

    order = place(lead, item("mug", 1, "5"), currency=currency)
    response = act(admin_client, order, "record_payment", amount=amount)
    assert response.context["form"].errors == {"amount": [sentence]}
    pay(order, "20")
    response = act(admin_client, order, "refund", amount=amount)
    assert response.context["form"].errors == {"amount": [sentence]}

    product = {"sku": "tea", "title": "Tea", "kind": "physical", "unit_price": amount, "currency": currency}
    response = admin_client.post("/admin/orders/product/add/", product)
    assert response.context["adminform"].form.errors == {"unit_price": [sentence]}


def test_the_page_of_a_product_proposes_its_price_as_it_can_be_saved(admin_client, mug):
    Product.objects.filter(pk=mug.pk).update(currency="JPY", unit_price="1500")
    url = reverse("admin:orders_product_change", args=[mug.pk])
    form = admin_client.get(url).context["adminform"].form
    assert form["unit_price"].value() == "1500"
    sent = {"title": "Mug", "kind": "physical", "unit_price": "1500", "currency": "JPY"}
    assert admin_client.post(url, sent).status_code == 302


def test_the_page_of_an_order_says_what_is_not_paid(admin_client, lead, club, mug):
    order = place(lead, item("club"))
    assert "Book club (not paid)" in text_of(admin_client.get(page_of(order)))
    decline(order)
    pay(order, is_upsell=True, items=[item("mug")])
    page = text_of(admin_client.get(page_of(order)))
    assert "Book club (not paid)" in page
    assert "Mug (upsell)" in page and "Mug (upsell) (not paid)" not in page


def test_a_quote_shows_what_was_offered(admin_client, lead, club):
    admin_client.post(reverse("admin:orders_quote_add"), filled(lead, (club, "1", "")))
    Product.objects.update(title="Archive")
    page = text_of(admin_client.get(reverse("admin:orders_quote_change", args=[Quote.objects.get().pk])))
    assert "Book club" in page and "Archive" not in page


def test_a_contact_with_more_tags_than_a_call_may_send_is_saved_again(admin_client, lead):
    url = reverse("admin:orders_contact_change", args=[lead.pk])
    for count, number_saved in ((120, 120), (500, 500), (501, 500)):
        tags = [f"t{number}" for number in range(count)]
        response = admin_client.post(url, {"first_name": "Ada", "last_name": "Byron", "tags": "\n".join(tags)})
        lead.refresh_from_db()
        assert len(lead.tags) == number_saved
    assert response.context["form"].errors == {"tags": ["A contact has at most 500 tags; this would make 501."]}
    Contact.objects.filter(pk=lead.pk).update(tags=tags)
    response = admin_client.post(url, {"first_name": "Augusta", "last_name": "Byron", "tags": "\n".join(tags)})
    lead.refresh_from_db()
    assert (response.status_code, lead.first_name, len(lead.tags)) == (302, "Augusta", 501)


def test_titles_and_names_lose_what_nobody_sees_and_are_one_line(admin_client):
    product = {
        "sku": "tea\u200b",
        "title": " Green\u2028tea\ufeff ",
        "kind": "physical",
        "unit_price": "9",
        "currency": "USD",
    }
    assert admin_client.post("/admin/orders/product/add/", product).status_code == 302
    assert list(Product.objects.values_list("sku", "title", "kind")) == [("tea", "Green tea", "physical")]
    assert admin_client.post("/admin/orders/funnel/add/", {"name": "Spr\u00ading", "slug": "spring"}).status_code == 302
    assert admin_client.post("/admin/orders/survey/add/", {"title": "How\u2029so?", "slug": "how"}).status_code == 302
    assert (Funnel.objects.get().name, Survey.objects.get().title) == ("Spring", "How so?")
    for title in ("a\x07b", "\u200b", "x" * 201):
        response = admin_client.post("/admin/orders/product/add/", {**product, "sku": "two", "title": title})
        assert list(response.context["adminform"].form.errors) == ["title"]


def forms_of_money(client, lead, mug, amount):
    """Every form that takes amounts, sent with this one: the answers, and what was written of it, by field."""
    quote = reverse("admin:orders_quote_add")
    rows, fields = (mug, "1", "5"), {}
    answers = {
        "shipping": client.post(ADD, filled(lead, rows, shipping=amount)),
        "tax": client.post(ADD, filled(lead, rows, tax=amount)),
        "unit_price": client.post(ADD, filled(lead, (mug, "1", amount))),
        "quote's shipping": client.post(quote, filled(lead, rows, shipping=amount)),
        "quote's tax": client.post(quote, filled(lead, rows, tax=amount)),
        "quote's unit_price": client.post(quote, filled(lead, (mug, "1", amount))),
    }
    for order in Order.objects.order_by("pk"):
        name = "shipping" if order.shipping else "tax" if order.tax else "unit_price"
        fields[name] = str(getattr(order, name, None) or order.items.get().unit_price)
    for made in Quote.objects.order_by("pk"):
        name = "shipping" if made.shipping else "tax" if made.tax else "unit_price"
        fields[f"quote's {name}"] = str(getattr(made, name, None) or made.items.get().unit_price)
    product = {"sku": "tea", "title": "Tea", "kind": "physical", "unit_price": amount, "currency": "USD"}
    answers["price of a product"] = client.post("/admin/orders/product/add/", product)
    for made in Product.objects.filter(sku="tea"):
        fields["price of a product"] = str(made.unit_price)
    order = place(lead, item("mug", 1, "9000"))
    answers["payment"] = act(client, order, "record_payment", amount=amount)
    for made in order.transactions.all():
        fields["payment"] = str(made.amount)
    pay(order, "9000", "r9")
    paid = order.transactions.get(reference="r9")
    answers["refund"] = act(client, order, "refund", amount=amount, transaction=paid.pk)
    answers["void"] = act(client, place_and_pay(lead, "r10"), "refund", kind="void", amount=amount)
    fields |= {each.kind: str(each.amount) for each in Refund.objects.all()}
    return answers, fields


def place_and_pay(lead, reference):
    order = place(lead, item("mug", 1, "1234.5"))
    pay(order, "1234.50", reference)
    return order


@pytest.mark.parametrize("typed", quick_first(["1234,50", "1.234,50", "1,234.50", "1\u00a0234,50", "1'234.5"]))
def test_every_form_takes_an_amount_that_can_be_read_in_one_way(admin_client, lead, mug, typed):
    answers, fields = forms_of_money(admin_client, lead, mug, typed)
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 302)
    assert {Decimal(amount) for amount in fields.values()} == {Decimal("1234.50")}
    assert set(fields) == set(answers)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    quick_first(
        [
            ("1,234", "1,234 can be read in two ways: write 1234 or 1.234."),
            ("12,50 €", NO_AMOUNT),
            ("1,234.567", "Give an amount with at most 2 decimals: USD has no more."),
        ]
    ),
)
def test_every_form_refuses_any_other_and_shows_what_was_typed(admin_client, lead, mug, typed, sentence):
    answers, fields = forms_of_money(admin_client, lead, mug, typed)
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 200)
    for answer in answers.values():
        page = answer.content.decode()
        assert sentence in page and f'value="{typed}"' in page
    assert fields == {}


@pytest.mark.parametrize(("currency", "typed"), [("JPY", "1,234"), ("JPY", "12,50"), ("KWD", "1,234")])
def test_no_currency_makes_two_ways_one(admin_client, lead, mug, currency, typed):
    response = admin_client.post(ADD, filled(lead, (mug, "1", typed), currency=currency))
    assert response.status_code == 200 and Order.objects.count() == 0


def test_a_currency_of_three_decimals_takes_a_comma_where_no_thousands_can_be_meant(admin_client, lead, mug):
    admin_client.post(ADD, filled(lead, (mug, "1", "1234,567"), currency="KWD", tax="0,250"))
    order = Order.objects.get()
    assert (str(order.subtotal), str(order.tax)) == ("1234.567", "0.25")
