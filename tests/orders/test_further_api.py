"""The storefront's calls about products, tracking, subscriptions and surveys, over HTTP with a key."""

import json
from typing import Any

import pytest
from django.http import HttpResponse

from api.keys import create_key
from orders.models import Contact, Order, Product, Subscription, Survey, SurveyResponse
from orders.representations import OrderOut, ResponseOut, SubscriptionOut
from tests.calling import Caller
from tests.orders.shop import Announcements, counts, item, pay, place, stored, track
from tests.orders.test_api import answered, refused

pytestmark = pytest.mark.django_db

TRACKING = {"carrier": "UPS", "number": "1Z999", "url": "https://ups.example.com/?n=1Z999"}
RESPONSE = {"source": "shop", "email": "ada@example.com", "answers": {"stars": 5}}


@pytest.fixture
def shop(db: None) -> Caller:
    return Caller(create_key(name="Shop", scopes=["storefront"])[1])


@pytest.fixture
def order(lead: Contact, mug: Product, announced: Announcements) -> Order:
    return place(lead, item("mug"))


@pytest.fixture
def subscription(lead: Contact, club: Product, announced: Announcements) -> Subscription:
    pay(place(lead, item("club")), "9")
    announced.take()
    return Subscription.objects.get()


def send_response(shop: Caller, **members: Any) -> HttpResponse:
    return shop("POST", "/surveys/finding/responses", {**RESPONSE, **members})


def test_the_calls_need_the_storefront_scope() -> None:
    administrator = Caller(create_key(name="Administrator", scopes=["manage"])[1])
    for method, path in (
        ("GET", "/products"),
        ("PUT", "/orders/1001/tracking"),
        ("POST", "/subscriptions/sub_1/cancel"),
        ("POST", "/surveys/finding/responses"),
    ):
        assert refused(administrator(method, path, {}), 403) == []
        assert refused(Caller()(method, path, {}), 401) == []


def test_products_are_listed_newest_first_and_by_pages(
    shop: Caller, mug: Product, course: Product, club: Product, poster: Product
) -> None:
    first = answered(shop("GET", "/products?limit=3"), 200)
    assert first["results"] == [
        {
            **{"sku": "poster", "title": "Poster", "kind": "physical"},
            **{"unit_price": "9.90", "currency": "EUR", "interval": None},
        },
        {
            **{"sku": "club", "title": "Book club", "kind": "subscription"},
            **{"unit_price": "9.00", "currency": "USD", "interval": "month"},
        },
        {
            **{"sku": "course", "title": "Course", "kind": "digital"},
            **{"unit_price": "49.00", "currency": "USD", "interval": None},
        },
    ]
    rest = answered(shop("GET", first["next"].split("/api/v1")[1]), 200)
    assert [one["sku"] for one in rest["results"]] == ["mug"]
    assert rest["next"] is None


def test_tracking_is_set_and_answered_with_the_order(shop: Caller, order: Order, announced: Announcements) -> None:
    answer = answered(shop("PUT", f"/orders/{order.number}/tracking", TRACKING), 200)
    assert answer == OrderOut.model_validate(stored(order)).model_dump()
    assert answer["tracking"] == {**TRACKING, "updated_at": answer["tracking"]["updated_at"]}
    again = answered(shop("PUT", f"/orders/{order.number}/tracking", {**TRACKING, "carrier": " UPS "}), 200)
    assert again == answer
    assert announced.names == ["shipping.tracking_updated"]


