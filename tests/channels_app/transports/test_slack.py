"""The Slack channel against servers in the shape of Slack and of Mattermost, and against others."""

import json
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest
import trustme
from django.test import override_settings

from channels_app.services import create_channel
from channels_app.transports import Answer, Destination, Message, Notice, Outcome, Section
from channels_app.transports.http.client import Client
from channels_app.transports.secret_urls import secrets_of
from channels_app.transports.slack.blocks import payload
from channels_app.transports.slack.refusals import FAULTS, REFUSALS, explained
from channels_app.transports.slack.transport import SlackTransport
from notifications.events import EVENT_TYPES
from notifications.events.bodies import sample_body
from notifications.notices import notice_of
from tests.channels_app.transports.sending import NOW
from tests.servers.hostile import HostileServer, answers, head, sends, server_context
from tests.servers.slackserver import SECRET, MattermostServer, Says, SlackServer, mattermost_error

NOTICE = Notice(type="x", title="Order 1001 completed", sections=(Section("Order", (("Number", "1001"),)),))
MESSAGE = Message("evt_1", b"{}", notice=lambda: NOTICE)


def send(url: str, *, message: Message = MESSAGE, timeout: float = 10.0) -> Answer:
    """By a client of its own. Whatever comes of it, the secret part of the URL is not in the answer."""
    answer = SlackTransport(Client()).send(Destination("slack", url), message, now=NOW, timeout=timeout)
    assert SECRET.lower() not in repr(answer).lower()
    return answer


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with SlackServer() as server:
        yield server


@pytest.fixture
def mattermost() -> Iterator[MattermostServer]:
    with MattermostServer() as server:
        yield server


class TestSending:
    def test_a_message_is_one_post_of_json(self, slack: SlackServer) -> None:
        answer = send(slack.url)

        [(path, headers, body)] = slack.requests
        assert path == slack.path
        assert headers["content-type"] == "application/json; charset=utf-8"
        assert headers["user-agent"].startswith("Tidings/")
        assert json.loads(body) == payload(NOTICE) == slack.taken[0]
        assert (answer.outcome, answer.status_code, answer.error, answer.retry) == (Outcome.SUCCEEDED, 200, "", None)
        assert answer.response_body == "ok"

    def test_words_are_sent_as_they_are_and_not_as_escapes(self, slack: SlackServer) -> None:
        send(slack.url, message=replace(MESSAGE, notice=lambda: replace(NOTICE, title="Zoë kauft 😀")))
        assert "Zoë kauft 😀".encode() in slack.requests[0][2]

    def test_mattermost_takes_the_same(self, mattermost: MattermostServer) -> None:
        assert send(mattermost.url).outcome == Outcome.SUCCEEDED
        assert mattermost.taken == [payload(NOTICE)]

    def test_tls_is_spoken_where_the_url_says_so(self, ca: trustme.CA) -> None:
        with HostileServer(answers(200, b"ok"), tls=server_context(ca, "127.0.0.1")) as server:
            assert send(server.url).outcome == Outcome.SUCCEEDED
        assert len(server.requests) == 1

    @pytest.mark.parametrize("key", EVENT_TYPES)
    def test_a_notice_of_each_event_type_is_taken_by_both(
        self, key: str, slack: SlackServer, mattermost: MattermostServer
    ) -> None:
        body = sample_body(EVENT_TYPES[key], event_id="evt_01jd")
        message = Message("evt_01jd", body.encode(), notice=lambda: notice_of(body, order_id=1, contact_id="con_1"))
        with override_settings(PUBLIC_URL="https://office.example.com"):
            assert send(slack.url, message=message).outcome == Outcome.SUCCEEDED
            assert send(mattermost.url, message=message).outcome == Outcome.SUCCEEDED
        assert slack.taken == mattermost.taken
        assert slack.taken[0]["text"].startswith(f"{notice_of(body).title}\n")
        assert "/admin/orders/order/1/change/|" in slack.taken[0]["text"]

    def test_a_message_without_words_is_a_fault_of_ours(self, slack: SlackServer) -> None:
        with pytest.raises(ValueError, match="no words"):
            send(slack.url, message=Message("evt_1", b"{}"))
        assert slack.requests == []

    @pytest.mark.django_db
    @pytest.mark.parametrize("url", ["https://hooks.slack.com/services/T0/B0/x", "http://chat.internal:8065/hooks/x"])
    def test_both_schemes_can_be_saved(self, url: str) -> None:
        assert create_channel(name="Sales", kind="slack", url=url).whole_url == url


