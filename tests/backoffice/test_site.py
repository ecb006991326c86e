# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""The shell: who sees what in the menu, who may open what, and the groups that come with Tidings."""

import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client

from api.keys import create_key
from channels_app.models import Channel
from notifications import services
from notifications.events import EVENT_TYPES
from notifications.models import Delivery
from tests.backoffice.notifications_fixtures import (
    People,
    failed,
    order,
    page_of,
    people,
    text_of,
    url,
    warehouse,
)

NOTIFICATIONS, ORDERS, VIEWERS = "Notification administrators", "Order staff", "Viewers"


def menu(client: Client) -> list[str]:
    page = client.get(url("index")).content.decode()
    sidebar = page[page.index('id="nav-sidebar-apps"') : page.index('id="main"')]
    return re.findall(r"<span>([^<]+)</span>", sidebar)


def test_the_menu_of_the_demo_leads_to_its_receivers(people, settings):
    assert menu(people["superuser"])[-1] == "Receivers"
    settings.DEMO = False
    assert "Receivers" not in menu(people["superuser"])


def test_the_menu_has_what_a_person_may_use(people, settings):
    settings.DEMO = False
    shop = ("Orders", "Contacts", "Products", "Funnels", "Subscriptions", "Quotes", "Surveys")
    log = ("Delivery log", "Events")
    help_pages = ("How to create a channel", "Event catalogue", "API documentation")
    assert {role: menu(client) for role, client in people.items() if role != "anonymous"} == {
        "superuser": [
            *("Dashboard", *shop, "Integrations", *log, "Channels", "Alerts", "History"),
            *("Users", "Groups", "API keys", *help_pages),
        ],
        NOTIFICATIONS: ["Dashboard", "Integrations", *log, "Channels", "Alerts", "History", "API keys", *help_pages],
        ORDERS: ["Dashboard", *shop, "Integrations", *log, "API documentation"],
        VIEWERS: ["Dashboard", *shop, "Integrations", *log, "Channels", "Alerts", "History", *help_pages],
        "staff without a group": ["Dashboard", "API documentation"],
    }


def test_the_icon_is_found_where_browsers_look(client):
    answer = client.get("/favicon.ico")
    assert (answer.status_code, answer.url) == (302, "/static/notifications/icon.svg")


def test_the_menu_marks_the_present_page_alone(people):
    page = people["superuser"].get(url("event_type", "order.completed")).content.decode()
    sidebar = page[page.index('id="nav-sidebar-apps"') : page.index('id="main"')]
    active = re.findall(r'<a href="([^"]+)"[^>]*\bactive"', sidebar)
    assert active == [url("integrations")]


@pytest.fixture
def pages(people: People, failed: Delivery, warehouse: Channel) -> dict[str, tuple[str, ...]]:
    """Every page that can be opened by GET, with the groups that may."""
    attached, free = EVENT_TYPES["order.completed"], "refund.applied"
    services.attach_channel(event_type=attached, channel_id=warehouse.pk, sources=["shop"], by="test")
    key, _ = create_key(name="Shop", scopes=["storefront"])
    everybody = (NOTIFICATIONS, ORDERS, VIEWERS)
    lookers = (NOTIFICATIONS, VIEWERS)
    own = {
        url("integrations"): everybody,
        url("system_notifications"): lookers,
        url("event_type", attached.key): lookers,
        url("event_type", free): lookers,
        url("event_type_attach", free): (NOTIFICATIONS,),
        url("event_type_sources", attached.key, warehouse.pk): (NOTIFICATIONS,),
        url("event_type_detach", attached.key, warehouse.pk): (NOTIFICATIONS,),
        url("channels_app_channel_changelist"): lookers,
        url("channels_app_channel_changelist") + "?q=ware": lookers,
        url("channels_app_channel_add"): (NOTIFICATIONS,),
        page_of(warehouse): lookers,
        page_of(warehouse, "edit"): (NOTIFICATIONS,),
        page_of(warehouse, "delete"): (NOTIFICATIONS,),
        url("notifications_delivery_changelist"): everybody,
        url("notifications_delivery_changelist") + "?q=ada@example.com": everybody,
        page_of(failed): everybody,
        url("notifications_event_changelist"): everybody,
        url("notifications_event_changelist") + "?q=1001": everybody,
        page_of(failed.event): everybody,
        url("api_apikey_changelist"): (NOTIFICATIONS,),
        url("api_apikey_changelist") + "?q=shop": (NOTIFICATIONS,),
        url("api_apikey_add"): (NOTIFICATIONS,),
        page_of(key): (NOTIFICATIONS,),
        page_of(key, "revoke"): (NOTIFICATIONS,),
    }
    assert people.user("superuser")
    for model in (User, Group):
        name = model._meta.model_name
        own |= {url(f"auth_{name}_changelist"): (), url(f"auth_{name}_changelist") + "?q=a": ()}
        own |= {url(f"auth_{name}_add"): (), page_of(model.objects.earliest("pk")): ()}
    return own


@pytest.mark.slow
def test_every_page_opens_for_those_who_may_and_for_nobody_else(people, pages):
    for role, client in people.items():
        for page, groups in pages.items():
            response = client.get(page)
            if role == "anonymous":
                assert (response.status_code, response.url.split("?")[0]) == (302, url("login")), page
            else:
                allowed = role == "superuser" or role in groups
                assert response.status_code == (200 if allowed else 403), (role, page)


