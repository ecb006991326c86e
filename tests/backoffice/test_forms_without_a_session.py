# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""Whoever was logged out while a page was open is told so, comes back to a page, and loses nothing."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import get_resolver, reverse

from backoffice.submitting.drafts import FILLED_IN
from backoffice.submitting.html_fill import fill
from backoffice.submitting.return_pages import PAGES
from orders.models import Contact, Order
from tests.backoffice.browsing import forms_in, open_form
from tests.backoffice.reading import text_of
from tests.backoffice.test_list_of_pages import addresses, client
from tests.orders.shop import item, place

PASSWORD = "correct horse battery"


def of(name, *ids):
    return reverse(f"admin:{name}", args=ids)


@pytest.fixture
def ada(db) -> User:
    return User.objects.create_superuser("ada", "ada@example.com", PASSWORD)


@pytest.fixture
def browser(ada) -> Client:
    browser = Client()
    browser.force_login(ada)
    return browser


def end_session(browser: Client) -> None:
    """As when it runs out, or somebody logs out in another tab: the cookie is there, its session is not."""
    Session.objects.all().delete()


def log_in(browser: Client, login: str, name: str = "ada"):
    answer = browser.post(login, {"username": name, "password": PASSWORD})
    assert answer.status_code == 302
    return answer["Location"]


def next_of(login: str) -> str:
    parts = urlsplit(login)
    assert parts.path == reverse("admin:login")
    return parse_qs(parts.query)["next"][0]


def test_what_was_typed_is_in_the_form_again_after_the_login(browser, lead):
    page = of("orders_contact_change", lead.pk)
    form = open_form(browser, page)
    end_session(browser)
    answer = form.send(browser, first_name='Adah "the" <b>', tags="vip\r\nspring")
    assert answer.status_code == 302
    assert next_of(answer.url) == page
    door = text_of(browser.get(answer.url))
    assert "Your session has ended, so nothing was done with what you sent." in door
    assert "what you typed is in the form again then" in door
    lead.refresh_from_db()
    assert lead.first_name == "Ada"
    assert log_in(browser, answer.url) == page
    shown = browser.get(page)
    assert FILLED_IN in text_of(shown)
    again = open_form(browser, page)
    assert again.value("first_name") == "Ada"  # given once: the page that showed it is the one to send
    (filled,) = [each for each in forms_in(page, shown.content.decode()) if each.action == page]
    assert (filled.value("first_name"), filled.value("tags")) == ('Adah "the" <b>', "vip\r\nspring")
    assert filled.send(browser).status_code == 302
    lead.refresh_from_db()
    assert (lead.first_name, lead.tags) == ('Adah "the" <b>', ["vip", "spring"])


def test_an_order_comes_back_with_its_buyer_and_products(browser, lead, mug):
    page = of("orders_order_add")
    form = open_form(browser, page)
    end_session(browser)
    answer = form.send(browser, **{"contact": lead.pk, "items-1-product": str(mug.pk), "items-1-quantity": "3"})
    log_in(browser, answer.url)
    filled = open_form(browser, page)
    assert (filled.value("contact"), filled.value("items-1-product")) == (lead.pk, str(mug.pk))
    assert filled.send(browser).status_code == 302
    assert Order.objects.get().items.get().quantity == 3


def test_nobody_else_at_the_same_browser_sees_it(browser):
    User.objects.create_superuser("bob", "bob@example.com", PASSWORD)
    page = of("orders_contact_add")
    form = open_form(browser, page)
    end_session(browser)
    answer = form.send(browser, email="grace@example.com", first_name="Grace")
    assert "grace" not in str([each.get_decoded() for each in Session.objects.all()]).lower()
    log_in(browser, answer.url, "bob")
    assert "grace" not in browser.get(page).content.decode().lower()
    # Nor is it there for whom it was once somebody else was.
    browser.post(reverse("admin:logout"))
    log_in(browser, answer.url)
    assert "grace" not in browser.get(page).content.decode().lower()


def test_passwords_are_not_kept(browser, ada):
    page = of("auth_user_add")
    form = open_form(browser, page)
    end_session(browser)
    answer = form.send(browser, username="vera", password1="open sesame 7", password2="open sesame 7")
    log_in(browser, answer.url)
    html = browser.get(page).content.decode()
    assert 'value="vera"' in html
    assert "open sesame" not in html


def test_a_form_of_no_page_of_ours_is_not_kept(db):
    stranger = Client()
    answer = stranger.post(of("orders_contact_add"), {"email": "x@example.com", "form-token": "forged"})
    assert next_of(answer.url) == of("orders_contact_add")
    assert not Session.objects.exists()
    assert "nothing was done" in text_of(stranger.get(answer.url))


def test_a_page_that_was_only_asked_for_says_nothing_of_a_form(db):
    answer = Client().get(of("orders_contact_add"))
    assert answer.url == f"{reverse('admin:login')}?next={of('orders_contact_add')}"
    assert "nothing was done" not in text_of(Client().get(answer.url))


