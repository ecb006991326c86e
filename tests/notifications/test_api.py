"""The calls of an administrator's script, over HTTP with a key."""

import json
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from api.keys import create_key
from channels_app.models import Channel
from channels_app.services import create_channel, pause_channel
from notifications.events import EVENT_TYPES
from notifications.models import Delivery, Event, EventChannel, EventTypeSwitch, ReplayJob
from tests.calling import Caller
from tests.notifications.deliveries import make_delivery
from tests.orders.shop import item, pay, place

pytestmark = pytest.mark.django_db


@pytest.fixture
def call(db: None) -> Caller:
    return Caller(create_key(name="Script", scopes=["manage"])[1])


def parsed(answer: HttpResponse, status: int = 200) -> Any:
    assert answer.status_code == status, answer.content
    return json.loads(answer.content) if answer.content else None


def refused(answer: HttpResponse, status: int = 422) -> list[str]:
    """The fields that a refusal names."""
    problem = parsed(answer, status)
    assert answer["Content-Type"] == "application/problem+json"
    assert problem["status"] == status
    return [error["field"] for error in problem.get("errors", [])]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/event-types"),
        ("GET", "/channels"),
        ("POST", "/channels"),
        ("GET", "/events"),
        ("GET", "/deliveries"),
        ("POST", "/deliveries/dlv_x/retry"),
    ],
)
def test_a_storefront_key_may_not_manage(db, method, path):
    shop = Caller(create_key(name="Shop", scopes=["storefront"])[1])
    assert refused(shop(method, path, {}), 403) == []
    assert Channel.objects.count() == 0


class TestEventTypes:
    def test_the_ten_are_listed_in_order_and_off_in_an_empty_database(self, call):
        answer = parsed(call("GET", "/event-types"))
        assert [row["key"] for row in answer["results"]] == list(EVENT_TYPES)
        assert {row["enabled"] for row in answer["results"]} == {False}
        assert answer["next"] is None
        assert answer["results"][7] == {
            "key": "customer.created",
            "label": "Customer created",
            "description": "A lead makes their first successful purchase.",
            "enabled": False,
            "kinds": ["postback"],
            "manual_retry": False,
            "changed_by": None,
            "changed_at": None,
        }

    def test_one_is_turned_on_and_off_and_says_by_whom(self, call):
        answer = parsed(call("PATCH", "/event-types/refund.applied", {"enabled": True}))
        assert (answer["enabled"], answer["changed_by"]) == (True, "API key Script")
        assert answer["changed_at"].endswith("Z")
        assert parsed(call("PATCH", "/event-types/refund.applied", {"enabled": False}))["enabled"] is False

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "enabled"),
            ({"enabled": "off"}, "enabled"),
            ({"enabled": 1}, "enabled"),
            ({"enabled": True, "on": 1}, "on"),
        ],
    )
    def test_bad_input_changes_nothing(self, call, body, field):
        assert field in refused(call("PATCH", "/event-types/refund.applied", body))
        assert EventTypeSwitch.objects.count() == 0

    def test_an_unknown_one_is_not_found(self, call):
        assert refused(call("PATCH", "/event-types/moon.landed", {"enabled": True}), 404) == []


