# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""Integrations, System notifications and the event type pages: what they show, do and refuse."""

import re
from datetime import datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_app.services import create_channel
from notifications import services
from notifications.events import EVENT_TYPES
from notifications.models import ChannelHealth, ChannelHour, EventTypeSwitch
from tests.backoffice.notifications_fixtures import (
    admin,
    people,
    said,
    text_of,
    url,
    warehouse,
)

COMPLETED = EVENT_TYPES["order.completed"]


def this_hour() -> datetime:
    return timezone.now().replace(minute=0, second=0, microsecond=0)


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
        (url("alerts"), "Open alerts"),
        (url("api_apikey_changelist"), "Open API keys"),
        (url("notifications_delivery_changelist"), "Open delivery log"),
        (url("event_catalogue"), "Open event catalogue"),
    ]
    assert cards("superuser") == cards("Notification administrators") == everything
    assert cards("Viewers") == [*everything[:3], *everything[4:]]
    assert cards("Order staff") == [everything[4]]
    assert people["staff without a group"].get(url("integrations")).status_code == 403


def test_integrations_says_how_things_stand(admin, warehouse):
    def facts() -> list[str]:
        return re.findall(r'class="ui-fact">([^<]+)<', admin.get(url("integrations")).content.decode())

    assert facts() == [
        "0 of 10 on",
        "1 channel",
        "Nobody is told",
        "0 finished in 24 hours, 0 failed",
        "10 event types",
    ]
    services.set_event_type_enabled(event_type=COMPLETED, enabled=True, by="test")
    other = services.create_channel(name="Books", kind="postback", url="https://example.com/", by="test")
    services.pause_channel(channel_id=other.pk, reason="Moving house", by="test")
    ChannelHour.objects.create(channel=warehouse, hour=this_hour(), succeeded=1234, failed=5, latencies=[])
    assert facts() == [
        "1 of 10 on",
        "2 channels, 1 paused",
        "Nobody is told",
        "1,239 finished in 24 hours, 5 failed",
        "10 event types",
    ]
    for channel in (warehouse, other):
        services.archive_channel(channel_id=channel.pk, by="test")
    assert facts()[1] == "No channel yet"


# System notifications


def test_the_ten_event_types_stand_in_order_with_what_fires_them(admin):
    page = admin.get(url("system_notifications"))
    content = page.content.decode()
    assert re.findall(r'<h2 id="name-([\w.]+)">', content) == list(EVENT_TYPES)
    text = text_of(page)
    assert all(event_type.description in text for event_type in EVENT_TYPES.values())
    only = re.findall(r'id="row-([\w.]+)">(?:(?!id="row-).)*Postbacks only', content, flags=re.S)
    assert only == ["customer.created", "survey.completed"]
    assert text.count("Never turned on") == len(EVENT_TYPES)


def test_a_switch_turns_an_event_type_on_and_off_and_says_who_did_it(admin):
    page = admin.get(url("system_notifications")).content.decode()
    assert set(switches(page).values()) == {("false", "true")}
    assert f'href="{url("event_type", COMPLETED.key)}"' not in page

    answer = admin.post(url("event_type_switch", COMPLETED.key), {"enabled": "true"})
    assert (answer.status_code, answer.url) == (302, url("system_notifications"))
    assert said(answer) == [
        "Order completed was turned on. No channel is attached to it yet: open it to attach one.",
    ]
    switch = EventTypeSwitch.objects.get()
    assert (switch.event_type, switch.enabled, switch.changed_by) == ("order.completed", True, "notification")

    page = admin.get(url("system_notifications"))
    assert switches(page.content.decode())["order.completed"] == ("true", "false")
    assert f'<a href="{url("event_type", COMPLETED.key)}">Order completed</a>' in page.content.decode()
    assert re.search(r"Turned on by notification, (now|\d+ seconds? ago)", text_of(page))

    answer = admin.post(url("event_type_switch", COMPLETED.key), {"enabled": "false"})
    assert said(answer)[-1] == (
        "Order completed was turned off. Nothing new is sent; what is recorded already still goes out. "
        "Turn it on again to undo this."
    )
    switch.refresh_from_db()
    assert switch.enabled is False


