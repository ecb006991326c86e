import json
import random
from decimal import Decimal
from typing import Any

import pytest

from api.parsing import parse_object
from tests.api.problems import assert_fields, assert_problem
from tests.calling import Caller

UNCLEAN = "Text must not contain control characters or lone surrogates."


def nested(levels: int) -> bytes:
    return b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"{", "The body is not JSON: line 1, column 2."),
        (b"{'a': 1}", "The body is not JSON: line 1, column 2."),
        (b'{"a": 1 "b": 2}', "The body is not JSON: line 1, column 9."),
        (b'{"a": 1} {}', "The body is not JSON: line 1, column 10."),
        (b'{"a": "\n"}', "The body is not JSON: line 1, column 8."),
        (b'{"a": "\xff"}', "The body is not UTF-8."),
        ('{"a": 1}'.encode("utf-16"), "The body is not UTF-8."),
        (b'{"a": NaN}', "The body is not JSON: NaN is not a number there."),
        (b'{"a": [-Infinity]}', "The body is not JSON: -Infinity is not a number there."),
        (b'{"a": 1e999}', "The body holds a number that is too large."),
        (b'{"a": -1.5E400}', "The body holds a number that is too large."),
        (b'{"a": ' + b"9" * 5000 + b"}", "The body holds a number that is too long."),
        (b'{"a": 1, "a": 1}', "An object in the body has the same member twice."),
        (b'{"b": [{"a": 1, "\\u0061": 2}]}', "An object in the body has the same member twice."),
        (nested(65), "The body is nested deeper than 64 levels."),
        (b'{"a":' + b"[" * 100_000, "The body is nested deeper than 64 levels."),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "The body is nested deeper than 64 levels."),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_what_is_not_json_is_400(call: Caller, body: bytes, detail: str) -> None:
    assert_problem(call("POST", "/orders", body), 400, detail)


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"x"', b"true"])
def test_json_that_is_no_object_is_422(call: Caller, body: bytes) -> None:
    for path in ("/orders", "/channels/chn_1/pause"):
        assert_fields(call("POST", path, body), {"": "The body must be a JSON object."})


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b'{"source": "a\\u0000"}', ["source"]),
        (b'{"items": [{"sku": "A"}, {"sku": "\\u001b[0m"}]}', ["items[1].sku"]),
        (b'{"answers": {"q": ["\\u007f", "fine", "\\u0085"]}}', ["answers.q[0]", "answers.q[2]"]),
        (b'{"source": "\\ud83d"}', ["source"]),
        (b'{"answers": {"a\\u0000": 1, "b": "\\udc00"}}', ["answers.a\ufffd", "answers.b"]),
        (b'{"\\ud800": 1}', ["\ufffd"]),
    ],
)
def test_text_that_must_not_be_stored_is_422_where_it_stands(call: Caller, body: bytes, fields: list[str]) -> None:
    assert_fields(call("POST", "/orders", body), dict.fromkeys(fields, UNCLEAN))


def test_tabs_line_feeds_and_all_of_unicode_come_through() -> None:
    text = "a\tb\r\nc é 漢 🦊 \u2028"
    for ascii_only in (True, False):
        assert parse_object(json.dumps({"t": text}, ensure_ascii=ascii_only).encode()) == {"t": text}


def test_a_byte_order_mark_is_ignored() -> None:
    assert parse_object(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_sixty_four_levels_are_read() -> None:
    assert json.dumps(parse_object(nested(64)), separators=(",", ":")).encode() == nested(64)
    assert parse_object(b'{"a":' + b"[" * 63 + b"1" + b"]" * 63 + b"}")


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("100", 100),
        ("100.10", Decimal("100.10")),
        ("0.1", Decimal("0.1")),
        ("-9999999999.99", Decimal("-9999999999.99")),
        ("1e2", 100.0),
        ("1.5E-3", 0.0015),
    ],
)
def test_a_number_keeps_what_it_was(literal: str, value: Any) -> None:
    parsed = parse_object(f'{{"n": {literal}}}'.encode())["n"]

    assert (type(parsed), parsed, str(parsed)) == (type(value), value, str(value))


@pytest.mark.slow
def test_random_bytes_never_break_the_server(call: Caller) -> None:
    chance = random.Random(20261123)
    pieces = [b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u0000", b"\\ud800", b"null", b"true", b"NaN"]
    pieces += [b"1", b"-", b".5", b"1e999", b"1e5", b"\xff", b"\x00", b" ", b'"a"', b'"sku"', b'"items"', b'"source"']
    seed = b'{"source":"shop","items":[{"sku":"A","quantity":1}],"note":["a"],"answers":{"q":[1,2.5,"x"]}}'
    seen = set()
    for _ in range(600):
        if chance.random() < 0.5:
            body = b"".join(chance.choices(pieces, k=chance.randint(1, 40)))
        else:
            at = chance.randrange(len(seed))
            body = seed[:at] + chance.choice(pieces) + seed[at + chance.randint(0, 6) :]
        status = call("POST", "/orders", body).status_code
        assert status in {201, 400, 422}, body
        seen.add(status)
    assert seen == {201, 400, 422}


@pytest.mark.slow
def test_random_json_never_breaks_the_server(call: Caller) -> None:
    chance = random.Random(11)
    members = ["source", "items", "sku", "quantity", "contact", "id", "email", "answers", "due", "é", ""]

    def value(depth: int = 0) -> Any:
        kind = chance.randrange(8 if depth < 5 else 6)
        simple = [None, True, chance.choice(members), chance.randint(-(10**30), 10**30), chance.random(), "shop"]
        if kind < 6:
            return simple[kind]
        if kind == 6:
            return [value(depth + 1) for _ in range(chance.randrange(4))]
        return {chance.choice(members): value(depth + 1) for _ in range(chance.randrange(4))}

    for _ in range(400):
        body = {member: value() for member in chance.sample(members, 5)}
        assert call("POST", "/orders", body).status_code in {201, 422}, body