class TestChannels:
    def test_a_postback_is_created_and_its_secret_is_shown_this_once(self, call):
        made = parsed(
            call(
                "POST",
                "/channels",
                {"name": " Warehouse ", "kind": "postback", "url": "https://example.com/h", "headers": {"X-A": "b"}},
            ),
            201,
        )
        secret = made.pop("secret")
        channel = Channel.objects.get()
        assert secret == channel.secret
        assert secret.startswith("whsec_")
        assert made == {
            "id": channel.pk,
            "name": "Warehouse",
            "kind": "postback",
            "status": "active",
            "pause_reason": None,
            "url": "https://example.com/h",
            "headers": {"X-A": "b"},
            "recipients": [],
            "url_is_secret": False,
            "settings": {},
            "created_at": made["created_at"],
        }
        assert parsed(call("GET", f"/channels/{channel.pk}")) == made
        listed = {**made, "headers": {"X-A": "********"}}
        assert parsed(call("GET", "/channels")) == {"results": [listed], "next": None}
        stored = str(Channel.objects.values().get())
        assert secret not in stored
        assert "X-A" not in stored

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"name": ""}, "name"),
            ({"name": "x" * 101}, "name"),
            ({"name": None}, "name"),
            ({"name": "two\nlines"}, "name"),
            ({"name": "nul\x00"}, "name"),
            ({"kind": "pigeon"}, "kind"),
            ({"url": None}, "url"),
            ({"url": "ftp://example.com/"}, "url"),
            ({"url": "https://user:pw@example.com/"}, "url"),
            ({"url": "https://" + "x" * 2000}, "url"),
            ({"headers": {"Host": "x"}}, "headers"),
            ({"headers": {"webhook-id": "x"}}, "headers"),
            ({"headers": {f"X-{n}": "x" for n in range(21)}}, "headers"),
            ({"headers": {"X-A": "x" * 1025}}, "headers"),
            ({"headers": {"X-A": 5}}, "headers.X-A"),
            ({"recipients": ["ada@example.com"]}, "recipients"),
            ({"colour": "red"}, "colour"),
        ],
    )
    def test_bad_input_names_its_field_and_creates_nothing(self, call, change, field):
        body = {"name": "Warehouse", "kind": "postback", "url": "https://example.com/", **change}
        assert refused(call("POST", "/channels", body)) == [field]
        assert Channel.objects.count() == 0

    def test_an_email_channel_has_recipients_and_no_secret(self, call):
        recipients = [" ada@example.com", "Bob@Example.com", "ADA@example.com", "eve@bücher.example"]
        made = parsed(call("POST", "/channels", {"name": "Office", "kind": "email", "recipients": recipients}), 201)
        channel = Channel.objects.get()
        assert made.pop("secret") is None
        assert made == {
            "id": channel.pk,
            "name": "Office",
            "kind": "email",
            "status": "active",
            "pause_reason": None,
            "url": "",
            "headers": {},
            "recipients": ["ada@example.com", "Bob@Example.com", "eve@xn--bcher-kva.example"],
            "url_is_secret": False,
            "settings": {},
            "created_at": made["created_at"],
        }
        assert parsed(call("GET", f"/channels/{channel.pk}")) == made
        assert parsed(call("GET", "/channels")) == {"results": [made], "next": None}
        changed = parsed(call("PATCH", f"/channels/{channel.pk}", {"recipients": ["eve@example.com"]}))
        assert changed == {**made, "recipients": ["eve@example.com"]}

    def test_the_url_of_a_slack_channel_is_a_secret(self, call):
        url = "https://hooks.slack.com/services/T024BE7LD/B0CF2D3/recognisable"
        made = parsed(call("POST", "/channels", {"name": "Sales", "kind": "slack", "url": url}), 201)
        channel = Channel.objects.get()
        assert made.pop("secret") is None
        assert (made["url"], made["recipients"], made["headers"]) == ("https://hooks.slack.com/********", [], {})
        assert channel.whole_url == url
        assert parsed(call("GET", f"/channels/{channel.pk}")) == made
        assert parsed(call("GET", "/channels")) == {"results": [made], "next": None}
        assert parsed(call("PATCH", f"/channels/{channel.pk}", {"name": "Shop"})) == {**made, "name": "Shop"}
        assert Channel.objects.get().whole_url == url
        # What was read masked is not written back.
        assert refused(call("PATCH", f"/channels/{channel.pk}", {"url": made["url"]})) == ["url"]
        assert Channel.objects.get().whole_url == url
        moved = parsed(call("PATCH", f"/channels/{channel.pk}", {"url": f"{url}-2"}))
        assert moved["url"] == "https://hooks.slack.com/********"
        assert Channel.objects.get().whole_url == f"{url}-2"

    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            ({"kind": "email"}, ["recipients"]),
            ({"kind": "email", "recipients": []}, ["recipients"]),
            (
                {"kind": "email", "recipients": ["ada@example.com", "bob", "e\nve@example.com"]},
                ["recipients[1]", "recipients[2]"],
            ),
            ({"kind": "email", "recipients": [f"n{n}@example.com" for n in range(51)]}, ["recipients"]),
            ({"kind": "email", "recipients": ["ada@example.com"], "url": "https://example.com/"}, ["url"]),
            ({"kind": "email", "recipients": ["ada@example.com"], "headers": {"X-A": "b"}}, ["headers"]),
            ({"kind": "slack"}, ["url"]),
            ({"kind": "slack", "url": "hooks.slack.com/services"}, ["url"]),
            ({"kind": "slack", "url": "https://example.com/", "headers": {"X-A": "b"}}, ["headers"]),
            ({"kind": "slack", "url": "https://example.com/", "recipients": ["ada@example.com"]}, ["recipients"]),
        ],
    )
    def test_each_kind_asks_for_what_it_needs_and_refuses_the_rest(self, call, body, fields):
        assert refused(call("POST", "/channels", {"name": "Warehouse", **body})) == fields
        assert Channel.objects.count() == 0

    @pytest.mark.parametrize("given", [{"headers": {}}, {"headers": {}, "url": ""}])
    def test_giving_nothing_of_what_a_kind_does_not_take_is_no_fault(self, call, given):
        body = {"name": "Office", "kind": "email", "recipients": ["ada@example.com"], **given}
        assert parsed(call("POST", "/channels", body), 201)["kind"] == "email"

    def test_only_a_kind_that_signs_has_a_secret_to_rotate(self, call):
        channel = create_channel(name="Office", kind="email", recipients=["ada@example.com"])
        detail = parsed(call("POST", f"/channels/{channel.pk}/rotate-secret", {"expire_old": "now"}), 409)["detail"]
        assert detail == "E-mail channels have no signing secret."
        channel.refresh_from_db()
        assert channel.encrypted_secret == ""

    def test_a_change_touches_what_is_given(self, call, channel):
        secret = channel.secret
        answer = parsed(call("PATCH", f"/channels/{channel.pk}", {"headers": {"X-Token": "t"}}))
        assert (answer["name"], answer["url"], answer["headers"]) == ("Warehouse", channel.url, {"X-Token": "t"})
        assert "secret" not in answer
        answer = parsed(call("PATCH", f"/channels/{channel.pk}", {"name": "Depot", "url": "https://example.com/n"}))
        assert (answer["name"], answer["url"], answer["headers"]) == (
            "Depot",
            "https://example.com/n",
            {"X-Token": "t"},
        )
        channel.refresh_from_db()
        assert channel.secret == secret

    @pytest.mark.parametrize(
        ("change", "field"), [({"kind": "email"}, "kind"), ({"url": ""}, "url"), ({"name": ""}, "name")]
    )
    def test_a_bad_change_changes_nothing(self, call, channel, change, field):
        before = Channel.objects.values().get()
        assert refused(call("PATCH", f"/channels/{channel.pk}", change)) == [field]
        assert Channel.objects.values().get() == before

    def test_pause_and_resume(self, call, channel):
        answer = parsed(call("POST", f"/channels/{channel.pk}/pause"))
        assert (answer["status"], answer["pause_reason"]) == ("paused", "Paused through the API.")
        answer = parsed(call("POST", f"/channels/{channel.pk}/resume"))
        assert (answer["status"], answer["pause_reason"]) == ("active", None)

    @pytest.mark.parametrize(("body", "status"), [(b"{", 400), ({"a": 1}, 422), ([], 422)])
    def test_pausing_takes_no_members(self, call, channel, body, status):
        refused(call("POST", f"/channels/{channel.pk}/pause", body), status)
        channel.refresh_from_db()
        assert channel.status == "active"

    def test_a_deleted_one_is_gone_from_the_api_and_kept_for_the_log(self, call, channel, attach):
        attach(channel, "refund.applied")
        assert parsed(call("DELETE", f"/channels/{channel.pk}"), 204) is None
        assert refused(call("GET", f"/channels/{channel.pk}"), 404) == []
        assert refused(call("DELETE", f"/channels/{channel.pk}"), 404) == []
        assert refused(call("POST", f"/channels/{channel.pk}/pause"), 404) == []
        assert parsed(call("GET", "/channels"))["results"] == []
        assert Channel.objects.get().name == "Warehouse"
        assert EventChannel.objects.count() == 0


