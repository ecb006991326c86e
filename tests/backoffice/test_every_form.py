# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""Every form of the back office, sent without a session, from a stale page, and twice.

The forms are those that the list of pages leads to, and the addresses that only take forms. A new one has an entry
below, or a test here fails.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import get_resolver, resolve, reverse
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from api.keys import create_key
from backoffice.submitting.return_pages import PAGES, page_of
from channels_app.models import Channel
from notifications import alert_targets
from notifications import services as notifications
from notifications.events import EVENT_TYPES
from notifications.pausing import pause_channel
from orders import services
from orders.models import Contact, Funnel, Order, Product, Survey
from tests.backoffice.browsing import Form, forms_in, open_form
from tests.backoffice.reading import text_of
from tests.backoffice.test_list_of_pages import client
from tests.backoffice.test_stale_forms import DONE_NOTHING, SAVED_NOTHING
from tests.browser.pages import find_pages
from tests.emptying import kept
from tests.notifications.deliveries import make_delivery
from tests.orders.shop import item, pay, place, refund, track

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
SOMEBODY = "Since the page was opened, somebody else was here"
COMPLETED, REFUNDED = EVENT_TYPES["order.completed"], EVENT_TYPES["refund.applied"]
# What a page reads in passing, or what says that somebody was here.
PASSING = {"last_login", "last_used_at"}


class World:
    """One record of each kind, in the state in which its forms are offered."""

    def __init__(self) -> None:
        self.ada = User.objects.create_superuser("ada", "ada@example.com", PASSWORD)
        self.contact = Contact.objects.create(source="shop", email="ada@example.com", first_name="Ada", last_name="B.")
        self.product = Product.objects.create(
            sku="mug", title="Mug", kind="physical", unit_price=Decimal(10), currency="USD"
        )
        club = {"kind": "subscription", "interval": "month", "unit_price": 9, "currency": "USD"}
        Product.objects.create(sku="club", title="Club", **club)
        self.funnel = Funnel.objects.create(name="Spring", slug="spring")
        self.survey = Survey.objects.create(title="How?", slug="how")
        self.open = place(self.contact, item("mug"))
        self.paid = place(self.contact, item("mug"), item("club"))
        self.payment = pay(self.paid, "19.00")
        self.subscription = self.paid.subscriptions.get()
        track(self.paid)
        self.reached = place(self.contact, item("mug"), source="funnel")
        pay(self.reached, "10.00", reference="r2")
        self.quote = services.create_quote(contact=self.contact.pk, items=[item("mug")])
        self.channel = self._channel("Warehouse")
        self.paused = self._channel("Paused")
        pause_channel(channel_id=self.paused.pk, reason="Maintenance.", by="anna")
        self.told, self.other = self._channel("Pager"), self._channel("Other")
        self.other = notifications.rotate_secret(channel_id=self.other.pk, overlap=timedelta(days=1), by="anna")
        alert_targets.choose(channel_id=self.told.pk, by="anna")
        notifications.set_event_type_enabled(event_type=COMPLETED, enabled=True, by="anna")
        notifications.attach_channel(
            event_type=COMPLETED, channel_id=self.channel.pk, sources=["admin", "shop"], by="anna"
        )
        failed: dict[str, Any] = {
            "status": "failed",
            "outcome": "http_error",
            "finished_at": timezone.now(),
            "next_attempt_at": None,
        }
        self.failed = make_delivery(self.channel, **failed)
        self.failed_of_order = make_delivery(self.channel, **failed)
        self.failed_of_order.event.order = self.paid
        self.failed_of_order.event.save()
        self.user = User.objects.create_user("vera", is_staff=True)
        self.group = Group.objects.create(name="Night shift")
        self.key, _ = create_key(name="Shop", scopes=["storefront"])

    def _channel(self, name: str) -> Channel:
        url = f"https://{name.lower()}.example.com/"
        return notifications.create_channel(name=name, kind="postback", url=url, headers={"X-Key": "one"}, by="anna")


def of(name: str, *ids: Any) -> str:
    return reverse(f"admin:{name}", args=ids)


@dataclass(frozen=True)
class Entry:
    """How a form is tried. `page` has it. `typed` goes into its fields. `meanwhile` is what somebody else does while
    it is open, and `told` what it then says instead of taking effect. `writes` is false for what only looks.
    """

    page: Callable[[World], str]
    typed: Callable[[World], dict[str, Any]] = field(default=lambda _world: {})
    meanwhile: Callable[[World], Any] | None = None
    told: str = SAVED_NOTHING
    writes: bool = True
    action: Callable[[World], str] | None = None