def test_each_event_type_says_how_many_channels_are_attached(admin, warehouse):
    def row(key: str) -> str:
        page = text_of(admin.get(url("system_notifications")))
        label = EVENT_TYPES[key].label
        description = EVENT_TYPES[key].description
        return page[page.index(f"{label} {description}") :][: len(label) + len(description) + 40]

    services.set_event_type_enabled(event_type=COMPLETED, enabled=True, by="test")
    assert "No channel attached" in row("order.completed")
    assert "No channel attached" not in row("refund.applied")  # it is off: nothing is missed

    services.attach_channel(event_type=COMPLETED, channel_id=warehouse.pk, sources=["shop"], by="test")
    assert "1 channel Turned on" in row("order.completed")
    other = services.create_channel(name="Books", kind="postback", url="https://example.com/", by="test")
    services.attach_channel(event_type=COMPLETED, channel_id=other.pk, sources=["shop"], by="test")
    assert "2 channels Turned on" in row("order.completed")
    answer = admin.post(url("event_type_switch", COMPLETED.key), {"enabled": "true"})
    assert said(answer) == ["Order completed was turned on. 2 channels will be told of what happens from now on."]


def test_the_list_of_event_types_costs_the_same_queries_however_many_channels_there_are(
    admin, warehouse, django_assert_num_queries
):
    admin.get(url("system_notifications"))  # what is remembered afterwards, such as the state of the whole
    with CaptureQueriesContext(connection) as few:
        admin.get(url("system_notifications"))
    for event_type in EVENT_TYPES.values():
        services.set_event_type_enabled(event_type=event_type, enabled=True, by="test")
        services.attach_channel(event_type=event_type, channel_id=warehouse.pk, sources=["shop"], by="test")
    with django_assert_num_queries(len(few)):
        admin.get(url("system_notifications"))


def test_a_name_is_no_link_for_those_who_may_not_see_what_is_attached(sign_in):
    services.set_event_type_enabled(event_type=COMPLETED, enabled=True, by="test")
    page = sign_in("notifications.view_eventtypeswitch").get(url("system_notifications")).content.decode()
    assert '<h2 id="name-order.completed">Order completed</h2>' in page


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
    assert len(re.findall(r'role="switch"[^>]* disabled', page)) == len(EVENT_TYPES)
    assert viewer.post(url("event_type_switch", COMPLETED.key), {"enabled": "true"}).status_code == 403
    assert not EventTypeSwitch.objects.exists()


def test_the_switch_asks_for_the_token_against_forgery(people):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = people["superuser"].cookies
    assert strict.post(url("event_type_switch", COMPLETED.key), {"enabled": "true"}).status_code == 403
    assert not EventTypeSwitch.objects.exists()


# One event type


def test_an_event_type_without_channels_says_what_to_do(people):
    page = people["Notification administrators"].get(url("event_type", COMPLETED.key))
    assert "No channel hears of this yet. Attach one with the round button at the bottom right" in text_of(page)
    assert f'<a href="{url("help_channels")}">How to create a channel</a>' in page.content.decode()
    assert "An administrator can attach one." in text_of(people["Viewers"].get(url("event_type", COMPLETED.key)))


def test_the_round_button_leads_to_attaching_for_those_who_may(people):
    def buttons(role: str) -> list[tuple[str, str]]:
        page = people[role].get(url("event_type", COMPLETED.key)).content.decode()
        return re.findall(r'<a class="ui-fab" href="([^"]+)" aria-label="([^"]+)"', page)

    assert buttons("Notification administrators") == [(url("event_type_attach", COMPLETED.key), "Attach a channel")]
    assert buttons("Viewers") == []


def test_an_event_type_that_is_off_can_be_turned_on_right_there(people):
    admin, note = people["Notification administrators"], "This event type is off: no deliveries are made until it is"
    page = admin.get(url("event_type", COMPLETED.key))
    assert note in text_of(page)
    form = re.search(rf'<form method="post" action="{url("event_type_switch", COMPLETED.key)}">.*?</form>',
                     page.content.decode(), flags=re.S)[0]  # fmt: skip
    sent = dict(re.findall(r'name="(enabled|from)" value="(\w+)"', form))
    assert sent == {"enabled": "true", "from": "event_type"}

    viewed = people["Viewers"].get(url("event_type", COMPLETED.key))
    assert note in text_of(viewed)
    assert "Turn on" not in text_of(viewed)

    answer = admin.post(url("event_type_switch", COMPLETED.key), sent)
    assert (answer.status_code, answer.url) == (302, url("event_type", COMPLETED.key))
    page = text_of(admin.get(answer.url))
    assert note not in page
    assert re.search(r"Turned on by notification, (now|\d+ seconds? ago) \.", page)


