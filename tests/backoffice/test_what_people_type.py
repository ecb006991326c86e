"""Whatever is typed or sent: amounts, names, tags and addresses come out as they went in, over the API and in forms.

Amounts are judged by Babel, domains by the `idna` package.
"""

import json
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import idna
import pytest
from babel.numbers import format_decimal, get_currency_precision
from django.db import transaction
from django.urls import reverse
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from api.keys import create_key
from orders.currencies import CURRENCIES
from orders.models import Contact, Order
from tests.backoffice.reading import text_of
from tests.backoffice.test_orders_adding import ADD, filled
from tests.calling import Caller
from tests.orders.test_currencies import WRITTEN_WITHOUT

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

ADD_CONTACT = "/admin/orders/contact/add/"
ADDRESS = ("first_name", "last_name", "line1", "line2", "city", "state", "zip_code")
bounded = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# Any character, with many of those that trouble somebody.
troublesome = st.sampled_from(
    "\u200b\u200c\u200d\ufeff\u00ad\u202e\u2028\u2029\u0085\x00\x1f\t\n\r \u00a0\u3000<>&\"';=,%\\|İß\u0301"
)
unseen = st.sampled_from('\u200b\u200c\u200d\u2028 \u00a0,;<"ab\U000e0067')
anything = st.characters(exclude_categories=["Cs"])
# Drawn one by one: of a text of all of these hypothesis takes few that are chosen here.
texts = st.lists(st.one_of(anything, troublesome, st.sampled_from("abc")), max_size=12).map("".join)
lines = st.lists(st.one_of(st.characters(exclude_categories=["Cs", "Cc"]), unseen), min_size=1, max_size=12).map(
    "".join
)
mostly_lines = st.one_of(lines, lines, lines, lines, texts)


def seen(text: str) -> str:
    """Without what the contract drops."""
    kept = {"\u200c", "\u200d", *map(chr, range(0xE0020, 0xE0080))}
    text = text.replace("\u2028", " ").replace("\u2029", " ")
    return "".join(each for each in text if each in kept or unicodedata.category(each) != "Cf")


@pytest.fixture
def shop(db) -> Caller:
    return Caller(create_key(name="Shop", scopes=["storefront"])[1])