@pytest.mark.parametrize("members", [{}, {"url": None}])
def test_an_url_may_be_left_out_and_null(members: dict[str, None], shop: Caller, order: Order) -> None:
    body = {"carrier": "UPS", "number": "1Z999", **members}
    answer = answered(shop("PUT", f"/orders/{order.number}/tracking", body), 200)
    assert answer["tracking"]["url"] is None


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({"carrier": " "}, ["carrier"]),
        ({"carrier": None, "number": 12}, ["carrier", "number"]),
        ({"carrier": "x" * 101}, ["carrier"]),
        ({"number": "1Z\n999"}, ["number"]),
        ({"url": ""}, ["url"]),
        ({"url": "ups.example.com"}, ["url"]),
        ({"url": "javascript:alert(1)"}, ["url"]),
        ({"url": "ftp://ups.example.com/"}, ["url"]),
        ({"url": "https://ups.example.com/a b"}, ["url"]),
        ({"url": "https://ups.example.com/" + "x" * 1977}, ["url"]),
        ({"updated_at": "2026-11-23T18:36:00Z"}, ["updated_at"]),
    ],
)
def test_tracking_that_cannot_be_taken_is_refused(
    members: dict[str, Any], fields: list[str], shop: Caller, order: Order, announced: Announcements
) -> None:
    track(order, "DHL", "1")
    announced.take()
    before = OrderOut.model_validate(stored(order))
    assert refused(shop("PUT", f"/orders/{order.number}/tracking", {**TRACKING, **members})) == fields
    assert OrderOut.model_validate(stored(order)) == before
    assert announced.names == []


@pytest.mark.parametrize("number", ["999999", "x", "con_1", "9" * 30])
def test_tracking_of_an_unknown_order_is_not_found(number: str, shop: Caller, order: Order) -> None:
    assert refused(shop("PUT", f"/orders/{number}/tracking", TRACKING), 404) == []


@pytest.mark.parametrize(("body", "reason"), [(b"", None), ({}, None), ({"reason": " It\nends "}, "It\nends")])
def test_a_subscription_is_canceled(
    body: Any, reason: str | None, shop: Caller, subscription: Subscription, announced: Announcements
) -> None:
    answer = answered(shop("POST", f"/subscriptions/{subscription.id}/cancel", body), 200)
    assert answer == SubscriptionOut.model_validate(Subscription.objects.get()).model_dump()
    assert (answer["status"], answer["cancel_reason"]) == ("canceled", reason)
    assert answered(shop("POST", f"/subscriptions/{subscription.id}/cancel", {"reason": "again"}), 200) == answer
    assert announced.names == ["subscription.canceled"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"reason": "x" * 501}, ["reason"]),
        ({"reason": None}, ["reason"]),
        ({"because": "x"}, ["because"]),
        ([], [""]),
        (b"null", [""]),
    ],
)
def test_a_cancellation_that_cannot_be_read_is_refused(
    body: Any, fields: list[str], shop: Caller, subscription: Subscription, announced: Announcements
) -> None:
    assert refused(shop("POST", f"/subscriptions/{subscription.id}/cancel", body)) == fields
    subscription.refresh_from_db()
    assert (subscription.status, announced.names) == ("active", [])


@pytest.mark.parametrize("key", ["sub_unknown", "1", "x" * 300])
def test_an_unknown_subscription_is_not_found(key: str, shop: Caller, subscription: Subscription) -> None:
    assert refused(shop("POST", f"/subscriptions/{key}/cancel"), 404) == []


def test_a_survey_of_an_email_is_answered(shop: Caller, survey: Survey, announced: Announcements) -> None:
    answer = answered(send_response(shop, email=" ada@example.com "), 201)
    response = SurveyResponse.objects.get()
    assert answer == ResponseOut.model_validate(response).model_dump()
    assert (answer["email"], answer["answers"], response.source) == ("ada@example.com", {"stars": 5}, "shop")
    assert counts()["Contact"] == 0
    assert announced.names == ["survey.completed"]


def test_a_survey_of_an_order_is_answered(shop: Caller, order: Order, survey: Survey, announced: Announcements) -> None:
    answer = answered(send_response(shop, source="funnel", email=None, order=order.number), 201)
    assert answer["email"] is None
    response = SurveyResponse.objects.get()
    assert (response.order, response.contact, response.source) == (order, order.contact, "shop")


