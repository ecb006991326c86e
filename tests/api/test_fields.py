"""What a 422 says of a body and of parameters."""

from typing import Any

import pytest

from tests.api.problems import assert_fields
from tests.calling import Caller

ITEM = {"sku": "A", "quantity": 1}
ORDER = {"source": "shop", "items": [ITEM]}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"items": [ITEM]}, {"source": "This member is required."}),
        ({**ORDER, "sorce": 1}, {"sorce": "This member is unknown."}),
        ({**ORDER, "items": [{**ITEM, "price": 1}]}, {"items[0].price": "This member is unknown."}),
        (
            {"source": "admin", "items": [ITEM, {"quantity": 0}]},
            {
                "source": "This must be 'shop' or 'funnel'.",
                "items[1].sku": "This member is required.",
                "items[1].quantity": "This must be at least 1.",
            },
        ),
        ({**ORDER, "items": []}, {"items": "This must have at least 1 item."}),
        ({**ORDER, "items": [ITEM] * 101}, {"items": "This must have at most 100 items."}),
        ({**ORDER, "items": {}}, {"items": "This must be a list."}),
        ({**ORDER, "items": None}, {"items": "This must be a list."}),
        ({**ORDER, "items": [1]}, {"items[0]": "This must be an object."}),
        ({**ORDER, "items": [{**ITEM, "sku": 1}]}, {"items[0].sku": "This must be a string."}),
        ({**ORDER, "items": [{**ITEM, "sku": "  "}]}, {"items[0].sku": "This must not be empty."}),
        ({**ORDER, "items": [{**ITEM, "sku": "x" * 9}]}, {"items[0].sku": "This must have at most 8 characters."}),
        ({**ORDER, "items": [{**ITEM, "quantity": 1.5}]}, {"items[0].quantity": "This must be a whole number."}),
        ({**ORDER, "items": [{**ITEM, "quantity": 10000}]}, {"items[0].quantity": "This must be at most 9999."}),
        ({**ORDER, "items": [{**ITEM, "quantity": 10**4000}]}, {"items[0].quantity": "This must be at most 9999."}),
        ({**ORDER, "answers": []}, {"answers": "This must be an object."}),
        (
            {**ORDER, "due": "yesterday"},
            {"due": "This must be a time by RFC 3339, such as 2026-11-23T18:36:00Z."},
        ),
    ],
)
def test_a_field_is_named_by_its_path(call: Caller, body: dict[str, Any], errors: dict[str, str]) -> None:
    assert_fields(call("POST", "/orders", body), errors)


@pytest.mark.parametrize(
    ("member", "errors"),
    [
        ({"contact": {"kind": "known", "id": 5}}, {"contact.id": "This must be a string."}),
        ({"contact": {"kind": "new", "email": "a@b.example"}}, {"contact.first_name": "This member is required."}),
        ({"contact": {"kind": "known", "id": "c", "x": 1}}, {"contact.x": "This member is unknown."}),
        ({"contact": {}}, {"contact": "This needs the member 'kind'."}),
        ({"contact": {"kind": "old"}}, {"contact": "The member 'kind' must be one of 'known', 'new'."}),
        ({"contact": 5}, {"contact": "This must be an object."}),
    ],
)
def test_the_name_of_a_type_that_was_tried_is_no_part_of_the_path(
    call: Caller, member: dict[str, Any], errors: dict[str, str]
) -> None:
    assert_fields(call("POST", "/orders", {**ORDER, **member}), errors)


def test_a_value_of_several_types_is_told_each(call: Caller) -> None:
    response = call("POST", "/orders", {**ORDER, "note": ["fine", 5]})

    assert response.status_code == 422
    assert response.json()["errors"] == [  # type: ignore[attr-defined]
        {"field": "note", "message": "This must be a whole number."},
        {"field": "note[1]", "message": "This must be a string."},
    ]


def test_a_body_that_is_required_and_absent_is_said_so(call: Caller) -> None:
    assert_fields(call("POST", "/orders"), {"": "A JSON body is required."})


def test_the_errors_of_an_answer_are_bounded(call: Caller) -> None:
    errors = {f"m{number}": "This member is unknown." for number in range(100)}

    assert_fields(call("POST", "/orders", {**ORDER, **{f"m{number}": 1 for number in range(5000)}}), errors)


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("limit=x", {"limit": "This must be a whole number."}),
        ("limit=", {"limit": "This must be a whole number."}),
        ("limit=0", {"limit": "This must be at least 1."}),
        ("limit=201", {"limit": "This must be at most 200."}),
        ("name=a%00b", {"name": "Text must not contain control characters or lone surrogates."}),
        ("other=%C2%80", {"other": "Text must not contain control characters or lone surrogates."}),
        ("a%00=b", {"a\ufffd": "Text must not contain control characters or lone surrogates."}),
    ],
)
def test_a_parameter_is_named_as_it_was_sent(call: Caller, query: str, errors: dict[str, str]) -> None:
    assert_fields(call("GET", f"/keys?{query}"), errors)


def test_bytes_that_are_not_utf_8_in_a_query_do_no_harm(call: Caller) -> None:
    for query in ("name=%ED%A0%80", "name=%FF"):
        assert call("GET", f"/keys?{query}").json()["next"] is None  # type: ignore[attr-defined]
    assert_fields(call("GET", "/keys?%FF=1"), {"\ufffd": "This parameter is unknown."})