class TestAttaching:
    def test_attach_list_change_detach(self, call, channel):
        path = "/event-types/refund.applied/channels"
        everything = {"channel": channel.pk, "sources": ["admin", "shop", "funnel"]}
        assert parsed(call("POST", path, {"channel": channel.pk}), 201) == everything
        assert parsed(call("GET", path)) == {"results": [everything], "next": None}
        changed = parsed(call("PATCH", f"{path}/{channel.pk}", {"sources": ["funnel", "shop"]}))
        assert changed == {"channel": channel.pk, "sources": ["shop", "funnel"]}
        assert parsed(call("DELETE", f"{path}/{channel.pk}"), 204) is None
        assert parsed(call("GET", path))["results"] == []
        assert refused(call("DELETE", f"{path}/{channel.pk}"), 404) == []
        assert refused(call("PATCH", f"{path}/{channel.pk}", {"sources": ["shop"]}), 404) == []

    def test_twice_is_a_conflict(self, call, channel, attach):
        attach(channel, "refund.applied", sources=("shop",))
        assert refused(call("POST", "/event-types/refund.applied/channels", {"channel": channel.pk}), 409) == []
        assert EventChannel.objects.get().sources == ["shop"]

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"channel": "chn_unknown"}, "channel"),
            ({"channel": None}, "channel"),
            ({"sources": []}, "sources"),
            ({"sources": ["shop", "moon"]}, "sources[1]"),
            ({"sources": "shop"}, "sources"),
            ({"source": "shop"}, "source"),
        ],
    )
    def test_bad_input_attaches_nothing(self, call, channel, change, field):
        body = {"channel": channel.pk, "sources": ["shop"], **change}
        assert refused(call("POST", "/event-types/refund.applied/channels", body)) == [field]
        assert EventChannel.objects.count() == 0

    def test_a_postback_only_event_type_refuses_other_kinds_on_the_channel(self, call, channel):
        Channel.objects.update(kind="email")
        answer = call("POST", "/event-types/customer.created/channels", {"channel": channel.pk})
        assert refused(answer) == ["channel"]
        assert EventChannel.objects.count() == 0


