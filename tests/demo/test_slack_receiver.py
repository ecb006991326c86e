"""The demo's receivers in Slack's shape: what they answer, what they keep, and the page that shows it."""

import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from demo import slack
from demo.models import SlackMessage
from demo.pages import MAX_BODY_BYTES
from tests.demo.conftest import urls_of

pytestmark = pytest.mark.django_db
MESSAGE = {
    "text": "Order completed",
    "blocks": [
        {"type": "header", "text": {"type": "plain_text", "text": "Order 1001 <completed>"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": "<https://shop.example.com/1|Open the order>"}},
    ],
}


@pytest.fixture
def post(db: None) -> Callable[..., Any]:
    """`post("sales", {...})`: a message as Slack channels send it, or these bytes. The answer's status and text."""

    def post(receiver: str, message: Any = MESSAGE) -> tuple[int, str]:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        answer = Client(enforce_csrf_checks=True).post(f"/demo/slack/{receiver}/", body, "application/json")
        return answer.status_code, answer.content.decode()

    return post


def test_a_message_is_answered_ok_and_each_is_kept(post):
    assert [post("sales"), post("sales")] == [(200, "ok"), (200, "ok")]
    assert list(SlackMessage.objects.values_list("receiver", "answered", "answer")) == [("sales", 200, "ok")] * 2
    assert json.loads(SlackMessage.objects.all()[0].body) == MESSAGE


def test_the_one_that_was_removed_answers_as_slack_does_and_keeps_what_it_refuses(post, staff):
    assert post("removed") == (404, "no_service")
    assert post("removed-not") == (200, "ok")
    page = page_of(staff)
    assert "<strong>Answered 404 no_service</strong>" in page
    assert "<dt>removed</dt><dd>answers 404 no_service" in page


def test_a_refusal_on_purpose_is_no_error_in_the_log(post, caplog):
    caplog.set_level(logging.WARNING)
    assert post("removed")[0] == 404
    assert caplog.messages == []
    assert post("sales", b"x" * (MAX_BODY_BYTES + 1))[0] == 413
    assert caplog.messages != []


@pytest.mark.parametrize(
    "message, answer",
    [
        (b"", "invalid_payload"),
        (b"not JSON", "invalid_payload"),
        (b"[" * 100_000, "invalid_payload"),
        (["text"], "invalid_payload"),
        ({}, "no_text"),
        ({"text": "", "blocks": []}, "no_text"),
    ],
)
def test_what_slack_would_refuse_is_refused_and_shown(post, staff, message, answer):
    assert post("sales", message) == (400, answer)
    assert f"Answered 400 {answer}" in page_of(staff)


@pytest.mark.parametrize(
    "message",
    [
        b"\xff\x00\xfe",
        b'{"text": "a\\u0000b\\ud800", "blocks": [null, 5, {"type": ["header"]}, {"type": "header", "text": "x"}]}',
        b'{"text": {"a": 1}, "blocks": {"type": "section"}, "attachments": [3, {"blocks": 3}]}',
        b'{"blocks": [{"type": "section", "fields": [1, {"text": 2}], "text": {"type": 3, "text": "\\ud800"}}]}',
        b'{"blocks": [{"type": "actions", "elements": [{"url": "\\ud8:["}, {"text": {"text": "a"}, "url": 1}]}]}',
        b'{"text": "<|> <> <|a> <!> <http://[|b> <*a*|*b*>"}',
        b'{"n": ' + b"9" * 5000 + b"}",
    ],
)
def test_whatever_the_message_is_it_is_kept_and_can_be_shown(post, staff, message):
    post("sales", message)
    assert SlackMessage.objects.count() == 1
    assert page_of(staff).count('<article class="message"') == 1


def test_a_body_of_256_kib_is_taken_and_one_byte_more_is_refused_and_not_kept(post):
    assert post("sales", b"x" * (MAX_BODY_BYTES + 1)) == (413, "too_large")
    assert not SlackMessage.objects.exists()
    assert post("sales", b"x" * MAX_BODY_BYTES) == (400, "invalid_payload")
    assert len(SlackMessage.objects.get().body) == MAX_BODY_BYTES


def test_only_the_newest_are_kept(post, monkeypatch):
    assert slack.KEPT == 1000
    monkeypatch.setattr(slack, "KEPT", 2)
    for number in range(4):
        post(f"r{number}")
    assert list(SlackMessage.objects.values_list("receiver", flat=True)) == ["r3", "r2"]


def test_only_post_is_taken_and_a_receivers_name_is_short(client, post):
    assert client.get("/demo/slack/sales/").status_code == 405
    assert post("a" * 50)[0] == 200
    assert post("a" * 51)[0] == 404
    assert SlackMessage.objects.count() == 1


def test_without_demo_none_of_the_urls_exist(staff, settings):
    settings.ROOT_URLCONF = urls_of(demo=False)
    assert staff.get("/demo/slack/").status_code == 404
    assert staff.post("/demo/slack/sales/", MESSAGE, "application/json").status_code == 404
    assert not SlackMessage.objects.exists()


def test_who_is_not_staff_is_sent_to_the_login(client, django_user_model):
    login = "/admin/login/?next=/demo/slack/"
    assert client.get("/demo/slack/").headers["Location"] == login
    client.force_login(django_user_model.objects.create_user("ada"))
    assert client.get("/demo/slack/").headers["Location"] == login


def test_an_empty_page_says_what_to_do(staff):
    page = page_of(staff)
    assert "Nothing has arrived yet." in page
    assert "such as a new contact from the shop" in page
    assert "http://testserver/demo/slack/any-name/" in page
    assert "<article" not in page


def test_a_message_is_drawn_from_its_blocks_with_what_was_sent_folded(post, staff):
    post("sales")
    page = page_of(staff)
    assert "1 message, newest" in page
    (drawn,) = re.findall(r'<div class="blocks">(.*?)</div>', page, re.DOTALL)
    assert "".join(drawn.split("\n")).replace("  ", "") == (
        "<h3>Order 1001 &lt;completed&gt;</h3>"
        '<p class="text"><a href="https://shop.example.com/1" rel="noreferrer">Open the order</a></p>'
    )
    (folded,) = re.findall(r"<details .*?</details>", page, re.DOTALL)
    assert " open" not in folded.partition(">")[0]
    assert "&quot;type&quot;: &quot;header&quot;" in folded


def test_the_page_loads_its_own_files_alone_refreshes_and_can_be_paused(post, staff):
    post("sales", {"text": "<script>alert(1)</script> <https://evil.example/?\"'onclick=1|x\"'>"})
    answer = staff.get("/demo/slack/")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    page = answer.content.decode()
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL) == [""]
    assert '<a href="https://evil.example/?&quot;&#x27;onclick=1" rel="noreferrer">x&quot;&#x27;</a>' in page
    assert "refresh.js" not in page_of(staff, "?paused=1")


def page_of(staff: Client, query: str = "") -> str:
    answer = staff.get(f"/demo/slack/{query}")
    assert answer.status_code == 200
    return answer.content.decode()