def change(record: str, **values: Any) -> Callable[[World], Any]:
    def meanwhile(world: World) -> None:
        known = getattr(world, record)
        type(known).objects.filter(pk=known.pk).update(**values)

    return meanwhile


def moved(name: str) -> Callable[[World], Any]:
    return lambda world: notifications.update_channel(
        channel_id=getattr(world, name).pk, url="https://elsewhere.example.com/", by="bob"
    )


def pause_anew(world: World) -> None:
    notifications.resume_channel(channel_id=world.paused.pk, by="bob")
    pause_channel(channel_id=world.paused.pk, reason="It leaked.", by="bob")


def turn_off_and_on_again(world: World) -> None:
    notifications.set_event_type_enabled(event_type=REFUNDED, enabled=True, by="bob")
    notifications.set_event_type_enabled(event_type=REFUNDED, enabled=False, by="bob")


def just(**typed: Any) -> Callable[[World], dict[str, Any]]:
    return lambda _world: {name.replace("__", "-"): value for name, value in typed.items()}


def sold(world: World) -> dict[str, Any]:
    return {"contact": world.contact.pk, "items-0-product": str(world.product.pk)}


FORMS: dict[str, Entry] = {
    "admin:alerts_add": Entry(lambda _w: of("alerts"), lambda w: {"channel": w.other.pk}),
    "admin:alerts_remove": Entry(lambda _w: of("alerts"), action=lambda w: of("alerts_remove", w.told.pk)),
    "admin:alerts_test": Entry(lambda _w: of("alerts")),
    "admin:api_apikey_add": Entry(lambda _w: of("api_apikey_add"), just(name="Funnel", scopes=["manage"])),
    "admin:api_apikey_revoke": Entry(lambda w: of("api_apikey_revoke", w.key.pk)),
    "admin:auth_group_add": Entry(lambda _w: of("auth_group_add"), just(name="Day shift")),
    "admin:auth_group_change": Entry(
        lambda w: of("auth_group_change", w.group.pk), just(name="Late shift"), change("group", name="Early shift")
    ),
    "admin:auth_group_delete": Entry(
        lambda w: of("auth_group_delete", w.group.pk), meanwhile=change("group", name="Early"), told=DONE_NOTHING
    ),
    "admin:auth_user_add": Entry(
        lambda _w: of("auth_user_add"), just(username="bob", password1="open sesame 7", password2="open sesame 7")
    ),
    "admin:auth_user_change": Entry(
        lambda w: of("auth_user_change", w.user.pk), just(email="v@example.com"), change("user", email="w@example.com")
    ),
    "admin:auth_user_delete": Entry(
        lambda w: of("auth_user_delete", w.user.pk), meanwhile=change("user", email="w@example.com"), told=DONE_NOTHING
    ),
    "admin:auth_user_password_change": Entry(
        lambda w: of("auth_user_password_change", w.user.pk), just(password1="open sesame 7", password2="open sesame 7")
    ),
    "admin:channels_app_channel_add": Entry(
        lambda _w: of("channels_app_channel_add") + "?kind=postback", just(name="New", url="https://new.example.com/")
    ),
    "admin:channels_app_channel_delete": Entry(
        lambda w: of("channels_app_channel_delete", w.channel.pk), meanwhile=moved("channel"), told=DONE_NOTHING
    ),
    "admin:channels_app_channel_end_secret": Entry(
        lambda w: of("channels_app_channel_end_secret", w.other.pk, w.other.secrets_before(timezone.now())[0].key)
    ),
    "admin:channels_app_channel_edit": Entry(
        lambda w: of("channels_app_channel_edit", w.channel.pk), just(headers="X-Key: two"), moved("channel")
    ),
    "admin:channels_app_channel_pause": Entry(
        lambda w: of("channels_app_channel_pause", w.channel.pk), just(reason="."), moved("channel"), DONE_NOTHING
    ),
    "admin:channels_app_channel_replay": Entry(
        lambda w: of("channels_app_channel_replay", w.channel.pk), just(confirmed="yes")
    ),
    "admin:channels_app_channel_resume": Entry(
        lambda w: of("channels_app_channel_change", w.paused.pk), meanwhile=pause_anew, told=SOMEBODY
    ),
    "admin:channels_app_channel_reveal": Entry(lambda w: of("channels_app_channel_change", w.channel.pk), writes=False),
    "admin:channels_app_channel_rotate": Entry(
        lambda w: of("channels_app_channel_rotate", w.channel.pk),
        meanwhile=lambda w: notifications.rotate_secret(channel_id=w.channel.pk, overlap=timedelta(days=1), by="b"),
        told=DONE_NOTHING,
    ),
    "admin:channels_app_channel_test": Entry(lambda w: of("channels_app_channel_change", w.channel.pk)),
    "admin:event_type_add_channel": Entry(
        lambda _w: of("event_type_attach", COMPLETED.key), just(name="New", url="https://new.example.com/")
    ),
    "admin:event_type_attach": Entry(
        lambda _w: of("event_type_attach", COMPLETED.key), lambda w: {"channel": w.other.pk, "sources": ["shop"]}
    ),
    "admin:event_type_detach": Entry(
        lambda w: of("event_type_detach", COMPLETED.key, w.channel.pk),
        meanwhile=lambda w: notifications.change_sources(
            event_type=COMPLETED, channel_id=w.channel.pk, sources=["funnel"], by="bob"
        ),
        told=DONE_NOTHING,
    ),
    "admin:event_type_sources": Entry(
        lambda w: of("event_type_sources", COMPLETED.key, w.channel.pk),
        just(sources=["shop"]),
        lambda w: notifications.change_sources(
            event_type=COMPLETED, channel_id=w.channel.pk, sources=["funnel"], by="bob"
        ),
    ),
    "admin:event_type_switch": Entry(
        lambda _w: of("system_notifications"),
        meanwhile=turn_off_and_on_again,
        told=SOMEBODY,
        action=lambda _w: of("event_type_switch", REFUNDED.key),
    ),
    "admin:notifications_delivery_retry": Entry(lambda w: of("notifications_delivery_change", w.failed.pk)),
    "admin:orders_contact_add": Entry(lambda _w: of("orders_contact_add"), just(email="grace@example.com")),
    "admin:orders_contact_change": Entry(
        lambda w: of("orders_contact_change", w.contact.pk), just(first_name="Mine"), change("contact", first_name="T")
    ),
    "admin:orders_funnel_add": Entry(lambda _w: of("orders_funnel_add"), just(name="Autumn", slug="autumn")),
    "admin:orders_funnel_change": Entry(
        lambda w: of("orders_funnel_change", w.funnel.pk), just(name="Mine"), change("funnel", name="Theirs")
    ),
    "admin:orders_order_add": Entry(lambda _w: of("orders_order_add"), sold),
    "admin:orders_order_clear_tracking": Entry(
        lambda w: of("orders_order_change", w.paid.pk),
        meanwhile=lambda w: track(w.paid, "DHL", "9"),
        told=SOMEBODY,
    ),
    "admin:orders_order_reach_thank_you": Entry(lambda w: of("orders_order_change", w.reached.pk)),
    "admin:orders_order_record_payment": Entry(
        lambda w: of("orders_order_record_payment", w.open.pk),
        just(payment__status="approved", payment__amount="10.00"),
        lambda w: pay(w.open, "5.00", reference="r9"),
        DONE_NOTHING,
    ),
    "admin:orders_order_refund": Entry(
        lambda w: of("orders_order_refund", w.paid.pk),
        just(refund__kind="refund", refund__amount="2.00"),
        lambda w: refund(w.paid, "1.00"),
        "Something of this order was given back since the page was opened.",
    ),
    "admin:orders_order_retry": Entry(lambda w: of("orders_order_change", w.paid.pk)),
    "admin:orders_order_set_tracking": Entry(
        lambda w: of("orders_order_set_tracking", w.paid.pk),
        just(tracking__number="mine"),
        lambda w: track(w.paid, "DHL", "9"),
    ),
    "admin:orders_product_add": Entry(
        lambda _w: of("orders_product_add"), just(sku="cup", title="Cup", kind="physical", unit_price="3")
    ),
    "admin:orders_product_change": Entry(
        lambda w: of("orders_product_change", w.product.pk), just(unit_price="11"), change("product", currency="EUR")
    ),
    "admin:orders_quote_add": Entry(lambda _w: of("orders_quote_add"), sold),
    "admin:orders_quote_sell": Entry(lambda w: of("orders_quote_change", w.quote.pk)),
    "admin:orders_subscription_cancel": Entry(lambda w: of("orders_subscription_cancel", w.subscription.pk)),
    "admin:orders_survey_add": Entry(lambda _w: of("orders_survey_add"), just(title="Why?", slug="why")),
    "admin:orders_survey_change": Entry(
        lambda w: of("orders_survey_change", w.survey.pk), just(title="Mine"), change("survey", title="Theirs")
    ),
    "admin:password_change": Entry(
        lambda _w: of("password_change"),
        just(old_password=PASSWORD, new_password1="open sesame 7", new_password2="open sesame 7"),
    ),
}
# Lists send the rows that are ticked; the actions that they offer have tests of their own.
LISTS = "_changelist"