class TestReading:
    def test_an_event_tells_its_body_and_its_routing(self, call, channel, attach, lead, mug):
        attach(channel, "order.completed")
        order = place(lead, item("mug"))
        pay(order)
        event, delivery = Event.objects.get(type="order.completed"), Delivery.objects.get()
        answer = parsed(call("GET", f"/events/{event.pk}"))
        assert answer == {
            "id": event.pk,
            "type": "order.completed",
            "source": "shop",
            "created_at": answer["created_at"],
            "order": order.number,
            "body": json.loads(event.body),
            "routing": [{"channel": channel.pk, "outcome": "delivered", "delivery": delivery.pk}],
        }
        assert answer["created_at"] == answer["body"]["timestamp"]

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("", 3),
            ("?event_type=order.completed", 1),
            ("?source=shop", 3),
            ("?source=funnel", 0),
            ("?order={number}", 3),
            ("?order=99999999", 0),
            ("?order={number}&event_type=refund.applied", 0),
        ],
    )
    def test_events_are_filtered(self, call, lead, mug, query, count):
        order = place(lead, item("mug"))
        pay(order)
        assert len(parsed(call("GET", "/events" + query.format(number=order.number)))["results"]) == count

    @pytest.mark.parametrize(
        ("path", "field"),
        [
            ("/events?event_type=moon", "event_type"),
            ("/events?order=nonsense", "order"),
            ("/events?order=", "order"),
            ("/events?order=%D9%A1", "order"),
            ("/deliveries?order=1e3", "order"),
            ("/deliveries?channel=moon", "channel"),
            ("/deliveries?channel=dlv_01kaskf4zze4t9a1t8cdhyjvb5", "channel"),
            ("/deliveries?chanel=chn_01kaskf4zze4t9a1t8cdhyjvb5", "chanel"),
            ("/events?source=moon", "source"),
            ("/deliveries?status=lost", "status"),
            ("/deliveries?event_type=moon", "event_type"),
            ("/deliveries?created_after=yesterday", "created_after"),
            ("/deliveries?created_after=2026-01-01T00:00:00", "created_after"),
            ("/deliveries?created_after=0", "created_after"),
            ("/deliveries?created_after=1700000000", "created_after"),
            ("/deliveries?created_after=0001-01-01T00:00:00%2B23:59", "created_after"),
            ("/deliveries?created_after=2026-13-01T00:00:00Z", "created_after"),
            ("/deliveries?limit=0", "limit"),
            ("/deliveries?limit=201", "limit"),
            ("/events?cursor=nonsense", "cursor"),
        ],
    )
    def test_an_unknown_filter_value_is_refused(self, call, path, field):
        assert refused(call("GET", path)) == [field]

    @pytest.mark.parametrize("path", ["/events/evt_x", "/deliveries/dlv_x", "/channels/chn_x", "/deliveries/%00"])
    def test_an_unknown_id_is_not_found(self, call, path):
        assert refused(call("GET", path), 404) == []

    def test_deliveries_are_filtered_and_held_is_told_from_pending(self, call, channel, receiver):
        pending = make_delivery(channel)
        failed = make_delivery(channel, event_type="refund.applied")
        Delivery.objects.filter(pk=failed.pk).update(
            status="failed", next_attempt_at=None, finished_at=failed.created_at
        )

        def ids(query: str) -> list[str]:
            return [row["id"] for row in parsed(call("GET", f"/deliveries{query}"))["results"]]

        assert ids("") == [failed.pk, pending.pk]
        assert ids("?status=pending") == [pending.pk]
        assert ids("?status=failed") == [failed.pk]
        assert ids("?event_type=refund.applied") == [failed.pk]
        assert ids(f"?channel={channel.pk}") == [failed.pk, pending.pk]
        assert ids("?channel=chn_other") == []
        assert ids("?created_after=2026-01-01T00:00:00Z") == [failed.pk, pending.pk]
        assert ids("?created_after=2999-01-01T00:00:00Z") == []
        pause_channel(channel_id=channel.pk, reason="Maintenance.")
        assert ids("?status=pending") == []
        assert ids("?status=held") == [pending.pk]
        assert parsed(call("GET", f"/deliveries/{pending.pk}"))["status"] == "held"

    def test_a_list_costs_the_same_however_long_it_is(self, call, channel, django_assert_num_queries):
        def ask() -> None:
            parsed(call("GET", "/deliveries"))

        make_delivery(channel)
        ask()  # notes when the key was last used
        with django_assert_num_queries(3):  # key, deliveries, attempts
            ask()
        for _ in range(10):
            make_delivery(channel)
        with django_assert_num_queries(3):
            ask()

    @pytest.mark.django_db(transaction=True)
    def test_a_list_leaves_out_what_was_sent_and_answered(self, call, engine, receiver, channel):
        """Neither in the answer nor read from the database; whoever wants it asks."""
        receiver.answer = lambda request: 404
        delivery = make_delivery(channel)
        engine.deliver_due()
        [whole] = parsed(call("GET", f"/deliveries/{delivery.pk}"))["attempts"]
        assert whole["response_body"] == "ok"
        left_out = {"request_headers", "response_headers", "response_body"}

        def attempts(query: str) -> tuple[list[dict], str]:
            with CaptureQueriesContext(connection) as asked:
                answer = call("GET", f"/deliveries{query}")
            assert len(asked) == 3  # key, deliveries, attempts
            [listed] = parsed(answer)["results"]
            assert listed["attempts_made"] == 1
            return listed["attempts"], " ".join(query["sql"] for query in asked)

        listed, sql = attempts("")
        assert listed == [{name: value for name, value in whole.items() if name not in left_out}]
        assert not [column for column in (*left_out, "facts", "routing", "connection") if f'"{column}"' in sql]
        assert '"notifications_event"."body"' not in sql
        expanded, sql = attempts("?expand=attempts")
        assert expanded == [whole]
        assert '"response_body"' in sql
        assert '"notifications_event"."body"' not in sql
        # The next page is asked for as the first one was.
        make_delivery(channel)
        assert "expand=attempts" in parsed(call("GET", "/deliveries?limit=1&expand=attempts"))["next"]

    @pytest.mark.parametrize("value", ["", "attempts,event", "events", "Attempts"])
    def test_nothing_else_is_expanded(self, call, value):
        assert refused(call("GET", f"/deliveries?expand={value}"), 422) == ["expand"]


