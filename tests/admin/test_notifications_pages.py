# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""Integrations, System notifications and the event type pages: what they show, do and refuse."""

import re

import pytest
from django.test import Client

from channels_app.models import Channel
from channels_app.services import create_channel, pause_channel
from notifications import services
from notifications.catalogue import EVENT_TYPES
from notifications.models import EventChannel, EventTypeSwitch
from tests.admin.notifications_fixtures import (
    admin,
    people,
    said,
    text_of,
    url,
    warehouse,
)

COMPLETED = EVENT_TYPES["order.completed"]


def attachments() -> list[tuple[str, str, list[str]]]:
    return [(a.event_type, a.channel.name, a.sources) for a in EventChannel.objects.select_related("channel")]


def switches(page: str) -> dict[str, tuple[str, str]]:
    """Event type -> (aria-checked, the value that its button sends)."""
    forms = re.findall(r'name="enabled" value="(\w+)">.*?id="switch-([\w.]+)" aria-checked="(\w+)"', page, flags=re.S)
    return {key: (checked, sends) for sends, key, checked in forms}


# Integrations


def test_integrations_shows_the_cards_that_a_person_may_open(people):
    def cards(role: str) -> list[tuple[str, str]]:
        page = people[role].get(url("integrations")).content.decode()
        return re.findall(r'class="ui-button[^"]*" href="([^"]+)">([^<]+)<', page)

    everything = [
        (url("system_notifications"), "Configuration"),
        (url("channels_app_channel_changelist"), "Open channels"),
        (url("api_apikey_changelist"), "Open API keys"),
        (url("notifications_delivery_changelist"), "Open delivery log"),
    ]
    assert cards("superuser") == cards("Notification administrators") == everything
    assert cards("Viewers") == [everything[0], everything[1], everything[3]]
    assert cards("Order staff") == [everything[3]]


# System notifications


def test_the_ten_event_types_stand_in_order_with_what_fires_them(admin):
    page = admin.get(url("system_notifications"))
    content = page.content.decode()
    assert re.findall(r'<h2 id="name-([\w.]+)">', content) == list(EVENT_TYPES)
    text = text_of(page)
    assert all(event_type.description in text for event_type in EVENT_TYPES.values())
    only = re.findall(r'id="row-([\w.]+)">(?:(?!id="row-).)*Postbacks only', content, flags=re.S)
    assert only == ["customer.created", "survey.completed"]
    assert text.count("Never turned on") == 10


def test_a_switch_turns_an_event_type_on_and_off_and_says_who_did_it(admin):
    page = admin.get(url("system_notifications")).content.decode()
    assert set(switches(page).values()) == {("false", "true")}
    assert f'href="{url("event_type", COMPLETED.key)}"' not in page

    answer = admin.post(url("event_type_switch", COMPLETED.key), {"enabled": "true"})
    assert (answer.status_code, answer.url) == (302, url("system_notifications"))
    assert said(answer) == ["Order completed was turned on."]
    switch = EventTypeSwitch.objects.get()
    assert (switch.event_type, switch.enabled, switch.changed_by) == ("order.completed", True, "notification")

    page = admin.get(url("system_notifications"))
    assert switches(page.content.decode())["order.completed"] == ("true", "false")
    assert f'<a href="{url("event_type", COMPLETED.key)}">Order completed</a>' in page.content.decode()
    assert f"Turned on by notification, {switch.changed_at:%Y-%m-%d %H:%M}" in text_of(page)

    answer = admin.post(url("event_type_switch", COMPLETED.key), {"enabled": "false"})
    assert said(answer)[-1] == "Order completed was turned off."
    switch.refresh_from_db()
    assert switch.enabled is False


def test_turning_on_twice_leaves_it_on(admin):
    for _ in range(2):
        admin.post(url("event_type_switch", COMPLETED.key), {"enabled": "true"})
    assert EventTypeSwitch.objects.get().enabled is True


@pytest.mark.parametrize("data", [{}, {"enabled": ""}, {"enabled": "yes"}])
def test_a_switch_refuses_what_is_neither_on_nor_off(admin, data):
    assert admin.post(url("event_type_switch", COMPLETED.key), data).status_code == 400
    assert not EventTypeSwitch.objects.exists()


