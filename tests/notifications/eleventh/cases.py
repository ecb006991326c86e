"""What a further event type comes to, with no other file of the product touched.

Run by `tests.notifications.test_an_eleventh_event_type`, in a process of its own: `--ds` names the settings.
"""

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from django.test import Client

from api.keys import create_key
from channels_app.services import create_channel
from notifications import erasure, receivers, services
from notifications.errors import Conflict
from notifications.events import EVENT_TYPES
from notifications.events.bodies import sample_body
from notifications.models import Delivery, Event
from notifications.notices import notice_of
from orders.models import Order
from tests.backoffice.notifications_fixtures import admin, people, text_of, url
from tests.calling import Caller
from tests.channels_app.transports.mailing import mail_goes_to
from tests.notifications.eleventh.praise import PRAISED, praise
from tests.orders.shop import item, place
from tests.servers.mailserver import MailServer
from tests.servers.slackserver import SlackServer
from tests.waiting import wait_until

__all__ = ["admin", "people"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)
KEY = PRAISED.key


@pytest.fixture
def order(lead, mug) -> Order:
    return place(lead, item("mug"))


@pytest.fixture
def call(db: None) -> Caller:
    return Caller(create_key(name="Script", scopes=["manage"])[1])


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/v1/openapi.json").json()
    return found


def test_it_stands_last_in_the_catalogue():
    assert list(EVENT_TYPES)[-1] == KEY
    assert len(EVENT_TYPES) == 11


class TestRouting:
    def test_it_is_recorded_with_its_facts_and_delivered(self, order, channel, attach, receiver, engine):
        attach(channel, KEY)
        praise(order)
        event = Event.objects.get(type=KEY)
        assert (event.source, event.order, event.contact) == ("shop", order, order.contact)
        assert event.facts == {"praise": {"stars": 4, "nickname": "Enchantress"}, "order": order.pk}
        engine.deliver_due()
        (received,) = receiver.received
        assert received.event["type"] == KEY
        assert received.event["data"]["praise"] == {"stars": 4, "nickname": "Enchantress"}
        assert received.event["data"]["order"]["number"] == order.number

    def test_who_is_not_told_is_written_down(self, order, channel, attach):
        attach(channel, KEY, sources=("funnel",))
        praise(order)
        services.set_event_type_enabled(event_type=PRAISED, enabled=False, by="test")
        praise(order)
        outcomes = [event.routing[0]["outcome"] for event in Event.objects.filter(type=KEY).order_by("pk")]
        assert outcomes == ["source_not_chosen", "event_disabled"]
        assert not Delivery.objects.exists()

    def test_a_postback_only_one_refuses_other_kinds(self, monkeypatch, db):
        monkeypatch.setitem(EVENT_TYPES, KEY, replace(PRAISED, postback_only=True))
        readers = create_channel(name="Readers", kind="email", recipients=["ada@example.com"])
        with pytest.raises(Exception, match="postback") as refused:
            services.attach_channel(event_type=EVENT_TYPES[KEY], channel_id=readers.pk, sources=["shop"], by="test")
        assert list(refused.value.message_dict) == ["channel"]

    def test_a_body_that_could_not_be_built_is_built_at_the_retry(self, order, channel, attach, monkeypatch):
        attach(channel, KEY)
        broken = replace(PRAISED, build=lambda **facts: 1 / 0)
        monkeypatch.setitem(EVENT_TYPES, KEY, broken)
        receivers.record_event(
            broken, source="shop", facts=PRAISED.find({"praise": {"stars": 2, "nickname": "E"}, "order": order.pk})
        )
        delivery = Delivery.objects.get()
        assert (delivery.status, delivery.event.body) == ("failed", None)
        with pytest.raises(Conflict, match="still cannot be built"):
            services.retry_delivery(delivery_id=delivery.pk, by="test")
        monkeypatch.undo()
        services.retry_delivery(delivery_id=delivery.pk, by="test")
        body = json.loads(Event.objects.get(type=KEY).body or "")
        assert body["data"]["praise"] == {"stars": 2, "nickname": "E"}

    def test_what_of_it_is_personal_is_erased(self, order, channel, attach):
        attach(channel, KEY)
        praise(order)
        erasure.erase(order.contact.email, by="test")
        body = json.loads(Event.objects.get(type=KEY).body or "")
        assert body["data"]["praise"] == {"stars": 4, "nickname": "[erased]"}