class TestSecret:
    """That no answer tells the URL is asserted in `send`."""

    @pytest.mark.parametrize(
        "says",
        [
            pytest.param(lambda path: Says(403, f"no {path}", {"X-Path": path}), id="path"),
            pytest.param(lambda path: Says(404, f"no http://127.0.0.1{path}?a=b"), id="URL"),
            pytest.param(lambda path: Says(400, f"bad token {path.split('/')[-1]}"), id="token"),
            pytest.param(lambda path: Says(400, json.dumps({"error": path}).replace("/", "\\/")), id="JSON"),
            pytest.param(lambda path: Says(302, "", {"Location": f"https://elsewhere.example{path}"}), id="redirect"),
            pytest.param(lambda path: Says(410, path), id="gone"),
            pytest.param(lambda path: Says(429, path, {"Retry-After": path}), id="too many"),
            pytest.param(lambda path: Says(200, "x" * 900 + path[:-3]), id="cut off"),
        ],
    )
    @pytest.mark.parametrize("shape", [SlackServer, MattermostServer])
    def test_a_receiver_that_sends_it_back_does_not_bring_it_into_the_answer(
        self, shape: Any, says: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        with shape() as server:
            server.will_say(says(server.path))
            answer = send(server.url)
        assert answer.url == f"{server.url.removesuffix(server.path)}/********"
        assert "********" in f"{answer.response_body} {answer.response_headers}"
        assert SECRET.lower() not in caplog.text.lower()

    def test_of_a_url_with_a_query_nothing_is_told_either(self) -> None:
        url = "https://a.example/flows/run?sig=se%2Bcret%3D%3D0&v=1"
        assert secrets_of(url)[:12] == [
            *(url, "/flows/run?sig=se%2Bcret%3D%3D0&v=1", "/flows/run", "run", "se%2Bcret%3D%3D0", "1"),
            "https://a.example/flows/run?sig=se+cret==0&v=1",
            *("/flows/run?sig=se+cret==0&v=1", "/flows/run", "run", "se+cret==0", "1"),
        ]
        echo = b"sig se%2Bcret%3D%3D0, se+cret==0 of /flows/run?sig=se%2Bcret%3D%3D0&v=1"
        with HostileServer(answers(400, echo)) as server:
            answer = send(server.url.replace("/hook", url.removeprefix("https://a.example")))
        assert answer.response_body == "sig ********, ******** of ********"

    def test_a_key_in_the_middle_of_the_path_is_not_told_nor_what_stands_for_the_url_elsewhere(self) -> None:
        path = "/api/webhooks/123456789012345678/AbCdEfGhIjKlMnOpQrSt/slack"
        echo = b"no AbCdEfGhIjKlMnOpQrSt of 123456789012345678, see ?next=%2Fapi%2Fwebhooks%2F123456789012345678"
        with HostileServer(answers(404, echo)) as server:
            answer = send(server.url.replace("/hook", path))
        assert answer.response_body == "no ******** of ********, see ?next=%2Fapi%2Fwebhooks%2F********"
        assert "AbCdEfGh" not in answer.error

    @pytest.mark.parametrize(
        ("url", "outcome"),
        [
            (f"http://10.0.0.5/services/T/B/{SECRET}", Outcome.BLOCKED),
            (f"http://nowhere.invalid/services/T/B/{SECRET}", Outcome.CONNECTION_ERROR),
            (f"http://127.0.0.1:1/services/T/B/{SECRET}", Outcome.CONNECTION_ERROR),
        ],
    )
    def test_nor_does_a_connection_that_never_was(self, url: str, outcome: Outcome) -> None:
        def resolve(host: str, port: int, limit: float) -> list[str]:
            return [] if host.endswith(".invalid") else [host]

        transport = SlackTransport(Client(resolve=resolve))
        answer = transport.send(Destination("slack", url), MESSAGE, now=NOW, timeout=10)
        assert (answer.outcome, answer.retry) == (outcome, None)
        assert answer.error
        assert answer.url == url.replace(f"services/T/B/{SECRET}", "********")
        assert SECRET not in repr(answer)

    @pytest.mark.parametrize(
        "url",
        [
            f"https://{SECRET}@hooks.slack.com/services/T/B/x",
            f"https://[{SECRET}/x",
            f"https://hooks.slack.com:{SECRET}/x",
            f"https://-{SECRET}-/x",
            f"ftp://hooks.slack.com/{SECRET}",
            f"https:\\\\hooks.slack.com\\{SECRET}",
            SECRET,
            "",
        ],
    )
    def test_a_url_that_cannot_be_called_is_not_told_even_in_part(self, url: str) -> None:
        answer = send(url)
        assert (answer.outcome, answer.url) == (Outcome.BLOCKED, "********")
        assert answer.error == "The URL cannot be called. Change that of this channel."

    def test_the_client_hides_it_in_sentences_too(self) -> None:
        answer = Client().post("https://recognisable-/x", b"", {}, now=NOW, timeout=1, hidden=["recognisable-"])
        assert (answer.outcome, answer.error) == (Outcome.BLOCKED, "******** is not a valid host name.")


NEW = "reate a new webhook and change the URL of this channel"
OURS = "This is a fault of Tidings, not of the channel: tell whoever operates it"


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "word", "sentence"),
        [
            (403, "invalid_token", f"Slack does not know the token in the URL. C{NEW} (invalid_token)."),
            (
                403,
                "action_prohibited",
                "The Slack workspace does not let this webhook post. Ask its administrators to allow it "
                "(action_prohibited).",
            ),
            (403, "team_disabled", f"The Slack workspace is no longer active. C{NEW} (team_disabled)."),
            (404, "no_service", f"The incoming webhook was removed or disabled in Slack. C{NEW} (no_service)."),
            (
                404,
                "no_service_id",
                "The URL is not that of an incoming webhook. Copy it from Slack anew (no_service_id).",
            ),
            (404, "no_team", "The URL names no Slack workspace. Copy it from Slack anew (no_team)."),
            (
                404,
                "channel_not_found",
                f"The webhook posts to a Slack channel that does not exist any more. C{NEW} (channel_not_found).",
            ),
            (
                400,
                "user_not_found",
                f"The webhook posts to a person whom Slack does not know any more. C{NEW} (user_not_found).",
            ),
            (400, "invalid_payload", f"Slack does not understand the message. {OURS} (invalid_payload)."),
            (400, "no_text", f"Slack does not understand the message. {OURS} (no_text)."),
            (400, "invalid_blocks", f"Slack does not understand the message. {OURS} (invalid_blocks)."),
        ],
    )
    def test_what_slack_refuses_for_good_says_what_to_do(
        self, slack: SlackServer, status: int, word: str, sentence: str
    ) -> None:
        slack.will_say(Says(status, word))
        answer = send(slack.url)
        assert (answer.outcome, answer.status_code, answer.retry) == (Outcome.HTTP_ERROR, status, False)
        assert answer.error == sentence

    def test_an_archived_channel_is_gone(self, slack: SlackServer) -> None:
        slack.will_say(Says(410, "channel_is_archived"))
        answer = send(slack.url)
        assert (answer.outcome, answer.retry) == (Outcome.GONE, False)
        assert answer.error == (
            f"The webhook posts to an archived Slack channel. Unarchive it, or c{NEW}; then resume this channel "
            "(channel_is_archived)."
        )

    def test_the_servers_own_refusals_are_among_them(self, slack: SlackServer) -> None:
        wrong = [slack.url + "x", slack.url.replace("B0", "B1"), slack.url.replace("T0", "T1")]
        assert [send(url).error.rpartition(" ")[2] for url in wrong] == [
            "(invalid_token).",
            "(no_service).",
            "(no_team).",
        ]

    @pytest.mark.parametrize(
        ("says", "sentence"),
        [
            (
                mattermost_error(400, "web.incoming_webhook.invalid.app_error", "Invalid webhook."),
                f"The incoming webhook was deleted in Mattermost. C{NEW} (web.incoming_webhook.invalid.app_error).",
            ),
            (
                mattermost_error(404, "api.context.404.app_error", "Sorry, we could not find the page."),
                "The URL leads to no incoming webhook: it was deleted, or the URL is not whole. Copy the URL anew, "
                f"or c{NEW} (Sorry, we could not find the page).",
            ),
            (
                mattermost_error(400, "web.incoming_webhook.text.app_error", "No text specified."),
                f"Mattermost does not understand the message. {OURS} (web.incoming_webhook.text.app_error).",
            ),
            (
                mattermost_error(403, "web.incoming_webhook.permissions.app_error", "No permission."),
                "Whoever created the webhook may not post to its Mattermost channel. Let them, "
                f"or c{NEW} (web.incoming_webhook.permissions.app_error).",
            ),
            (
                Says(404, "<!DOCTYPE html><title>Not here</title>"),
                "The URL leads to no incoming webhook: it was deleted, or the URL is not whole. Copy the URL anew, "
                f"or c{NEW}.",
            ),
        ],
    )
    def test_so_does_what_mattermost_and_others_refuse_for_good(
        self, mattermost: MattermostServer, says: Says, sentence: str
    ) -> None:
        mattermost.will_say(says)
        answer = send(mattermost.url)
        assert (answer.outcome, answer.status_code, answer.retry) == (Outcome.HTTP_ERROR, says.status, False)
        assert answer.error == sentence

    def test_a_deleted_webhook_of_mattermost_is_told_as_such(self, mattermost: MattermostServer) -> None:
        assert send(mattermost.url + "x").error.startswith("The incoming webhook was deleted in Mattermost. ")

    @pytest.mark.parametrize(
        ("status", "body", "sentence"),
        [
            (500, "rollup_error", "Slack had a fault of its own (rollup_error)."),
            (503, "no_service", "The receiver answered 503 Service Unavailable."),
            (429, "rate_limited", "The receiver answered 429 Too Many Requests."),
            (408, "invalid_payload", "The receiver answered 408 Request Timeout."),
            (
                501,
                '{"id": "web.incoming_webhook.disabled.app_error"}',
                "Mattermost takes no incoming webhooks. Ask its administrators to do so "
                "(web.incoming_webhook.disabled.app_error).",
            ),
            (418, "", "The receiver answered 418 I'm a Teapot."),
            (418, "short and stout", "The receiver answered 418 I'm a Teapot (short and stout)."),
            (418, "two\r\nlines\0 of\x1b[31m it", "The receiver answered 418 I'm a Teapot (two lines� of [31m it)."),
            (418, "long " * 100, f"The receiver answered 418 I'm a Teapot ({('long ' * 20)[:99].rstrip()}…)."),
            (418, "<html>", "The receiver answered 418 I'm a Teapot."),
            (418, '["list"]', "The receiver answered 418 I'm a Teapot."),
            (418, "[" * 9000, "The receiver answered 418 I'm a Teapot."),
            (418, '{"error": "odd", "ok": false}', "The receiver answered 418 I'm a Teapot (odd)."),
            (418, '{"id": 5, "message": ["no"]}', "The receiver answered 418 I'm a Teapot."),
            (418, "\u200b\u202e", "The receiver answered 418 I'm a Teapot."),
            (410, "", "The receiver answered 410 Gone: it wants no more messages."),
            (302, "no_service", "The receiver answered 302 Found; redirects are not followed."),
        ],
    )
    def test_of_all_else_the_settings_say_whether_it_is_tried_again(
        self, slack: SlackServer, status: int, body: str, sentence: str
    ) -> None:
        slack.will_say(Says(status, body, {"Location": slack.url} if status == 302 else {}))
        answer = send(slack.url)
        assert (answer.status_code, answer.retry, answer.error) == (status, None, sentence)
        assert len(slack.requests) == 1

    def test_how_long_to_wait_is_kept(self, slack: SlackServer) -> None:
        slack.will_say(Says(429, "rate_limited", {"Retry-After": "30"}))
        assert send(slack.url).retry_after == 30.0

    def test_every_sentence_is_one_that_the_log_and_the_reason_of_a_pause_can_hold(self) -> None:
        for word in REFUSALS | FAULTS:
            answer = explained(
                Answer(Outcome.HTTP_ERROR, status_code=500 if word in FAULTS else 400, response_body=word)
            )
            assert answer.error.endswith(f" ({word}).")
            assert answer.error[0].isupper()
            assert len(answer.error) < 300

    @pytest.mark.parametrize(
        ("behaviour", "outcome"),
        [
            (sends(), Outcome.CONNECTION_ERROR),
            (sends(b"garbage\r\n\r\n"), Outcome.PROTOCOL_ERROR),
            (sends(head(404, "Content-Length: 99") + b"no_service"), Outcome.PROTOCOL_ERROR),
            (sends(head(200, "Content-Length: 99") + b"o"), Outcome.SUCCEEDED),
        ],
    )
    def test_what_is_no_whole_answer_is_told_as_it_is_of_every_kind(self, behaviour: Any, outcome: Outcome) -> None:
        server: AbstractContextManager[HostileServer] = HostileServer(behaviour)
        with server as receiver:
            answer = send(receiver.url)
        assert (answer.outcome, answer.retry) == (outcome, None)
        assert "no_service" not in answer.error
