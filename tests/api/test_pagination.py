import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from api.models import ApiKey
from tests.api.problems import assert_fields
from tests.api.throwaway import EVENT_TYPES
from tests.calling import Caller

NOT_OURS = {"cursor": "This is not a cursor of this list."}


def add_keys(*names: str) -> None:
    for name in names:
        ApiKey.objects.create(name=name, key_hash=f"{name} {ApiKey.objects.count()}", prefix="p", scopes=["manage"])


def read(call: Caller, path: str) -> dict[str, Any]:
    response = call("GET", path)
    assert response.status_code == 200, response.content
    page: dict[str, Any] = response.json()  # type: ignore[attr-defined]
    assert page.keys() == {"results", "next"}
    return page


def follow(call: Caller, url: str) -> dict[str, Any]:
    assert url.startswith("http://testserver/api/v1/")
    return read(call, url.removeprefix("http://testserver/api/v1"))


def names(page: dict[str, Any]) -> list[str]:
    return [result["name"] for result in page["results"]]


def test_rows_come_newest_first_a_page_at_a_time(call: Caller) -> None:
    add_keys("a", "b", "c", "d")

    first = read(call, "/keys?limit=2")
    second = follow(call, first["next"])
    third = follow(call, second["next"])

    assert [names(page) for page in (first, second, third)] == [["d", "c"], ["b", "a"], ["Tests"]]
    assert third["next"] is None


def test_a_last_page_that_is_full_has_no_next(call: Caller) -> None:
    add_keys("a")
    assert read(call, "/keys?limit=2")["next"] is None


def test_fifty_rows_unless_told(call: Caller) -> None:
    add_keys(*["k"] * 200)

    page = read(call, "/keys")
    assert len(page["results"]) == 50
    assert len(follow(call, page["next"])["results"]) == 50
    assert len(read(call, "/keys?limit=200")["results"]) == 200
    assert len(read(call, "/keys?limit=1")["results"]) == 1


def test_rows_added_meanwhile_neither_repeat_nor_hide_one(call: Caller) -> None:
    add_keys("a", "b", "c")
    first = read(call, "/keys?limit=2")
    add_keys("d", "e")

    assert names(follow(call, first["next"])) == ["a", "Tests"]


def test_the_row_that_a_cursor_names_may_be_gone(call: Caller) -> None:
    add_keys("a", "b", "c")
    first = read(call, "/keys?limit=2")
    ApiKey.objects.filter(name="b").delete()

    assert names(follow(call, first["next"])) == ["a", "Tests"]


def test_next_keeps_the_other_parameters(call: Caller) -> None:
    add_keys("é & ?", "other", "é & ?", "é & ?")

    page = read(call, "/keys?name=%C3%A9%20%26%20%3F&limit=1")
    parameters = parse_qs(urlsplit(page["next"]).query)
    assert (parameters["name"], parameters["limit"]) == (["é & ?"], ["1"])
    rest = follow(call, page["next"])
    assert names(rest) == ["é & ?"]
    assert follow(call, rest["next"])["next"] is None


def test_keys_that_are_text_are_paged_too(call: Caller) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    for key in ("evt_b", "evt_a", "evt_d", "evt_c"):
        Session.objects.create(session_key=key, session_data="", expire_date=tomorrow)

    first = read(call, "/sessions?limit=3")
    second = follow(call, first["next"])

    assert [one["session_key"] for one in first["results"]] == ["evt_d", "evt_c", "evt_b"]
    assert [one["session_key"] for one in second["results"]] == ["evt_a"]
    assert second["next"] is None


def test_a_ready_list_keeps_its_order(call: Caller) -> None:
    assert read(call, "/event-types") == {"results": EVENT_TYPES, "next": None}

    first = read(call, "/event-types?limit=4")
    second = follow(call, first["next"])
    third = follow(call, second["next"])
    assert [page["results"] for page in (first, second, third)] == [EVENT_TYPES[:4], EVENT_TYPES[4:8], EVENT_TYPES[8:]]
    assert third["next"] is None


def test_a_page_is_one_query_and_never_counts(call: Caller) -> None:
    add_keys("a", "b", "c")
    read(call, "/keys")  # notes the use of the key

    with CaptureQueriesContext(connection) as queries:
        read(call, "/keys?limit=2")

    of_the_list = [query["sql"] for query in queries if 'key_hash" = ' not in query["sql"]]
    assert len(of_the_list) == 1
    assert of_the_list[0].endswith('ORDER BY "api_apikey"."id" DESC LIMIT 3')


def test_a_cursor_that_is_not_of_this_list_is_422(call: Caller) -> None:
    add_keys("a", "b")
    cursor = parse_qs(urlsplit(read(call, "/keys?limit=1")["next"]).query)["cursor"][0]

    for other in ("", "x", "a:b:c", cursor[:-1], cursor[1:], f"{cursor}=", "é", "💥"):
        assert_fields(call("GET", f"/keys?cursor={other}"), NOT_OURS)
    assert_fields(call("GET", f"/sessions?cursor={cursor}"), NOT_OURS)
    assert_fields(call("GET", f"/event-types?cursor={cursor}"), NOT_OURS)


def test_parameters_that_are_unknown_or_repeated_are_422(call: Caller, stranger: Caller) -> None:
    unknown, repeated = "This parameter is unknown.", "This parameter is given more than once."
    assert_fields(
        call("GET", "/keys?nmae=a&limit=1&limit=1&%00=1&="),
        {
            "nmae": unknown,
            "limit": repeated,
            "\ufffd": "Text must not contain control characters or lone surrogates.",
            "": unknown,
        },
    )
    assert_fields(call("GET", "/orders/1001?expand=1"), {"expand": unknown})
    assert_fields(call("POST", "/orders?dry_run=1", {}), {"dry_run": unknown})
    assert_fields(call("GET", "/keys?a&a"), {"a": unknown})
    many = call("GET", "/keys?" + "&".join(f"p{number}=1" for number in range(500)))
    assert (many.status_code, len(json.loads(many.content)["errors"])) == (422, 100)
    assert stranger("GET", "/keys?nmae=a").status_code == 401
