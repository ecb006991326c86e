"""Whatever people typed, and whatever is null: an event is told in lines that fit, and as an e-mail."""

import copy
import json
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels_app.transports import Notice
from channels_app.transports.email.message import compose
from notifications.events import EVENT_TYPES
from notifications.events.words.lookups import VALUE_CHARACTERS
from notifications.notices import TITLE_CHARACTERS, notice_of
from tests.notifications.bodies import CONTACT_ID, NOW, TEST_EVENT_ID, body_of

# What the contract allows to be null, wherever it stands.
NULLABLE = {
    *("phone", "billing_address", "shipping_address", "funnel", "tracking", "completed_at", "url", "decline_code"),
    *("decline_message", "canceled_at", "cancel_reason", "email"),
}
NULLABLE_OF_A_SURVEY = {"contact", "order"}
LONG = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch\r\nBcc: mallory@example.com\n\n"

bounded = settings(
    max_examples=300, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
Path = tuple[Any, ...]

typed = st.one_of(
    st.text(max_size=60),
    st.text(st.sampled_from("aZ0 \0\x07\t\r\n\x85\u2028\u202e\u200b\ud800<>&\"'{%}|=:\\@ßא日"), max_size=20),
    st.sampled_from(["", " ", LONG * 500, "\0", "\u202e", "{{ notice }}", "<script>alert(1)</script>", "None"]),
)
anything = st.one_of(
    typed,
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["1e999999", "-0.00", "9" * 40, "12.5", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", [], {}]),
    st.lists(typed | st.none() | st.dictionaries(typed, typed, max_size=2), max_size=3),
    st.dictionaries(typed, typed | st.none(), max_size=3),
)


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Of every member, at whatever depth, the way to it."""
    members: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield (*path, name)
        yield from paths(member, (*path, name))


def put(body: dict[str, Any], path: Path, value: Any) -> None:
    """Put a value in a place, unless an earlier one took the place away."""
    target: Any = body
    for name in path[:-1]:
        try:
            target = target[name]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(target, dict) or (isinstance(target, list) and len(target) > path[-1]):
        target[path[-1]] = value


def check(body: dict[str, Any]) -> Notice:
    """Raises unless the body is told in lines that fit and makes an e-mail of both kinds."""
    notice = notice_of(json.dumps(body), order_id=1, contact_id=CONTACT_ID)
    lines = [notice.title, *notice.paragraphs, notice.footer]
    for section in notice.sections:
        assert section.facts != ()
        lines.append(section.title)
        for label, value in section.facts:
            assert 0 < len(label) <= VALUE_CHARACTERS
            assert 0 < len(value) <= VALUE_CHARACTERS
            lines += [label, value]
    assert 0 < len(notice.title) <= TITLE_CHARACTERS
    for line in lines:
        assert line == line.strip() != ""
        assert not [each for each in line if unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"}], line
    mail = compose(notice, to=["ada@example.com"], message_id="dlv_1@tidings.example.com", now=NOW)
    assert b"\nBcc:" not in mail.message().as_bytes().partition(b"\n\n")[0]
    return notice


@pytest.mark.parametrize("key", EVENT_TYPES)
def test_with_everything_null_that_may_be(key):
    nullable = NULLABLE | (NULLABLE_OF_A_SURVEY if key == "survey.completed" else set())
    body = body_of(key)
    whole = check(body)
    for path in list(paths(body["data"])):
        if path[-1] in nullable and path not in {("contact", "email"), ("order", "contact", "email")}:
            put(body["data"], path, None)
            check(copy.deepcopy(body))
    bare = check(body)
    assert sum(len(section.facts) for section in bare.sections) < sum(len(each.facts) for each in whole.sections)
    assert "None" not in str([bare.title, bare.paragraphs, bare.sections])


@pytest.mark.parametrize("key", EVENT_TYPES)
def test_with_texts_that_never_end(key):
    body = body_of(key)
    for path in list(paths(body["data"])):
        if isinstance(_at(body["data"], path), str) and path[-1] not in {"kind", "status", "currency"}:
            put(body["data"], path, LONG * 2000)
    check(body)


@pytest.mark.parametrize("key", EVENT_TYPES)
def test_with_nothing_at_all(key):
    notice = check({"id": TEST_EVENT_ID, "type": key, "timestamp": None, "source": None, "data": None})
    assert notice.title.startswith("Test: ")
    check({"type": key})


@bounded
@given(data=st.data())
def test_with_anything_in_the_place_of_anything(data):
    body = body_of(data.draw(st.sampled_from(list(EVENT_TYPES))))
    for path in data.draw(st.lists(st.sampled_from(list(paths(body))), max_size=6)):
        put(body, path, data.draw(anything))
    check(body)


def _at(value: Any, path: Path) -> Any:
    for name in path:
        value = value[name]
    return value