def test_an_event_type_shows_its_channels_in_the_order_in_which_they_were_attached(people, warehouse):
    services.set_event_type_enabled(event_type=COMPLETED, enabled=True, by="test")
    books = services.create_channel(name="Books", kind="postback", url="https://example.com/books", by="test")
    services.attach_channel(event_type=COMPLETED, channel_id=warehouse.pk, sources=["admin", "funnel"], by="test")
    services.attach_channel(event_type=COMPLETED, channel_id=books.pk, sources=["shop"], by="test")
    services.pause_channel(channel_id=warehouse.pk, reason="Moving house", by="test")
    health = ChannelHealth.objects.create(channel=books, failures_in_row=5)
    ChannelHour.objects.create(channel=books, hour=this_hour(), succeeded=9, failed=3, latencies=[])
    page = text_of(people["Viewers"].get(url("event_type", COMPLETED.key)))
    assert "Warehouse Postback · https://example.com/hook Paused Moving house Admin Funnel" in page
    assert (
        "Books Postback · https://example.com/books Failing 5 failures in a row 75.0 % of 12 delivered in 24 hours Shop"
        in page
    )
    health.failures_in_row = 1  # not yet what the banners and the list of channels call failing
    health.save()
    page = text_of(people["Viewers"].get(url("event_type", COMPLETED.key)))
    assert "Books Postback · https://example.com/books 1 failure in a row 75.0 % of 12 delivered" in page
    assert page.index("Warehouse Postback") < page.index("Books Postback")
    assert "is off" not in page
    assert not {"Edit", "Delete", "Attach"} & set(page.split())


def test_the_menu_of_a_channel_holds_what_a_person_may_do(people, sign_in, warehouse):
    services.attach_channel(event_type=COMPLETED, channel_id=warehouse.pk, sources=["shop"], by="test")

    def entries(client: Client) -> list[tuple[str, str]]:
        page = client.get(url("event_type", COMPLETED.key)).content.decode()
        assert len(re.findall(r'aria-haspopup="menu" aria-expanded="false"', page)) == page.count('role="menu"')
        return re.findall(r'<a role="menuitem"[^>]* href="([^"]+)" data-dialog>(\w+)<', page)

    edit = (url("event_type_sources", COMPLETED.key, warehouse.pk), "Edit")
    delete = (url("event_type_detach", COMPLETED.key, warehouse.pk), "Delete")
    assert entries(people["Notification administrators"]) == [edit, delete]
    assert entries(sign_in("notifications.view_eventchannel", "notifications.change_eventchannel")) == [edit]
    assert entries(people["Viewers"]) == []


def test_an_event_type_shows_who_changed_it(people, sign_in, warehouse):
    services.attach_channel(event_type=COMPLETED, channel_id=warehouse.pk, sources=["shop"], by="zoe")
    services.attach_channel(event_type=EVENT_TYPES["refund.applied"], channel_id=warehouse.pk, sources=["shop"], by="x")
    page = text_of(people["superuser"].get(url("event_type", COMPLETED.key)))
    assert "Warehouse was linked to Order completed: Shop. zoe," in page
    assert "Refund applied" not in page
    unread = text_of(sign_in("notifications.view_eventchannel").get(url("event_type", COMPLETED.key)))
    assert "zoe" not in unread


def test_what_does_not_exist_is_404(admin, warehouse):
    for page in (
        url("event_type", "order.vanished"),
        url("event_type_attach", "order.vanished"),
        url("event_type_sources", COMPLETED.key, warehouse.pk),
        url("event_type_detach", COMPLETED.key, warehouse.pk),
    ):
        assert admin.get(page).status_code == 404
    assert admin.post(url("event_type_switch", "order.vanished"), {"enabled": "true"}).status_code == 404


def test_a_page_of_channels_costs_the_same_queries_for_one_and_for_many(admin, django_assert_num_queries):
    def add(count: int) -> None:
        for number in range(count):
            channel = create_channel(name=f"C{number}", kind="postback", url="https://example.com/")
            services.attach_channel(event_type=COMPLETED, channel_id=channel.pk, sources=["shop"], by="test")

    add(1)
    admin.get(url("event_type", COMPLETED.key))
    with CaptureQueriesContext(connection) as one:
        admin.get(url("event_type", COMPLETED.key))
    add(9)
    with django_assert_num_queries(len(one)):
        admin.get(url("event_type", COMPLETED.key))


def test_the_switch_is_changed_by_post_alone(admin):
    assert admin.get(url("event_type_switch", COMPLETED.key)).status_code == 405
    assert not EventTypeSwitch.objects.exists()