def test_viewers_see_switches_that_they_cannot_turn(people):
    viewer = people["Viewers"]
    page = viewer.get(url("system_notifications")).content.decode()
    assert len(re.findall(r'role="switch"[^>]* disabled', page)) == 10
    assert viewer.post(url("event_type_switch", COMPLETED.key), {"enabled": "true"}).status_code == 403
    assert not EventTypeSwitch.objects.exists()


def test_the_switch_asks_for_the_token_against_forgery(people):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = people["superuser"].cookies
    assert strict.post(url("event_type_switch", COMPLETED.key), {"enabled": "true"}).status_code == 403
    assert not EventTypeSwitch.objects.exists()


# One event type


def test_an_event_type_without_channels_says_what_to_do(people):
    page = text_of(people["Notification administrators"].get(url("event_type", COMPLETED.key)))
    assert "No channel hears of this yet. Attach one to send it each notification. Attach a channel" in page
    assert "This event type is off: no deliveries are made until it is turned on in System notifications ." in page
    assert "An administrator can attach one." in text_of(people["Viewers"].get(url("event_type", COMPLETED.key)))


def test_an_event_type_shows_its_channels(people, warehouse):
    services.set_event_type_enabled(event_type=COMPLETED, enabled=True, by="test")
    services.attach_channel(event_type=COMPLETED, channel_id=warehouse.pk, sources=["admin", "funnel"])
    pause_channel(channel_id=warehouse.pk, reason="Moving house")
    page = text_of(people["Viewers"].get(url("event_type", COMPLETED.key)))
    assert "Warehouse Postback · https://example.com/hook Admin Funnel Paused" in page
    assert "is off" not in page
    assert not {"Edit", "Delete", "Attach"} & set(page.split())


def test_attaching_links_a_channel_with_the_chosen_sources(admin, warehouse):
    page = admin.get(url("event_type_attach", COMPLETED.key)).content.decode()
    assert re.findall(r'<option value="(\w+)"', page) == [warehouse.pk]
    assert re.findall(r'type="checkbox" name="sources" value="(\w+)"[^>]*checked', page) == ["admin", "shop", "funnel"]

    answer = admin.post(
        url("event_type_attach", COMPLETED.key), {"channel": warehouse.pk, "sources": ["shop", "admin"]}
    )
    assert (answer.status_code, answer.url) == (302, url("event_type", COMPLETED.key))
    assert said(answer) == ["Warehouse was linked to Order completed."]
    assert attachments() == [("order.completed", "Warehouse", ["admin", "shop"])]


def test_only_channels_that_can_be_attached_are_offered(admin, warehouse):
    attached = create_channel(name="Attached", kind="postback", url="https://example.com/a")
    services.attach_channel(event_type=COMPLETED, channel_id=attached.pk, sources=["shop"])
    archived = create_channel(name="Archived", kind="postback", url="https://example.com/b")
    services.archive_channel(channel_id=archived.pk)
    Channel.objects.create(name="Other kind", kind="email")

    page = admin.get(url("event_type_attach", "customer.created")).content.decode()
    assert re.findall(r'<option value="\w+">(\w+) ', page) == ["Attached", "Warehouse"]
    page = admin.get(url("event_type_attach", COMPLETED.key)).content.decode()
    assert re.findall(r'<option value="\w+">(\w+) ', page) == ["Warehouse"]

    services.attach_channel(event_type=COMPLETED, channel_id=warehouse.pk, sources=["shop"])
    page = text_of(admin.get(url("event_type_attach", COMPLETED.key)))
    assert "Every channel that Order completed allows is attached already, or there is none yet. Add a channel" in page


