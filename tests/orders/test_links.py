"""An address that people copy is one URI everywhere: in the answer, the payload, mail, Slack and on the page."""

import json
from typing import Any

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from api.keys import create_key
from channels_app.transports import Link
from notifications.models import Event
from notifications.notices import notice_of
from orders.links import MAX_LENGTH, as_uri
from orders.models import Order
from orders.representations import OrderOut
from tests.calling import Caller
from tests.orders.shop import item, place, stored, track
from tests.orders.test_api import answered, refused

TYPED = "https://Bücher.example:8443/päckchen/ä b".replace(" ", "%20") + "?größe=ü&x=[1]#ö"
URI = "https://xn--bcher-kva.example:8443/p%C3%A4ckchen/%C3%A4%20b?gr%C3%B6%C3%9Fe=%C3%BC&x=%5B1%5D#%C3%B6"


@pytest.mark.parametrize(
    ("typed", "uri"),
    [
        (TYPED, URI),
        ("https://例え.テスト/荷物", "https://xn--r8jz45g.xn--zckzah/%E8%8D%B7%E7%89%A9"),
        ("https://faß.example/ß", "https://xn--fa-hia.example/%C3%9F"),
        ("https://bücher.example?q=ö", "https://xn--bcher-kva.example?q=%C3%B6"),
        ("https://ada:pä@bücher.example/", "https://ada:p%C3%A4@xn--bcher-kva.example/"),
        ('https://example.com/"<a>"|{b}^`\\', "https://example.com/%22%3Ca%3E%22%7C%7Bb%7D%5E%60%5C"),
        ("https://example.com/100%/x%2fy%zz", "https://example.com/100%25/x%2fy%25zz"),
    ],
)
def test_what_cannot_stand_in_a_uri_is_encoded(typed: str, uri: str) -> None:
    assert as_uri(typed) == uri
    assert as_uri(uri) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "https://www.ups.com/track?tracknum=1Z999AA10123456784",
        "HTTPS://Post.Example/Track/?#",
        "http://[2001:db8::1]:8080/a//b/../c;d=e?x=a/b?c%2F%2f",
        "https://example.com",
    ],
)
def test_a_uri_stays_as_it_is(uri: str) -> None:
    assert as_uri(uri) == uri


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), max_size=40))
def test_the_result_is_in_ascii_and_stays(path: str) -> None:
    uri = as_uri(f"https://example.com/{path}")
    assert uri.isascii()
    assert as_uri(uri) == uri


@pytest.mark.parametrize(
    "typed", ["https://☃.example/", "https://a..ü.example/", "https://[::1/", "https://" + "ü" * 64]
)
def test_what_is_no_host_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        as_uri(typed)


def test_an_address_that_becomes_too_long_is_refused() -> None:
    assert len(as_uri("https://example.com/" + "ü" * 330)) == MAX_LENGTH
    with pytest.raises(ValueError, match="at most 2000 characters"):
        as_uri("https://example.com/" + "ü" * 331)


@pytest.fixture
def shop(db: None) -> Caller:
    return Caller(create_key(name="Shop", scopes=["storefront"])[1])


def links(event: Event) -> list[Link]:
    notice = notice_of(event.body or "")
    return [link for link in notice.links if link.text == "Track the parcel"]


def test_one_uri_in_answer_payload_mail_slack_and_page(shop: Caller, admin_client: Any, lead: Any, mug: Any) -> None:
    order = place(lead, item("mug"))
    sent = {"carrier": "Post", "number": "1", "url": f" {TYPED} "}
    answer = answered(shop("PUT", f"/orders/{order.number}/tracking", sent), 200)
    assert answer["tracking"]["url"] == URI
    event = Event.objects.get(type="shipping.tracking_updated")
    assert json.loads(event.body or "")["data"]["order"]["tracking"]["url"] == URI
    assert [link.url for link in links(event)] == [URI]  # what mail and Slack are made of
    page = admin_client.get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()
    assert f'href="{URI.replace("&", "&amp;")}"' in page
    # Either spelling is the same address, which fires nothing.
    for url in (TYPED, URI):
        answered(shop("PUT", f"/orders/{order.number}/tracking", {**sent, "url": url}), 200)
    assert Event.objects.filter(type="shipping.tracking_updated").count() == 1
    assert refused(shop("PUT", f"/orders/{order.number}/tracking", {**sent, "url": "https://☃.example"})) == ["url"]


def test_what_staff_type_is_the_same_uri(admin_client: Any, lead: Any, mug: Any) -> None:
    order = place(lead, item("mug"))
    page = reverse("admin:orders_order_set_tracking", args=[order.pk])
    admin_client.post(page, {"tracking-carrier": "Post", "tracking-number": "1", "tracking-url": TYPED})
    assert stored(order).tracking_url == URI
    # The filled form can be saved as it is.
    assert admin_client.get(page).context["form"]["url"].value() == URI
    again = admin_client.post(page, {"tracking-carrier": "Post", "tracking-number": "2", "tracking-url": URI})
    assert again.status_code == 302


def test_what_was_stored_as_it_was_typed_is_given_out_as_a_uri(lead: Any, mug: Any, admin_client: Any) -> None:
    order = track(place(lead, item("mug")), "Post", "1", "https://example.com/")
    Order.objects.filter(pk=order.pk).update(tracking={**(order.tracking or {}), "url": TYPED})
    shown = OrderOut.model_validate(stored(order)).tracking
    assert shown is not None and shown.url == URI
    page = admin_client.get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()
    assert URI.replace("&", "&amp;") in page
    events = Event.objects.filter(type="shipping.tracking_updated")
    before = events.count()
    track(order, "Post", "1", TYPED)
    assert events.count() == before