@pytest.fixture(scope="module")
def committed(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    yield from kept(django_db_blocker, World)


@pytest.fixture
def world(committed: World, db: None) -> World:
    """What a test changes of it is rolled back."""
    return deepcopy(committed)


@pytest.fixture
def browser(world: World) -> Client:
    browser = Client()
    browser.force_login(world.ada)
    return browser


def opened(browser: Client, entry: Entry, name: str, world: World) -> Form:
    page = entry.page(world)
    if entry.action:
        return open_form(browser, page, entry.action(world))
    (form,) = [
        form
        for form in forms_in(page, browser.get(page).content.decode())
        if resolve(form.action.partition("?")[0]).view_name == name
    ]
    return form


def written() -> dict[str, list[Any]]:
    """All rows of what people work with, but for the traces that a look leaves."""
    models = [
        model
        for label in ("api", "auth", "channels_app", "notifications", "orders")
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
    ]
    return {
        model._meta.label: [
            {name: str(value) for name, value in row.items() if name not in PASSING}
            for row in model._default_manager.order_by("pk").values()
        ]
        for model in models
    }


@pytest.mark.parametrize("name", FORMS)
def test_without_a_session_nothing_is_done_and_one_comes_back_to_a_page(browser, world, name):
    entry = FORMS[name]
    form = opened(browser, entry, name, world)
    Session.objects.all().delete()
    before = written()
    answer = form.send(browser, **entry.typed(world))
    assert (answer.status_code, answer.url.partition("?")[0]) == (302, reverse("admin:login"))
    assert "nothing was done with what you sent" in text_of(browser.get(answer.url))
    onward = browser.post(answer.url, {"username": "ada", "password": PASSWORD})
    assert browser.get(onward.url).status_code == 200
    assert b"<html" in browser.get(onward.url).content
    assert written() == before


@pytest.mark.parametrize("name", [name for name, entry in FORMS.items() if entry.meanwhile])
def test_on_a_stale_page_nothing_is_done_and_it_is_told_what_happened(browser, world, name):
    entry = FORMS[name]
    form = opened(browser, entry, name, world)
    entry.meanwhile(world)
    before = written()
    answer = form.send(browser, **entry.typed(world))
    shown = browser.get(answer.url) if answer.status_code == 302 else answer
    assert entry.told in text_of(shown)
    assert written() == before


@pytest.mark.parametrize("name", FORMS)
def test_sent_twice_it_takes_effect_once_and_the_second_is_answered_as_the_first(browser, world, name):
    entry = FORMS[name]
    form = opened(browser, entry, name, world)
    before = written()
    first = form.send(browser, **entry.typed(world))
    after = written()
    assert first.status_code in (200, 201, 302)
    if not entry.writes:
        return
    assert after != before
    second = form.send(browser, **entry.typed(world))
    assert (second.status_code, second.get("Location")) == (first.status_code, first.get("Location"))
    if first.status_code != 302:
        assert second.content == first.content
    assert written() == after


def test_every_form_has_an_entry(client):
    pages = find_pages(lambda path: client.get(path).content.decode())
    found = {
        resolve(form.action.partition("?")[0]).view_name: page
        for page in pages.values()
        for form in forms_in(page, client.get(page, follow=True).content.decode())
    }
    missing = {name: page for name, page in found.items() if name not in FORMS and not name.endswith(LISTS)}
    assert missing == {}
    assert len(found) > 40


def test_every_form_carries_its_token_and_each_that_edits_says_what_it_shows(browser, world):
    for name, entry in FORMS.items():
        form = opened(browser, entry, name, world)
        assert form.value("form-token"), name
        if entry.meanwhile and name != "admin:orders_order_refund":  # that has a field of its own for it
            assert form.value("form-shown"), name
