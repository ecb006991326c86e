"""No call costs more than some memory and time, whatever its body of 256 KiB holds: see `tests.api.costs`."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client

from api.keys import create_key
from api.problems import MAX_BODY_BYTES
from config.web.limits import LONGEST_BODY
from orders.models import Survey
from tests.api.problems import assert_problem
from tests.calling import Caller

MOST_MIB = 64
# Of the processor, on a machine that others use as well.
MOST_SECONDS = 2.0
MAX_ERRORS = 100
MAX_ANSWER_BYTES = 64 * 1024


def repeated(start: str, piece: str | Callable[[int], str], end: str) -> bytes:
    """A body of 256 KiB: as many pieces, parted by commas, as there is room for."""
    room = MAX_BODY_BYTES - len((start + end).encode())
    pieces: list[bytes] = []
    if isinstance(piece, str):
        pieces = [piece.encode()] * (room // (len(piece.encode()) + 1))
    else:
        while (room := room - len(written := piece(len(pieces)).encode()) - 1) >= 0:
            pieces.append(written)
    return start.encode() + b",".join(pieces) + end.encode()


def long(start: str, piece: str, end: str) -> bytes:
    """A body of 256 KiB with one long text or number."""
    room = MAX_BODY_BYTES - len((start + end).encode())
    return (start + piece * (room // len(piece.encode())) + end).encode()


SURVEY = "/surveys/feelings/responses"
ANSWERS = '{"source":"shop","email":"ada@example.com","answers":'
CONTACT = '{"source":"shop","email":"ada@example.com"'
CHANNEL = '{"name":"A","kind":"postback","url":"https://example.com/"'
NAME = "n" * 120_000


def bodies() -> dict[str, tuple[str, bytes]]:
    """Each with its path, below that of the API."""
    return {
        "a long name over unclean texts": (SURVEY, repeated(ANSWERS + f'{{"{NAME}":[', '"\\u0000"', "]}}")),
        "unclean texts": (SURVEY, repeated(ANSWERS + '{"a":[', '"\\u0000"', "]}}")),
        "unclean texts of raw bytes": (SURVEY, repeated(ANSWERS + '{"a":[', '"\x7f"', "]}}")),
        "unclean names": (SURVEY, repeated(ANSWERS + "{", lambda n: f'"\\ud800{n:x}":1', "}}")),
        "lone surrogates": (SURVEY, repeated(ANSWERS + '{"a":[', '"\\udc00"', "]}}")),
        "unclean texts, deep down": (
            SURVEY,
            repeated(ANSWERS + '{"a":' + "[" * 60, '"\\u0000"', "]" * 60 + "}}"),
        ),
        "long names, nested, over unclean texts": (
            SURVEY,
            repeated(
                ANSWERS + "".join(f'{{"{"n" * 2000}":' for _ in range(60)) + "[", '"\\u0000"', "]" + "}" * 60 + "}"
            ),
        ),
        "many values, deep down": (SURVEY, repeated(ANSWERS + '{"a":' + "[" * 61, "1", "]" * 61 + "}}")),
        "too deep": (SURVEY, b'{"a":' * 50_000),
        "too deep, in lists": (SURVEY, b'{"a":' + b"[" * 250_000),
        "empty lists": (SURVEY, repeated(ANSWERS + '{"a":[', "[]", "]}}")),
        "empty objects": (SURVEY, repeated(ANSWERS + '{"a":[', "{}", "]}}")),
        "objects of one member": (SURVEY, repeated(ANSWERS + '{"a":[', '{"":1}', "]}}")),
        "short texts": (SURVEY, repeated(ANSWERS + '{"a":[', '"é"', "]}}")),
        "fractions": (SURVEY, repeated(ANSWERS + '{"a":[', "0.1", "]}}")),
        "exponents": (SURVEY, repeated(ANSWERS + '{"a":[', "1e9", "]}}")),
        "long whole numbers": (SURVEY, repeated(ANSWERS + '{"a":[', "9" * 4300, "]}}")),
        "long fractions": (SURVEY, repeated(ANSWERS + '{"a":[', f"{'9' * 4000}.{'9' * 200}", "]}}")),
        "a long whole number": (SURVEY, long(ANSWERS + '{"a":', "9", "}}")),
        "a long fraction": (SURVEY, long(ANSWERS + '{"a":0.', "9", "}}")),
        "a long number before its point": (SURVEY, long(ANSWERS + '{"a":', "9", ".5}}")),
        "a long exponent": (SURVEY, long(ANSWERS + '{"a":1e', "9", "}}")),
        "a long text": (SURVEY, long(ANSWERS + '{"a":"', "é", '"}}')),
        "invisible characters": (SURVEY, long(ANSWERS + '{"a":"', "\u200b", '"}}')),
        "emoji": (SURVEY, long(ANSWERS + '{"a":"', "🦊", '"}}')),
        "many names": (SURVEY, repeated(ANSWERS + '{"a":{', lambda n: f'"{n:x}":1', "}}}")),
        "many answers": (SURVEY, repeated(ANSWERS + "{", lambda n: f'"{n:x}":1', "}}")),
        "repeated names": (SURVEY, repeated(ANSWERS + '{"a":{', '"b":1', "}}}")),
        "unknown members": ("/contacts", repeated(CONTACT + ",", lambda n: f'"{n:x}":1', "}")),
        "unknown members of long names": ("/contacts", repeated(CONTACT + ",", lambda n: f'"{n:x}{"🦊" * 60}":1', "}")),
        "an unknown member of a long name": ("/contacts", long(CONTACT + ',"', "🦊", '":1}')),
        "unknown members of a contact sent along": (
            "/orders",
            repeated('{"source":"shop","items":[],"contact":{', lambda n: f'"{n:x}":1', "}}"),
        ),
        "tags that are none": ("/contacts", repeated(CONTACT + ',"tags":[', "1", "]}")),
        "tags": ("/contacts", repeated(CONTACT + ',"tags":[', lambda n: f'"{n:x}"', "]}")),
        "items that are none": ("/orders", repeated('{"source":"shop","contact":{},"items":[', "1", "]}")),
        "items without members": ("/orders", repeated('{"source":"shop","contact":{},"items":[', "{}", "]}")),
        "items with unknown members": (
            "/orders",
            repeated('{"source":"shop","contact":{},"items":[' + "{}," * 99 + "{", lambda n: f'"{n:x}":1', "}]}"),
        ),
        "a long quantity": (
            "/orders",
            long('{"source":"shop","contact":{},"items":[{"sku":"a","quantity":', "9", ".5}]}"),
        ),
        "a long amount": ("/orders", long('{"source":"shop","contact":{},"items":[],"tax":', "9", ".5}")),
        "a long amount as text": ("/orders", long('{"source":"shop","contact":{},"items":[],"tax":"', "9", '"}')),
        "a long source": ("/contacts", long('{"email":"ada@example.com","source":"', "🦊", '"}')),
        "a long e-mail address": ("/contacts", long('{"source":"shop","email":"', "a.", '@example.com"}')),
        "a long host of an e-mail address": ("/contacts", long('{"source":"shop","email":"a@', "ä.", 'com"}')),
        "headers that are none": ("/channels", repeated(CHANNEL + ',"headers":{', lambda n: f'"{n:x}":1', "}}")),
        "headers": ("/channels", repeated(CHANNEL + ',"headers":{', lambda n: f'"{n:x}":"1"', "}}")),
        "a long header": ("/channels", long(CHANNEL + ',"headers":{"', "a", '":"1"}}')),
        "a long value of a header": ("/channels", long(CHANNEL + ',"headers":{"a":"', "é", '"}}')),
        "recipients that are none": ("/channels", repeated('{"name":"A","kind":"email","recipients":[', "1", "]}")),
        "recipients that are no addresses": (
            "/channels",
            repeated('{"name":"A","kind":"email","recipients":[', '""', "]}"),
        ),
        "recipients": (
            "/channels",
            repeated('{"name":"A","kind":"email","recipients":[', lambda n: f'"{n:x}@example.com"', "]}"),
        ),
        "a long recipient": ("/channels", long('{"name":"A","kind":"email","recipients":["', "ä.", '@example.com"]}')),
        "a long URL": ("/channels", long('{"name":"A","kind":"postback","url":"https://example.com/', "%41", '"}')),
        "a long host": ("/channels", long('{"name":"A","kind":"postback","url":"https://', "ä.", 'com/"}')),
        "a long kind": ("/channels", long('{"name":"A","kind":"', "🦊", '"}')),
        "a long name": ("/channels", long('{"kind":"email","name":"', "🦊", '"}')),
        "sources": (
            "/event-types/order.completed/channels",
            repeated('{"channel":"chn_1","sources":[', '"shop"', "]}"),
        ),
        "sources that are none": (
            "/event-types/order.completed/channels",
            repeated('{"channel":"chn_1","sources":[', "1", "]}"),
        ),
        "event types": (
            "/channels/chn_1/replay",
            repeated('{"since":"2026-11-23T18:36:00Z","event_types":[', '"order.completed"', "]}"),
        ),
        "event types that are none": (
            "/channels/chn_1/replay",
            repeated('{"since":"2026-11-23T18:36:00Z","event_types":[', "[]", "]}"),
        ),
        "a long time": ("/channels/chn_1/replay", long('{"since":"2026-11-23T18:36:00.', "0", 'Z"}')),
        "a time of a long number": ("/channels/chn_1/replay", repeated('{"since":', "9" * 4300, "}")[:4400] + b"}"),
        "what is no JSON": (SURVEY, b'{"a":"' + b"\\" * (MAX_BODY_BYTES - 6)),
        "nothing but blanks": (SURVEY, b" " * MAX_BODY_BYTES),
        "what is not UTF-8": (SURVEY, b'{"a":"' + b"\xff" * (MAX_BODY_BYTES - 8) + b'"}'),
    }


# Those that cost most, and each kind of refusal, are sent with an Idempotency-Key, too.
KEPT = {
    *("a long name over unclean texts", "many values, deep down", "too deep", "empty lists", "objects of one member"),
    *("fractions", "many names", "many answers", "unknown members", "items with unknown members", "emoji", "headers"),
    *("long whole numbers", "a long fraction", "unclean names", "items without members"),
}
QUERIES = {
    "unknown parameters": "&".join(f"{number:x}=1" for number in range(900)),
    "a long unknown parameter": "a" * 200_000 + "=1",
    "unclean parameters": "&".join(f"%00{number:x}=%00" for number in range(900)),
    "too many parameters": "&".join(f"{number:x}=1" for number in range(20_000)),
    "a parameter many times": "&".join("limit=1" for _ in range(900)),
    "a long value": "limit=" + "9" * 200_000,
    "a long cursor": "cursor=" + "A" * 200_000,
    "a long filter": "order=" + "%F0%9F%A6%8A" * 16_000,
}


def costs_of(calls: Iterable[Sequence[Any]], environment: dict[str, str]) -> list[list[Any]]:
    given = list(calls)
    ran = subprocess.run(
        [sys.executable, "-m", "tests.api.costs"],
        input="\n".join(map(json.dumps, given)),
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert ran.returncode == 0, ran.stderr
    costs = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [name for name, *_ in costs] == [name for name, *_ in given]
    return costs


def too_much(costs: Iterable[Sequence[Any]]) -> list[Any]:
    return [
        (name, status, seconds, mib, size)
        for name, status, seconds, mib, size in costs
        if not 200 <= status < 500 or seconds > MOST_SECONDS or mib > MOST_MIB
    ]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_no_call_costs_more_than_some_memory_and_time(subprocess_environment: dict[str, str]) -> None:
    key = create_key(name="Tests", scopes=["storefront", "manage"])[1]
    known = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    stranger = {**known, "Authorization": "Bearer unknown"}
    Survey.objects.create(slug="feelings", title="How do you feel?")
    calls: list[list[Any]] = [["warm-up", "POST", "/api/v1/contacts", CONTACT + ',"tag":1}', known]]
    given = bodies()
    for name, (path, body) in given.items():
        assert len(body) <= MAX_BODY_BYTES, name
        said = body.decode("latin-1")
        calls.append([name, "POST", f"/api/v1{path}", said, known])
        if name in KEPT:
            calls.append([f"{name}, once", "POST", f"/api/v1{path}", said, {**known, "Idempotency-Key": name}])
    said = given["empty lists"][1].decode("latin-1")
    calls.append(["a stranger", "POST", f"/api/v1{SURVEY}", said, stranger])
    calls.extend([name, "GET", f"/api/v1/events?{query}", "", known] for name, query in QUERIES.items())
    costs = costs_of(calls, subprocess_environment)
    assert too_much(costs) == []
    assert [cost for cost in costs if cost[1] >= 400 and cost[4] > MAX_ANSWER_BYTES] == []
    # Otherwise nothing was measured.
    assert {status for _, status, *_ in costs} >= {201, 400, 401, 422}


# What the fields of a form hold, as often as there is room for it.
PIECES = ["a\n", "a@b,", "a\n\nb: c\n", "🦊", "'\"<&"]
FORMS = [
    *("/admin/orders/contact/add/", "/admin/orders/order/add/", "/admin/auth/user/add/", "/admin/api/apikey/add/"),
    *("/admin/channels_app/channel/add/?kind=postback", "/admin/channels_app/channel/add/?kind=email"),
    *("/admin/password_reset/", "/admin/login/", "/demo/receiver/books/"),
]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_no_form_costs_more_than_some_memory_and_time(subprocess_environment: dict[str, str]) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    headers = {"Cookie": client.cookies.output(header="", sep=";"), "Content-Type": "application/x-www-form-urlencoded"}
    calls: list[list[Any]] = [["warm-up", "GET", "/admin/", "", headers]]
    for path in FORMS:
        page = client.get(path).content.decode()
        fields = sorted(set(re.findall(r'<(?:input|textarea)[^>]* name="([^"]+)"', page)))
        texts = [name for name in fields if not name.startswith("_") and not name.endswith("_FORMS")] or ["one"]
        sent = {"kind": path.rpartition("=")[2], **{name: "5" for name in fields if name.endswith("TOTAL_FORMS")}}
        for piece in PIECES:
            room = (LONGEST_BODY - 10_000) // len(texts) // len(quote(piece))
            body = urlencode({**dict.fromkeys(texts, piece * room), **sent})
            assert LONGEST_BODY / 2 < len(body) <= LONGEST_BODY
            calls.append([f"{path} {piece!r}", "POST", path, body, headers])
    costs = costs_of(calls, subprocess_environment)
    assert too_much(costs) == []
    assert {status for _, status, *_ in costs} >= {200, 413}


def test_the_first_hundred_errors_are_told_and_none_is_long(call: Caller) -> None:
    for body in (
        repeated('{"source":"shop","items":[],', lambda n: f'"{n:x}":1', "}"),
        repeated('{"answers":{"a":[', '"\\u0000"', "]}}"),
        repeated('{"answers":{', lambda n: f'"{n:x}\\u0000":1', "}}"),
        repeated('{"source":"shop","items":[' + "{}," * 99, "{}", "]}")[: len('{"source":"shop","items":[') + 299]
        + b"]}",
    ):
        answer = call("POST", "/orders", body)
        told = json.loads(answer.content)["errors"]
        assert (answer.status_code, len(told)) == (422, MAX_ERRORS), body[:60]

    answer = call("POST", "/orders", repeated(f'{{"answers":{{"{NAME}":[', '"\\u0000"', "]}}"))
    assert_problem(
        answer,
        422,
        "Some of the request cannot be accepted: see errors.",
        {f"answers.{'n' * 191}…": "Text must not contain control characters or lone surrogates."},
    )


def test_an_answer_to_a_bad_body_is_never_long(call: Caller) -> None:
    body = repeated('{"source":"shop","items":[],', lambda n: f'"{n:x}{"🦊" * 250}":1', "}")
    answer = call("POST", "/orders", body)
    told = json.loads(answer.content)["errors"]
    assert answer.status_code == 422
    assert MAX_ANSWER_BYTES / 2 < len(answer.content) <= MAX_ANSWER_BYTES
    assert 0 < len(told) < MAX_ERRORS
    assert all(len(error["field"]) == 200 for error in told if error["message"] == "This member is unknown.")


def test_a_query_is_told_of_as_a_body_is(call: Caller) -> None:
    answer = call("GET", "/keys?" + "&".join(f"{number}{'a' * 1000}=1" for number in range(150)))
    told = json.loads(answer.content)["errors"]
    assert (answer.status_code, len(told)) == (422, MAX_ERRORS)
    assert told[0] == {"field": "0" + "a" * 198 + "…", "message": "This parameter is unknown."}


@pytest.mark.django_db
def test_every_list_that_is_sent_in_has_an_end() -> None:
    """Each of its items is judged by itself, and a body has room for a hundred thousand."""
    document = Client().get("/api/v1/openapi.json").json()
    schemas = document["components"]["schemas"]
    bodies = [
        operation["requestBody"]
        for path in document["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict) and "requestBody" in operation
    ]
    seen: set[str] = set()
    lists: list[str] = []

    def walk(schema: Any, where: str) -> None:
        if isinstance(schema, list):
            for part in schema:
                walk(part, where)
        if not isinstance(schema, dict):
            return
        if schema.get("type") == "array":
            lists.append(where)
            assert "maxItems" in schema, where
        name = schema.get("$ref", "").rpartition("/")[2]
        if name and name not in seen:
            seen.add(name)
            walk(schemas[name], name)
        for key, part in schema.items():
            if key not in {"examples", "example", "default"}:
                walk(part, f"{where}.{key}")

    walk(bodies, "body")
    assert len(lists) >= 5, lists