def test_attaching_twice_says_so(admin, warehouse):
    services.attach_channel(event_type=COMPLETED, channel_id=warehouse.pk, sources=["shop"])
    answer = admin.post(url("event_type_attach", COMPLETED.key), {"channel": warehouse.pk, "sources": ["admin"]})
    assert answer.status_code == 200
    assert "Warehouse is attached to Order completed already." in text_of(answer)
    assert attachments() == [("order.completed", "Warehouse", ["shop"])]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"sources": ["shop"]}, "Choose a channel."),
        ({"channel": "chn_nobody", "sources": ["shop"]}, "There is no such channel."),
        ({"channel": "WAREHOUSE"}, "Choose at least one source."),
        ({"channel": "WAREHOUSE", "sources": ["moon"]}, "moon is not one of the available choices."),
        ({"channel": "EMAIL", "sources": ["shop"]}, "Customer created takes postback channels only."),
    ],
)
def test_a_refused_attachment_writes_nothing_and_says_why(admin, warehouse, data, sentence):
    known = {"WAREHOUSE": warehouse.pk, "EMAIL": Channel.objects.create(name="Mail", kind="email").pk}
    sent = {**data, **({"channel": known.get(data["channel"], data["channel"])} if "channel" in data else {})}
    answer = admin.post(url("event_type_attach", "customer.created"), sent)
    assert answer.status_code == 200
    assert sentence in text_of(answer)
    assert said(answer) == []
    assert attachments() == []


def test_the_sources_are_edited(admin, warehouse):
    services.attach_channel(event_type=COMPLETED, channel_id=warehouse.pk, sources=["shop"])
    edit = url("event_type_sources", COMPLETED.key, warehouse.pk)
    page = admin.get(edit).content.decode()
    assert re.findall(r'type="checkbox" name="sources" value="(\w+)"[^>]*checked', page) == ["shop"]

    refused = admin.post(edit, {})
    assert "Choose at least one source." in text_of(refused)
    assert attachments() == [("order.completed", "Warehouse", ["shop"])]

    answer = admin.post(edit, {"sources": ["funnel", "admin"]})
    assert (answer.status_code, answer.url) == (302, url("event_type", COMPLETED.key))
    assert said(answer) == ["The sources of Warehouse were updated."]
    assert attachments() == [("order.completed", "Warehouse", ["admin", "funnel"])]


def test_detaching_asks_first(admin, warehouse):
    services.attach_channel(event_type=COMPLETED, channel_id=warehouse.pk, sources=["shop"])
    question = url("event_type_detach", COMPLETED.key, warehouse.pk)
    assert "Warehouse will hear no more of Order completed." in text_of(admin.get(question))
    assert len(attachments()) == 1

    answer = admin.post(question)
    assert (answer.status_code, answer.url) == (302, url("event_type", COMPLETED.key))
    assert said(answer) == ["Warehouse was removed from Order completed."]
    assert attachments() == []
    assert Channel.objects.filter(archived_at=None).count() == 1
    assert admin.post(question).status_code == 404


def test_what_does_not_exist_is_404(admin, warehouse):
    for page in (
        url("event_type", "order.vanished"),
        url("event_type_attach", "order.vanished"),
        url("event_type_sources", COMPLETED.key, warehouse.pk),
        url("event_type_detach", COMPLETED.key, warehouse.pk),
    ):
        assert admin.get(page).status_code == 404
    assert admin.post(url("event_type_switch", "order.vanished"), {"enabled": "true"}).status_code == 404


def test_only_the_permitted_change_attachments(people, warehouse):
    services.attach_channel(event_type=COMPLETED, channel_id=warehouse.pk, sources=["shop"])
    other = url("event_type_attach", "refund.applied")
    for role in ("Viewers", "Order staff", "staff without a group"):
        client = people[role]
        assert client.post(other, {"channel": warehouse.pk, "sources": ["shop"]}).status_code == 403
        edit = url("event_type_sources", COMPLETED.key, warehouse.pk)
        assert client.post(edit, {"sources": ["admin"]}).status_code == 403
        assert client.post(url("event_type_detach", COMPLETED.key, warehouse.pk)).status_code == 403
    assert attachments() == [("order.completed", "Warehouse", ["shop"])]


def test_a_page_of_channels_costs_the_same_queries_for_one_and_for_many(admin, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def add(count: int) -> None:
        for number in range(count):
            channel = create_channel(name=f"C{number}", kind="postback", url="https://example.com/")
            services.attach_channel(event_type=COMPLETED, channel_id=channel.pk, sources=["shop"])

    add(1)
    with CaptureQueriesContext(connection) as one:
        admin.get(url("event_type", COMPLETED.key))
    add(9)
    with django_assert_num_queries(len(one)):
        admin.get(url("event_type", COMPLETED.key))


def test_the_switch_is_changed_by_post_alone(admin):
    assert admin.get(url("event_type_switch", COMPLETED.key)).status_code == 405
    assert not EventTypeSwitch.objects.exists()