@pytest.mark.slow
def test_every_page_has_one_heading_of_the_first_rank_and_neither_inline_script_nor_template_code(people, pages):
    for page in pages:
        content = people["superuser"].get(page).content.decode()
        main = content[content.index('id="main"') :]
        assert len(re.findall(r"<h1\b", content)) == 1, page
        assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", main) == [], page
        assert not re.search(r"\{[#%]", main), page


def test_nothing_of_the_log_can_be_written_by_hand(people, failed):
    root = people["superuser"]
    for record in (failed, failed.event):
        model = record._meta.model_name
        assert root.get(url(f"notifications_{model}_add")).status_code == 403
        assert root.post(page_of(record, "delete"), {"post": "yes"}).status_code == 403
        assert root.post(page_of(record), {"status": "succeeded"}).status_code == 405
    failed.refresh_from_db()
    assert (failed.status, Delivery.objects.count()) == ("failed", 1)


def test_a_login_leads_to_the_dashboard(db):
    User.objects.create_superuser("root", password="correct horse")
    response = Client().post(url("login"), {"username": "root", "password": "correct horse"})
    assert (response.status_code, response.url) == (302, url("index"))


def test_users_are_made_and_changed_on_the_forms_of_the_shell(people):
    root = people["superuser"]
    form = {"username": "grace", "password1": "s0me-Passw0rd", "password2": "s0me-Passw0rd", "usable_password": "true"}
    assert root.post(url("auth_user_add"), form).status_code == 302
    grace = User.objects.get(username="grace")
    assert grace.check_password("s0me-Passw0rd")
    assert {type(admin.site._registry[model]).__module__ for model in (User, Group)} == {"backoffice.accounts.admin"}


def test_somebody_new_gets_a_group_and_may_enter_at_once(people):
    root = people["superuser"]
    page = root.get(url("auth_user_add")).content.decode()
    assert re.search(r'name="is_staff"[^>]* checked[ >]', page)
    viewers = Group.objects.get(name=VIEWERS)
    form = {"username": "grace", "email": "grace@example.com", "is_staff": "on", "groups": [viewers.pk]}
    password = {"password1": "s0me-Passw0rd", "password2": "s0me-Passw0rd", "usable_password": "true"}
    assert root.post(url("auth_user_add"), {**form, **password}).status_code == 302
    grace = User.objects.get(username="grace")
    assert (grace.email, grace.is_staff, list(grace.groups.all())) == ("grace@example.com", True, [viewers])
    listed = text_of(root.get(url("auth_user_changelist")))
    assert "grace grace@example.com Viewers" in listed
    assert "Superuser: everything" in listed


def test_a_group_keeps_what_it_may_when_it_is_saved(people):
    root, viewers = people["superuser"], Group.objects.get(name=VIEWERS)
    assert people.user(VIEWERS)
    wanted = granted(VIEWERS)
    page = root.get(page_of(viewers)).content.decode()
    checked = re.findall(r'<input type="checkbox" name="permissions" value="(\d+)"[^>]* checked[ >]', page)
    assert len(checked) == len(wanted)
    assert root.post(page_of(viewers), {"name": VIEWERS, "permissions": checked}).status_code == 302
    assert granted(VIEWERS) == wanted
    assert "1" in text_of(root.get(url("auth_group_changelist")))


def granted(group: str) -> set[str]:
    permissions = Permission.objects.filter(group__name=group).select_related("content_type")
    return {f"{permission.content_type.app_label}.{permission.codename}" for permission in permissions}


def test_the_groups_may_do_their_work_and_no_more(db):
    log = {"notifications.view_delivery", "notifications.change_delivery", "notifications.view_deliveryattempt"}
    assert granted(NOTIFICATIONS) == log | {
        "notifications.view_historyentry",
        *("notifications.view_eventtypeswitch", "notifications.change_eventtypeswitch", "notifications.view_event"),
        *(f"notifications.{action}_eventchannel" for action in ("view", "add", "change", "delete")),
        *(f"channels_app.{action}_channel" for action in ("view", "add", "change", "delete")),
        *(f"api.{action}_apikey" for action in ("view", "add", "change")),
    }
    worked = (*("contact", "product", "order", "orderitem", "transaction", "refund", "quote", "quoteitem", "survey"),)
    assert granted(ORDERS) == log | {
        *("notifications.view_event", "orders.view_funnel", "orders.view_surveyresponse"),
        *("orders.view_subscription", "orders.change_subscription"),
        *(f"orders.{action}_{model}" for action in ("view", "add", "change") for model in worked),
    }
    assert {permission.split(".")[1].split("_")[0] for permission in granted(VIEWERS)} == {"view"}
    assert {permission.split(".")[0] for permission in granted(VIEWERS)} == {"orders", "channels_app", "notifications"}


def test_migrating_again_restores_the_groups_and_leaves_their_members_alone(db):
    viewers = Group.objects.get(name=VIEWERS)
    grace = User.objects.create_user("grace")
    grace.groups.add(viewers)
    wanted = granted(VIEWERS)
    viewers.permissions.set(Permission.objects.filter(codename="add_user"))
    call_command("migrate", verbosity=0)
    assert granted(VIEWERS) == wanted
    assert list(grace.groups.all()) == [viewers]
    assert Group.objects.count() == 3