def test_answers_come_back_as_they_were_sent(shop: Caller, survey: Survey) -> None:
    sent = (
        b'{"source": "shop", "email": "ada@example.com", "answers": '
        b'{"why": "One\\nTwo\\t\\u00e9", "": [], "price": 12.50, "tiny": 1e-7, "big": 123456789012345678901234567890,'
        b' "deep": {"list": [0.1, {"is": true, "not": null}]}}}'
    )
    answer = shop("POST", "/surveys/finding/responses", sent)
    expected = json.loads(sent)["answers"]
    assert answered(answer, 201)["answers"] == expected == SurveyResponse.objects.get().answers
    assert b'"price": 12.5,' in answer.content


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({"source": "admin"}, ["source"]),
        ({"email": None}, ["email"]),
        ({"email": "ada"}, ["email"]),
        ({"order": "1001"}, ["order"]),
        ({"email": None, "order": "999999"}, ["order"]),
        ({"email": None, "order": "x" * 40}, ["order"]),
        ({"email": None, "order": 1001}, ["order"]),
        ({"funnel": "spring"}, ["funnel"]),
        ({"answers": None}, ["answers"]),
        ({"answers": [1]}, ["answers"]),
        ({"answers": {str(number): 1 for number in range(201)}}, ["answers"]),
        ({"answers": {"why": "a\x00b"}}, ["answers.why"]),
        ({"completed_at": "2026-11-23T18:36:00Z"}, ["completed_at"]),
    ],
)
def test_a_response_that_cannot_be_taken_is_refused(
    members: dict[str, Any], fields: list[str], shop: Caller, survey: Survey, announced: Announcements
) -> None:
    assert refused(send_response(shop, **members)) == fields
    assert (counts()["SurveyResponse"], announced.names) == (0, [])


def test_a_number_that_no_reader_could_hold_is_refused(shop: Caller, survey: Survey) -> None:
    number = b"9" * 400 + b".5"
    sent = b'{"source": "shop", "email": "ada@example.com", "answers": {"n": [' + number + b"]}}"
    assert refused(shop("POST", "/surveys/finding/responses", sent)) == ["answers"]
    assert counts()["SurveyResponse"] == 0


def test_answers_may_have_two_hundred_members_and_none(shop: Caller, survey: Survey) -> None:
    for count in (0, 200):
        answers = {str(number): number for number in range(count)}
        assert answered(send_response(shop, answers=answers), 201)["answers"] == answers


@pytest.mark.parametrize("slug", ["leaving", "x" * 300, "FINDING"])
def test_an_unknown_survey_is_not_found(slug: str, shop: Caller, survey: Survey) -> None:
    assert refused(shop("POST", f"/surveys/{slug}/responses", RESPONSE), 404) == []
    assert counts()["SurveyResponse"] == 0


def test_the_document_describes_every_member_with_an_example(shop: Caller) -> None:
    document = answered(shop("GET", "/openapi.json"), 200)
    schemas = document["components"]["schemas"]
    reached: set[str] = set()

    def reach(node: Any) -> None:
        if isinstance(node, dict):
            _, of_schemas, name = node.get("$ref", "").partition("#/components/schemas/")
            if of_schemas and name not in reached:
                reached.add(name)
                reach(schemas[name])
            for member in node.values():
                reach(member)
        elif isinstance(node, list):
            for member in node:
                reach(member)

    calls = [call for path in document["paths"].values() for call in path.values() if "Storefront" in call["tags"]]
    assert len(calls) == 10
    for call in calls:
        for status, answer in call["responses"].items():
            if status.startswith("2"):
                reach(answer)
        reach(call.get("requestBody"))
    assert {
        "ContactRequest",
        "OrderRequest",
        "TransactionRequest",
        "RefundRequest",
        "SurveyResponseRequest",
        "Order",
    } <= reached
    bare = []
    for name in reached:
        for member, shape in schemas[name].get("properties", {}).items():
            if name.endswith("Page"):  # the list around the results, the same everywhere
                continue
            if not shape.get("description") or not (shape.get("examples") or "$ref" in json.dumps(shape)):
                bare.append(f"{name}.{member}")
    assert sorted(bare) == []