def test_htmx_is_sent_to_the_login_and_back_to_the_page_where_it_was(browser, lead, mug):
    order = place(lead, item("mug"))
    page = of("orders_order_change", order.pk)
    end_session(browser)
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{page}?tab=2"}
    answer = browser.post(of("orders_order_retry", order.pk, "dlv_1"), headers=headers)
    assert (answer.status_code, answer.content) == (200, b"")
    assert next_of(answer["HX-Redirect"]) == f"{page}?tab=2"
    evil = {"HX-Request": "true", "HX-Current-URL": "https://evil.example/admin/"}
    answer = browser.get(of("orders_order_postback", order.pk, "dlv_1"), headers=evil)
    assert next_of(answer["HX-Redirect"]) == page
    assert "no-store" in answer["Cache-Control"]


def test_a_login_that_was_to_lead_to_a_form_leads_to_its_page(browser, lead, mug):
    order = place(lead, item("mug"))
    end_session(browser)
    login = f"{reverse('admin:login')}?next={of('orders_order_reach_thank_you', order.pk)}"
    assert log_in(browser, login) == of("orders_order_change", order.pk)
    browser.post(reverse("admin:logout"))
    assert log_in(browser, f"{reverse('admin:login')}?next=/demo/receiver/failing/repair/") == "/demo/receiver/"


def test_a_form_from_before_a_new_login_in_another_tab_loses_nothing(ada, lead):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)
    page = of("orders_contact_change", lead.pk)
    form = open_form(browser, page)
    browser.logout()
    door = open_form(browser, reverse("admin:login"))
    assert door.send(browser, username="ada", password=PASSWORD).status_code == 302
    answer = form.send(browser, first_name="Augusta")
    assert answer.status_code == 403
    text = text_of(answer)
    assert "You have logged in anew since this page was opened, so nothing was changed." in text
    assert f'href="{page}"' in answer.content.decode()
    again = open_form(browser, page)
    assert again.value("first_name") == "Augusta"
    assert again.send(browser).status_code == 302
    lead.refresh_from_db()
    assert lead.first_name == "Augusta"


def test_a_permission_that_was_lost_meanwhile_loses_nothing_typed(sign_in, lead):
    browser = sign_in("orders.view_contact", "orders.change_contact")
    user = User.objects.get()
    page = of("orders_contact_change", lead.pk)
    form = open_form(browser, page)
    user.user_permissions.clear()
    answer = form.send(browser, first_name="Augusta")
    assert answer.status_code == 403
    assert "What you typed is kept for an hour" in text_of(answer)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_contact", "change_contact"]))
    assert open_form(browser, page).value("first_name") == "Augusta"


@pytest.mark.slow
def test_every_address_of_the_back_office_leads_to_a_page_after_the_login(client):
    """From the URL resolver: one that is no page has its page in PAGES."""
    wrong = {}
    for name, path in addresses():
        if name in ("admin:login", "admin:view_on_site") or "password_reset" in name:
            continue
        for ask in (Client().get, Client().post):
            answer = ask(path)
            if name == "admin:logout":
                continue
            page = next_of(answer.url)
            shown = client.get(page, follow=True)
            if shown.status_code == 405 or (shown.status_code == 200 and b"<html" not in shown.getvalue()):
                wrong[name] = (page, shown.status_code)
            fragment = ask(path, headers={"HX-Request": "true"})
            if next_of(fragment["HX-Redirect"]) != page:
                wrong[name] = fragment["HX-Redirect"]
    assert wrong == {}


def test_every_entry_of_the_list_is_an_address():
    names = {f"admin:{name}" for name in _names("admin")} | {f"demo:{name}" for name in _names("demo")}
    assert set(PAGES) <= names


def _names(namespace):
    (part,) = [each for each in get_resolver().url_patterns if getattr(each, "namespace", None) == namespace]
    for each in part.url_patterns:
        yield from (one.name for one in getattr(each, "url_patterns", [each]))


def test_filling_touches_the_one_form_and_its_visible_fields_alone():
    html = (
        '<form method="post" action="/other/"><input name="a" value="1"></form>\n'
        '<form method="post"><input type="hidden" name="h" value="1"><input name="a" value="1">'
        '<input type="checkbox" name="c" value="x" checked><input type="checkbox" name="c" value="y">'
        '<input type="password" name="p"><textarea name="t">\nold &amp; grey</textarea>'
        '<select name="s"><option value="1" selected>One</option><option value="2">Two</option></select></form>'
    )
    typed = {"a": ['"2"'], "c": ["y"], "h": ["2"], "p": ["secret"], "t": ["</textarea>new"], "s": ["2"]}
    assert fill(html, page="/page/", action="/page/", typed=typed) == (
        '<form method="post" action="/other/"><input name="a" value="1"></form>\n'
        '<form method="post"><input type="hidden" name="h" value="1"><input name="a" value="&quot;2&quot;">'
        '<input type="checkbox" name="c" value="x"><input type="checkbox" name="c" value="y" checked>'
        '<input type="password" name="p"><textarea name="t">\n&lt;/textarea&gt;new</textarea>'
        '<select name="s"><option value="1">One</option><option value="2" selected>Two</option></select></form>'
    )
