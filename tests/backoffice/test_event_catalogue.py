# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""The event catalogue and the help page: what they say is what the code does."""

import html
import json
import re
from datetime import UTC, datetime

import jsonschema
import pytest
from standardwebhooks.webhooks import Webhook

from backoffice.notifications.channel_help import EXAMPLE_SECRET
from backoffice.notifications.event_catalogue import EXAMPLE_ID, json_schema
from notifications import services
from notifications.events import EVENT_TYPES
from notifications.events.bodies import sample_body
from tests.backoffice.notifications_fixtures import admin, people, text_of, url


def code(page, element: str) -> str:
    """The text of a block of code, as its button copies it."""
    (found,) = re.findall(rf'<code id="{element}">(.*?)</code>', page.content.decode(), flags=re.S)
    return html.unescape(found)


def test_the_catalogue_lists_the_event_types_in_order(admin):
    services.set_event_type_enabled(event_type=EVENT_TYPES["refund.applied"], enabled=True, by="test")
    page = admin.get(url("event_catalogue"))
    found = re.findall(r'<h2><a href="([^"]+)">([^<]+)</a></h2>', page.content.decode())
    assert found == [(url("event_catalogue_type", each.key), each.label) for each in EVENT_TYPES.values()]
    assert "Refund applied A refund or a void is applied. refund.applied Manual retry On" in text_of(page)
    assert text_of(page).count(" Off ") == len(EVENT_TYPES) - 1


@pytest.mark.parametrize("key", list(EVENT_TYPES))
def test_the_example_of_each_event_type_fits_the_schema_beside_it(admin, key):
    page = admin.get(url("event_catalogue_type", key))
    assert page.status_code == 200
    example, schema = json.loads(code(page, "example")), json.loads(code(page, "schema"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(example, schema, cls=jsonschema.Draft202012Validator)
    assert (example["id"], example["type"], list(example)) == (
        EXAMPLE_ID,
        key,
        ["id", "type", "timestamp", "source", "data"],
    )
    assert re.findall(r'data-copy="#(\w+)"', page.content.decode()) == ["example", "schema"]


def test_a_schema_refuses_another_event_type_and_a_missing_member():
    example = json.loads(sample_body(EVENT_TYPES["refund.applied"], event_id=EXAMPLE_ID))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(example, json_schema("order.completed"))
    del example["data"]["refund"]["reason"]
    with pytest.raises(jsonschema.ValidationError, match="'reason' is a required property"):
        jsonschema.validate(example, json_schema("refund.applied"))


def test_an_event_type_says_when_it_fires_and_what_it_allows(admin):
    page = text_of(admin.get(url("event_catalogue_type", "customer.created")))
    assert "A lead makes their first successful purchase." in page
    assert "Now Off: see its channels Channels Postbacks only" in page
    assert "Manual retry No: after its automatic retries a delivery stays failed" in page
    assert "Members of data contact , order" in page
    page = text_of(admin.get(url("event_catalogue_type", "order.completed")))
    assert "Manual retry Yes: a failed delivery can be retried on the order" in page


def test_the_example_request_of_the_help_page_is_signed_as_the_specification_says(admin):
    request = code(admin.get(url("help_channels")), "request")
    head, body = request.split("\n\n", 1)
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    assert (json.loads(body)["type"], headers["webhook-id"]) == ("order.completed", json.loads(body)["id"])
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), tz=UTC)
    assert headers["webhook-signature"] == Webhook(EXAMPLE_SECRET).sign(headers["webhook-id"], at, body)


def test_the_help_page_says_what_is_set(admin, settings):
    settings.POSTBACK_TIMEOUT_SECONDS = 30
    settings.POSTBACK_RETRY_DELAYS_SECONDS = [60, 300, 1800]
    settings.POSTBACK_RETRY_STATUS_CODES = {503, 408}
    page = text_of(admin.get(url("help_channels")))
    assert "at most 3 times, after 1 minute, 5 minutes and 30 minutes: when no connection could be made" in page
    assert "All other answers are final, redirects included, and so is none within 30 seconds" in page
    assert "when the status was 408, 503." in page
    assert "Order completed, Transaction declined, Refund applied, Approved transaction." in page

    settings.POSTBACK_RETRY_DELAYS_SECONDS = [90]
    assert "at most 1 time, after 90 seconds: when" in text_of(admin.get(url("help_channels")))


def test_the_help_page_names_the_way_as_the_pages_do(admin):
    page = text_of(admin.get(url("help_channels")))
    for word in ("Integrations", "Configuration", "Attach a channel", "Channel", "Add", "Create channel", "Save"):
        assert word in page
    assert "Do no heavy work in the endpoint: store the data and start a job." in page
    assert "Check every object for null before using it." in page


def test_the_catalogue_and_the_help_are_for_those_who_have_to_do_with_notifications(people):
    pages = [url("event_catalogue"), url("event_catalogue_type", "order.completed"), url("help_channels")]
    for role, status in (("Viewers", 200), ("Order staff", 403), ("staff without a group", 403), ("anonymous", 302)):
        assert [people[role].get(page).status_code for page in pages] == [status] * 3
    assert people["Viewers"].get(url("event_catalogue_type", "order.vanished")).status_code == 404


def test_the_help_page_is_linked_where_a_channel_is_wanted(admin):
    link = f'href="{url("help_channels")}"'
    for page in (
        url("integrations"),
        url("event_type", "order.completed"),
        url("event_type_attach", "order.completed"),
    ):
        assert link in admin.get(page).content.decode()
