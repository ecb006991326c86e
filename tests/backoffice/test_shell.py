# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""What stands around the pages: menu, error pages, time zone, banners."""

import re
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.test import Client, RequestFactory
from django.urls import path

from api.keys import create_key
from backoffice import banners, error_pages, site
from config.middleware import TIME_ZONE_COOKIE as COOKIE
from config.urls import urlpatterns as real_urls
from notifications.models import EventTypeSwitch
from tests.backoffice.notifications_fixtures import failed, order, people, text_of, url, warehouse

ENTRIES = [label for _, entries in site.NAVIGATION for label, _, _, _ in entries]
ROLES = ("superuser", "Notification administrators", "Order staff", "Viewers", "staff without a group")


def menu(client: Client) -> dict[str, str]:
    """The sidebar: words to address."""
    page = client.get(url("index")).content.decode()
    sidebar = page[page.index('id="nav-sidebar-apps"') : page.index('id="main"')]
    return {words: link for link, words in re.findall(r'(?s)<a href="([^"]+)".*?<span>([^<]+)</span>', sidebar)}


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_a_page_opens_for_those_who_have_it_in_their_menu_and_for_nobody_else(people, role):
    everything, own = menu(people["superuser"]), menu(people[role])
    assert set(ENTRIES) < set(everything)
    answers = {words: people[role].get(address).status_code for words, address in everything.items()}
    assert answers == {words: 200 if words in own else 403 for words in everything}


def test_a_part_of_integrations_is_marked_and_integrations_is_not(people):
    page = people["superuser"].get(url("event_catalogue")).content.decode()
    assert re.findall(r'<a href="([^"]+)" aria-current="page"', page) == [url("event_catalogue")]


def test_the_content_can_be_skipped_to_and_htmx_sends_the_token(people):
    page = people["superuser"].get(url("index")).content.decode()
    assert re.search(r'<a class="ui-skip" href="#content-start">', page)
    assert re.search(r'<main id="content-start"[^>]*tabindex="-1"', page)
    assert re.search(r"""id="page"[^>]*hx-headers='\{"X-CSRFToken": "\w{64}"\}'""", page)
    assert '<html lang="en-us"' in page


def test_banners_stand_on_every_page_and_only_for_people_who_are_logged_in(people, monkeypatch):
    asked = []

    def two(user):
        asked.append(user.username)
        return [
            SimpleNamespace(text="Nothing is being delivered.", url="/admin/x/", action="See why", level="error"),
            SimpleNamespace(text="Warehouse <fails>.", url="", action="", level="warning"),
        ]

    monkeypatch.setattr(banners, "banners_for", two)
    for address in (url("index"), url("search"), url("index") + "nowhere/"):
        page = people["Viewers"].get(address).content.decode()
        region = page[page.index('role="region" aria-label="Trouble"') :]
        assert re.findall(r"ui-banner-(\w+)", region) == ["error", "warning"]
        assert '<a href="/admin/x/">See why</a>' in region
        assert "Warehouse &lt;fails&gt;." in region
    assert asked == ["viewers"] * 3
    assert "Trouble" not in Client().get(url("login")).content.decode()
    assert asked == ["viewers"] * 3


# Error pages


def test_a_refusal_names_what_is_missing_and_who_has_it(people):
    answer = people["Viewers"].get(url("api_apikey_changelist"))
    assert answer.status_code == 403
    text = text_of(answer)
    assert "Your account has no permission for this: Can view API key Can change API key" in text
    assert "Members of Notification administrators have it." in text
    assert "nav-sidebar-apps" in answer.content.decode()

    text = text_of(people["Order staff"].get(url("auth_user_changelist")))
    assert "Can view user" in text
    assert "No group has it." in text


def test_a_refusal_that_no_permission_would_lift_says_so(people):
    answer = people["superuser"].get(url("notifications_event_add"))
    assert answer.status_code == 403
    assert "Nobody may do this here, whatever their permissions." in text_of(answer)