class TestApi:
    def test_it_is_listed_switched_attached_and_found(self, call, order, channel):
        assert [each["key"] for each in call("GET", "/event-types").json()["results"]][-1] == KEY
        assert call("PATCH", f"/event-types/{KEY}", {"enabled": True}).json()["manual_retry"] is True
        attached = call("POST", f"/event-types/{KEY}/channels", {"channel": channel.pk, "sources": ["shop"]})
        assert attached.status_code == 201
        praise(order)
        (found,) = call("GET", f"/events?event_type={KEY}").json()["results"]
        assert (found["type"], found["routing"][0]["outcome"]) == (KEY, "delivered")
        (delivery,) = call("GET", f"/deliveries?event_type={KEY}").json()["results"]
        assert delivery["event_type"] == KEY

    def test_a_test_of_it_is_sent(self, call, channel, receiver, engine):
        assert call("POST", f"/channels/{channel.pk}/test", {"event_type": KEY}).status_code == 202
        engine.deliver_due()
        (received,) = receiver.received
        assert received.event["type"] == KEY
        assert received.id.startswith("evt_test_")

    def test_it_is_described(self, document):
        webhook = document["webhooks"][KEY]["post"]
        content = webhook["requestBody"]["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/OrderPraisedEvent"}
        assert content["example"]["data"]["praise"] == {"stars": 5, "nickname": "Countess"}
        named = [
            schema
            for schema in document["components"]["schemas"].values()
            if "order.completed" in schema.get("x-extensible-enum", schema.get("enum", []))
        ]
        assert named
        assert all(KEY in schema.get("x-extensible-enum", schema.get("enum", [])) for schema in named)


class TestPages:
    def test_it_stands_on_each_page_that_lists_event_types(self, admin):
        assert "11 event types" in text_of(admin.get(url("integrations")))
        assert f"{PRAISED.label} {PRAISED.description}" in text_of(admin.get(url("event_catalogue")))
        assert PRAISED.description in text_of(admin.get(url("system_notifications")))
        assert f"{PRAISED.label} Yes Yes Yes" in text_of(admin.get(url("help_channels")))
        page = text_of(admin.get(url("event_catalogue_type", KEY)))
        assert "Countess" in page
        assert "praise" in page

    def test_its_own_page_opens_and_attaches(self, admin, channel):
        assert PRAISED.label in text_of(admin.get(url("event_type", KEY)))
        admin.post(url("event_type_switch", KEY), {"enabled": "true"})
        assert services.attach_channel(event_type=PRAISED, channel_id=channel.pk, sources=["shop"], by="test")
        assert channel.name in text_of(admin.get(url("event_type", KEY)))

    def test_the_log_and_the_order_show_it_and_offer_the_retry(self, admin, people, order, channel, attach):
        attach(channel, KEY)
        praise(order)
        delivery = Delivery.objects.get()
        Delivery.objects.update(status="failed", next_attempt_at=None, finished_at=delivery.created_at)
        page = admin.get(url("notifications_delivery_change", delivery.pk))
        assert PRAISED.label in text_of(page)
        shown = text_of(people["superuser"].get(url("orders_order_change", order.pk)))
        assert PRAISED.label in shown


class TestWords:
    BODY = sample_body(PRAISED, event_id="evt_01kaskf4zze4t9a1t8cdhyjvb5")

    def test_a_sample_validates_against_the_published_schema(self, document):
        schema = {"$ref": "#/components/schemas/OrderPraisedEvent", "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(json.loads(self.BODY))

    def test_it_is_said_in_its_words_or_by_its_facts(self, monkeypatch):
        notice = notice_of(self.BODY)
        assert notice.title == "Ada Byron praises order 1001"
        assert notice.paragraphs == ("5 of 5 stars.",)
        monkeypatch.setitem(EVENT_TYPES, KEY, replace(PRAISED, words=None))
        notice = notice_of(self.BODY)
        assert (notice.title, notice.paragraphs) == ("Order praised: order 1001", (PRAISED.description,))

    def test_mail_and_slack_say_it(self, order, attach, engine, settings):
        settings.POSTBACK_TIMEOUT_SECONDS = 60.0
        with MailServer() as mail, mail_goes_to(mail.port), SlackServer() as slack:
            attach(create_channel(name="Readers", kind="email", recipients=["ada@example.com"]), KEY)
            attach(create_channel(name="Chat", kind="slack", url=slack.url), KEY)
            praise(order)
            engine.deliver_due()
            wait_until(lambda: Delivery.objects.filter(status="succeeded").count() == 2)
            assert f"Ada Byron praises order {order.number}" in mail.mails[0].message["Subject"]
            assert f"Ada Byron praises order {order.number}" in json.dumps(slack.taken[0])