class TestRetry:
    @pytest.mark.django_db(transaction=True)
    def test_a_failed_delivery_is_sent_again(self, call, engine, receiver, channel):
        receiver.answer = lambda request: 404
        delivery = make_delivery(channel)
        engine.deliver_due()
        answer = parsed(call("GET", f"/deliveries/{delivery.pk}"))
        assert (answer["status"], answer["retry_allowed"], answer["retry_refused_because"]) == ("failed", True, None)
        receiver.answer = lambda request: 200
        accepted = parsed(call("POST", f"/deliveries/{delivery.pk}/retry"), 202)
        assert (accepted["id"], accepted["status"]) == (delivery.pk, "pending")
        engine.deliver_due()
        answer = parsed(call("GET", f"/deliveries/{delivery.pk}"))
        assert answer["status"] == "succeeded"
        assert answer["attempts_made"] == 2
        assert answer["next_attempt_at"] is None
        attempts = answer.pop("attempts")
        assert [(a["number"], a["trigger"], a["outcome"], a["status_code"]) for a in attempts] == [
            (1, "first", "http_error", 404),
            (2, "manual", "succeeded", 200),
        ]
        assert list(attempts[1]) == [
            "id",
            "number",
            "trigger",
            "outcome",
            "url",
            "status_code",
            "request_headers",
            "response_headers",
            "response_body",
            "started_at",
            "duration_ms",
            "error",
        ]
        assert attempts[1]["response_body"] == "ok"
        assert attempts[1]["request_headers"]["webhook-id"] == delivery.event_id

    def test_a_refusal_says_why(self, call, channel):
        delivery = make_delivery(channel)
        answer = call("POST", f"/deliveries/{delivery.pk}/retry")
        assert parsed(answer, 409)["detail"] == "It is waiting to be sent."
        assert Delivery.objects.get().next_trigger == "first"

    def test_an_unknown_delivery_is_not_found(self, call):
        assert refused(call("POST", "/deliveries/dlv_x/retry"), 404) == []