def test_what_does_not_exist_keeps_the_way_back(people):
    answer = people["Viewers"].get(url("notifications_delivery_change", "dlv_nothing"))
    assert answer.status_code == 404
    text = text_of(answer)
    assert "There is no such delivery." in text
    assert "To the dashboard" in text
    assert "nav-sidebar-apps" in answer.content.decode()


def test_strangers_are_told_nothing_but_the_way_in(db):
    answer = Client().get("/nothing/here/")
    assert answer.status_code == 404
    page = answer.content.decode()
    assert "<h1>There is nothing here</h1>" in page
    assert f'href="{url("index")}"' in page
    assert "nav-sidebar" not in page
    assert Client().get(url("index") + "nothing/").url.startswith(url("login"))


def _breaks(_request):
    raise RuntimeError("A bug.")


def _refuses(_request):
    raise PermissionDenied("The shop is closed.")


broken_urls = [path("breaks/", _breaks), path("refuses/", _refuses), *real_urls]


class _Urls:
    urlpatterns = broken_urls
    handler403 = staticmethod(error_pages.forbidden)
    handler500 = staticmethod(error_pages.server_error)


@pytest.fixture
def broken(settings, db):
    settings.ROOT_URLCONF = _Urls
    return Client(raise_request_exception=False)


def test_a_bug_is_answered_by_a_page_that_needs_nothing(broken, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = broken.get("/breaks/")
    assert answer.status_code == 500
    assert "<h1>Something went wrong on our side</h1>" in answer.content.decode()
    assert "A bug." not in answer.content.decode()


def test_what_a_view_says_of_its_refusal_is_shown_outside_of_the_back_office(broken):
    answer = broken.get("/refuses/")
    assert answer.status_code == 403
    assert "The shop is closed." in answer.content.decode()


def test_a_form_without_its_token_changes_nothing_and_says_what_to_do(people):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = people["superuser"].cookies
    answer = strict.post(url("event_type_switch", "order.completed"), {"enabled": "true"})
    assert answer.status_code == 403
    assert "load the page again" in answer.content.decode()
    assert not EventTypeSwitch.objects.exists()


def test_an_address_of_another_host_is_refused_with_a_page(db):
    answer = Client().get("/", headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert "<h1>This address cannot be read</h1>" in answer.content.decode()


# The person's time zone


@pytest.fixture
def recorded(db):
    key, _ = create_key(name="Shop", scopes=["storefront"])
    key.created_at = datetime(2026, 7, 1, 12, 0, 5, tzinfo=UTC)
    key.save(update_fields=["created_at"])
    return url("api_apikey_change", key.pk)


@pytest.mark.parametrize(
    ("cookie", "shown"),
    [
        (None, "2026-07-01 12:00:05 UTC"),
        ("Europe/Berlin", "2026-07-01 14:00:05 CEST"),
        ("Asia/Kolkata", "2026-07-01 17:30:05 IST"),
        ("Mars/Phobos", "2026-07-01 12:00:05 UTC"),
        ("Europe", "2026-07-01 12:00:05 UTC"),
        ("../../etc/passwd", "2026-07-01 12:00:05 UTC"),
        ("/etc/localtime", "2026-07-01 12:00:05 UTC"),
        ("x" * 3000, "2026-07-01 12:00:05 UTC"),
    ],
)
def test_times_are_those_of_whoever_looks(people, recorded, cookie, shown):
    client = people["superuser"]
    if cookie:
        client.cookies[COOKIE] = cookie
    assert shown in text_of(client.get(recorded))


def test_the_zone_of_one_person_is_not_that_of_the_next(people, recorded):
    people["superuser"].cookies[COOKIE] = "Europe/Berlin"
    assert "14:00:05" in text_of(people["superuser"].get(recorded))
    assert "12:00:05" in text_of(people["Notification administrators"].get(recorded))


def test_the_login_page_loads_the_script_that_sets_the_zone(db):
    assert "/static/notifications/shell.js" in Client().get(url("login")).content.decode()