@contextmanager
def undone() -> Iterator[None]:
    """One example does not see what another has written."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def decimals(currency: str) -> int:
    """As Babel has them; where the CLDR leaves out those of ISO 4217, as that has them."""
    return (3 if currency == "IQD" else 2) if currency in WRITTEN_WITHOUT else get_currency_precision(currency)


def page(contact: Contact) -> str:
    return reverse("admin:orders_contact_change", args=[contact.pk])


def shown(client, contact: Contact) -> dict[str, str]:
    form = client.get(page(contact)).context["form"]
    return {name: form[name].value() or "" for name in form.fields}


@bounded
@given(
    currency=st.sampled_from(sorted(CURRENCIES)),
    units=st.tuples(*[st.integers(0, 10**9)] * 3),
    quantity=st.integers(1, 9999),
    as_number=st.booleans(),
    locale=st.sampled_from(["en_US", "de_DE", "fr_FR", "de_CH", "sv_SE"]),
)
def test_amounts(admin_client, shop, lead, mug, currency, units, quantity, as_number, locale):
    places = decimals(currency)
    price, shipping, tax = (Decimal(each).scaleb(-places) for each in units)
    total = price * quantity + shipping + tax
    pattern = "#,##0" + ("." + "0" * places if places else "")

    def written(amount: Decimal) -> str:
        return f"{amount:.{places}f}"

    def sent(amount: Decimal) -> str | float:
        return float(amount) if as_number else written(amount)

    with undone():
        body = {
            **{"source": "shop", "contact": {"id": lead.pk}, "currency": currency},
            **{"shipping": sent(shipping), "tax": sent(tax)},
            "items": [{"sku": "mug", "quantity": quantity, "unit_price": sent(price)}],
        }
        answer = shop("POST", "/orders", body)
        order = json.loads(answer.content)
        assert answer.status_code == 201, order
        assert [order[name] for name in ("subtotal", "shipping", "tax", "total")] == [
            written(amount) for amount in (price * quantity, shipping, tax, total)
        ]
        assert (order["items"][0]["unit_price"], order["paid_total"]) == (written(price), written(Decimal(0)))
        more = f"{written(price)}{'' if places else '.'}1"
        answer = shop("POST", "/orders", {**body, "items": [{"sku": "mug", "quantity": 1, "unit_price": more}]})
        assert (answer.status_code, json.loads(answer.content)["errors"][0]["field"]) == (422, "items[0].unit_price")

        typed = [
            format_decimal(
                amount, pattern, locale=locale, group_separator=amount >= 1_000_000, decimal_quantization=False
            )
            for amount in (price, shipping, tax)
        ]
        assume(not any(text.count(",") == 1 and len(text.partition(",")[2]) == 3 for text in typed))
        values = filled(lead, (mug, str(quantity), typed[0]), currency=currency, shipping=typed[1], tax=typed[2])
        response = admin_client.post(ADD, values)
        assert response.status_code == 302, (typed, response.context and response.context["form"].errors)
        made = Order.objects.latest("pk")
        assert (made.total, made.shipping, made.tax) == (total, shipping, tax)
        in_words = format_decimal(total, pattern, locale="en_US", decimal_quantization=False)
        assert f"{in_words} {currency}" in text_of(admin_client.get(response["Location"]))


@bounded
@given(first=mostly_lines, last=mostly_lines)
def test_names(admin_client, shop, first, last):
    kept = [seen(name).strip() for name in (first, last)]
    one_line = all(unicodedata.category(character) != "Cc" for name in kept for character in name)
    with undone():
        body = {"source": "shop", "email": "ada@example.com", "first_name": first, "last_name": last}
        answer = shop("POST", "/contacts", body)
        assert answer.status_code == (201 if one_line else 422), answer.content
        if one_line:
            contact = Contact.objects.get()
            assert [contact.first_name, contact.last_name] == kept
            assert [json.loads(answer.content)[name] for name in ("first_name", "last_name")] == kept
            assert "ada@example.com" in text_of(admin_client.get(page(contact)))
            before = Contact.objects.values().get()
            assert admin_client.post(page(contact), shown(admin_client, contact)).status_code == 302
            assert Contact.objects.values().get() == before
        else:
            assert not Contact.objects.exists()
    with undone():
        response = admin_client.post(ADD_CONTACT, {"email": "ada@example.com", "first_name": first, "last_name": last})
        # A form trims more: some control characters at the ends are white space to Python.
        assert response.status_code == 302 or not one_line
        if response.status_code == 302:
            contact = Contact.objects.get()
            assert [contact.first_name, contact.last_name] == [seen(name.strip()).strip() for name in (first, last)]
        else:
            assert set(response.context["form"].errors) <= {"first_name", "last_name"}
            assert not Contact.objects.exists()


@bounded
@given(tags=st.lists(mostly_lines, max_size=5))
def test_tags(admin_client, shop, tags):
    kept = [seen(tag).strip() for tag in tags]
    fit = all(tag and not any(unicodedata.category(each) == "Cc" for each in tag) for tag in kept)
    with undone():
        answer = shop("POST", "/contacts", {"source": "shop", "email": "ada@example.com", "tags": tags})
        assert answer.status_code == (201 if fit else 422), answer.content
        if not fit:
            assert {error["field"].partition("[")[0] for error in json.loads(answer.content)["errors"]} == {"tags"}
            return
        contact = Contact.objects.get()
        assert contact.tags == list(dict.fromkeys(kept))
        assert admin_client.post(page(contact), shown(admin_client, contact)).status_code == 302
        assert Contact.objects.get().tags == contact.tags
        fewer = {**shown(admin_client, contact), "tags": "\r\n".join(contact.tags[1:])}
        assert admin_client.post(page(contact), fewer).status_code == 302
        assert Contact.objects.get().tags == contact.tags[1:]


@bounded
@given(
    members=st.fixed_dictionaries(dict.fromkeys(ADDRESS, lines)), country=st.sampled_from(["", "DE", "XK", "DE", "xk"])
)
def test_postal_addresses(admin_client, shop, members, country):
    kept = {name: seen(text).strip() for name, text in members.items()}
    fit = all(unicodedata.category(each) != "Cc" for text in kept.values() for each in text) and country != "xk"
    with undone():
        body = {"source": "shop", "email": "ada@example.com", "billing_address": {**members, "country": country}}
        answer = shop("POST", "/contacts", body)
        assert answer.status_code == (201 if fit else 422), answer.content
        if not fit:
            return
        assert json.loads(answer.content)["billing_address"] == {**kept, "country": country}
        contact = Contact.objects.get()
        assert admin_client.post(page(contact), shown(admin_client, contact)).status_code == 302
        saved = Contact.objects.get().billing_address
        # An address of which nothing is known is none to a form.
        assert saved == ({**kept, "country": country} if any(kept.values()) or country else None)


letters = st.sampled_from("abcxyz0189-ßäöüéèñåøœçğıİłšžőαβγως\u03c2абвгдяієїё日本語한글中文אבגاب" + "ÄÖÜA\u0308o\u0308")
labels = st.text(letters, min_size=1, max_size=12)


@bounded
@given(labels=st.lists(labels, min_size=1, max_size=2), upper=st.booleans())
def test_email_addresses(admin_client, shop, labels, upper):
    domain = ".".join([*labels, "example"])
    try:
        ascii_domain = idna.encode(domain, uts46=True).decode()
        shown_domain = idna.decode(ascii_domain)
    except (idna.IDNAError, UnicodeError):
        assume(False)
    with undone():
        first = f"Ada.L@{domain}"
        answer = shop("POST", "/contacts", {"source": "shop", "email": first})
        assert answer.status_code in (201, 422)
        assume(answer.status_code == 201)
        contact = Contact.objects.get()
        for other in (ascii_domain, shown_domain, ascii_domain.upper(), unicodedata.normalize("NFD", shown_domain)):
            email = f"ADA.l@{other}"
            answer = shop("POST", "/contacts", {"source": "shop", "email": email, "tags": ["again"]})
            assert answer.status_code == 200, (first, email, answer.content)
            response = admin_client.post(ADD_CONTACT, {"email": email})
            assert response.context["form"].errors == {"email": ["This e-mail is known."]}
            found = admin_client.get(reverse("admin:orders_contact_changelist"), {"q": email})
            assert [each.pk for each in found.context["cl"].result_list] == [contact.pk]
        assert Contact.objects.get().email == first
        eve = Contact.objects.create(source="shop", email="eve@example.com")
        response = admin_client.post(page(eve), {"email": f"ada.l@{ascii_domain}"})
        assert response.context["form"].errors == {"email": ["This e-mail is known."]}
        assert admin_client.post(page(contact), {"email": f"ada.l@{ascii_domain}"}).status_code == 302