class TestSecrets:
    @pytest.mark.django_db(transaction=True)
    def test_for_a_day_both_secrets_sign(self, call, engine, receiver, channel):
        old = channel.secret
        answer = parsed(call("POST", f"/channels/{channel.pk}/rotate-secret", {"expire_old": "24h"}))
        channel.refresh_from_db()
        assert answer["secret"] == channel.secret != old
        make_delivery(channel)
        engine.deliver_due()
        (request,) = receiver.received
        assert len(request.headers["webhook-signature"].split()) == 2
        for secret in (old, channel.secret):
            Webhook(secret).verify(request.body, request.headers)

    @pytest.mark.django_db(transaction=True)
    def test_after_a_leak_the_old_one_signs_no_more(self, call, engine, receiver, channel):
        old = channel.secret
        answer = parsed(call("POST", f"/channels/{channel.pk}/rotate-secret", {"expire_old": "now"}))
        make_delivery(channel)
        engine.deliver_due()
        (request,) = receiver.received
        assert len(request.headers["webhook-signature"].split()) == 1
        Webhook(answer["secret"]).verify(request.body, request.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(old).verify(request.body, request.headers)

    @pytest.mark.django_db(transaction=True)
    def test_after_a_day_the_old_one_signs_no_more(self, call, engine, receiver, channel):
        parsed(call("POST", f"/channels/{channel.pk}/rotate-secret", {"expire_old": "24h"}))
        Channel.objects.update(previous_secret_until=timezone.now())
        make_delivery(channel)
        engine.deliver_due()
        assert len(receiver.received[0].headers["webhook-signature"].split()) == 1

    @pytest.mark.parametrize("body", [{}, {"expire_old": "soon"}, {"expire_old": None}])
    def test_bad_input_keeps_the_secret(self, call, channel, body):
        secret = channel.secret
        assert refused(call("POST", f"/channels/{channel.pk}/rotate-secret", body)) == ["expire_old"]
        channel.refresh_from_db()
        assert channel.secret == secret


class TestTestSends:
    @pytest.mark.parametrize("body", [b"", {}, {"event_type": "order.completed"}])
    def test_one_is_accepted_with_its_delivery(self, call, channel, body):
        answer = parsed(call("POST", f"/channels/{channel.pk}/test", body), 202)
        assert answer["event"].startswith("evt_test_")
        assert (answer["event_type"], answer["status"], answer["order"]) == ("order.completed", "pending", None)
        assert answer["retry_allowed"] is False
        event = parsed(call("GET", f"/events/{answer['event']}"))
        assert parsed(call("GET", "/events"))["results"] == []  # it is no occurrence, and found by its id alone
        assert event["body"]["type"] == "order.completed"

    @pytest.mark.parametrize(
        ("body", "field"), [({"event_type": "moon.landed"}, "event_type"), ({"kind": "x"}, "kind")]
    )
    def test_bad_input_sends_nothing(self, call, channel, body, field):
        assert refused(call("POST", f"/channels/{channel.pk}/test", body)) == [field]
        assert Delivery.objects.count() == 0

    def test_an_unknown_channel_is_not_found(self, call):
        assert refused(call("POST", "/channels/chn_x/test"), 404) == []


class TestReplays:
    def test_a_dry_run_and_the_real_thing(self, call, channel):
        delivery = make_delivery(channel)
        Delivery.objects.filter(pk=delivery.pk).update(
            status="failed", next_attempt_at=None, finished_at=timezone.now()
        )
        body = {"since": "2026-01-01T00:00:00Z", "event_types": ["order.completed"]}
        answer = parsed(call("POST", f"/channels/{channel.pk}/replay", {**body, "dry_run": True}), 202)
        assert (answer["count"], answer["status"], answer["dry_run"]) == (1, "finished", True)
        answer = parsed(call("POST", f"/channels/{channel.pk}/replay", body), 202)
        assert answer == {
            "id": answer["id"],
            "channel": channel.pk,
            "since": "2026-01-01T00:00:00.000000Z",
            "event_types": ["order.completed"],
            "dry_run": False,
            "status": "running",
            "count": 1,
            "replayed": 0,
            "created_at": answer["created_at"],
            "finished_at": None,
        }
        assert refused(call("POST", f"/channels/{channel.pk}/replay", body), 409) == []

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"since": None}, "since"),
            ({"since": "yesterday"}, "since"),
            ({"since": "2026-01-01T00:00:00"}, "since"),
            ({"event_types": ["moon.landed"]}, "event_types[0]"),
            ({"dry_run": "perhaps"}, "dry_run"),
            ({"until": "2026-01-01T00:00:00Z"}, "until"),
        ],
    )
    def test_bad_input_starts_nothing(self, call, channel, change, field):
        body = {"since": "2026-01-01T00:00:00Z", **change}
        assert refused(call("POST", f"/channels/{channel.pk}/replay", body)) == [field]
        assert ReplayJob.objects.count() == 0


def test_a_channel_whose_key_is_lost_is_still_listed(call, channel):
    Channel.objects.update(encrypted_headers="written-with-a-key-that-is-gone")
    assert parsed(call("GET", f"/channels/{channel.pk}"))["headers"] is None
