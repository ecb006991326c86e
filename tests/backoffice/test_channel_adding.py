# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""Adding a channel and changing one."""

import pytest
from django.http import QueryDict

from backoffice.channels.fields import MASK
from channels_app.models import Channel
from channels_app.transports import TRANSPORTS
from channels_app.transports.postback.transport import PostbackTransport
from notifications.models import HistoryEntry
from tests.backoffice.notifications_fixtures import admin, page_of, people, said, text_of, url, warehouse

FORM = {"name": "Warehouse", "url": "https://example.com/hook", "headers": ""}
SYSTEM = "/admin/integrations/system-notifications/order.completed/attach/"


def add_url(**query: str) -> str:
    given = QueryDict(mutable=True)
    given.update({"kind": "postback", **query})
    return f"{url('channels_app_channel_add')}?{given.urlencode()}"


@pytest.fixture
def one_kind():
    """Afterwards they are there again, in their order."""
    kinds = dict(TRANSPORTS)
    TRANSPORTS.clear()
    TRANSPORTS["postback"] = kinds["postback"]
    yield
    TRANSPORTS.clear()
    TRANSPORTS.update(kinds)


@pytest.fixture
def two_kinds(one_kind):
    class Pigeon(PostbackTransport):
        kind, label = "pigeon", "Carrier pigeon"

    TRANSPORTS["pigeon"] = Pigeon()


def stored(channel: Channel) -> tuple[str, str, dict[str, str], str]:
    channel.refresh_from_db()
    return channel.name, channel.url, channel.headers, channel.status


def history() -> list[tuple[str, str, str]]:
    return list(HistoryEntry.objects.order_by("id").values_list("action", "by", "sentence"))


def test_a_new_channel_shows_its_secret_once(admin):
    answer = admin.post(
        add_url(),
        {"name": " Warehouse ", "url": "https://EXAMPLE.com/hook", "headers": "Authorization: Bearer s3cret\n\nX-A:1"},
    )
    channel = Channel.objects.get()
    assert (answer.status_code, answer.url) == (302, page_of(channel))
    assert said(answer) == ["Warehouse was created. Its signing secret is shown below, and later by Reveal."]
    assert stored(channel) == (
        "Warehouse",
        "https://example.com/hook",
        {"Authorization": "Bearer s3cret", "X-A": "1"},
        "active",
    )
    assert history() == [("created", "notification", "Warehouse was created.")]
    first = admin.get(page_of(channel))
    assert channel.secret in first.content.decode()
    assert 'data-copy="#secret"' in first.content.decode()
    assert "s3cret" not in first.content.decode()
    assert "no-store" in first["Cache-Control"]
    assert channel.secret not in admin.get(page_of(channel)).content.decode()


def test_a_url_is_stored_and_shown_as_it_is_sent(admin):
    admin.post(add_url(), {**FORM, "url": "https://example.com/100%?a[]=1"})
    channel = Channel.objects.get()
    assert channel.url == "https://example.com/100%25?a%5B%5D=1"
    assert channel.url in admin.get(page_of(channel)).content.decode()


def test_another_persons_new_secret_is_shown_to_nobody_else(people):
    people["Notification administrators"].post(add_url(), FORM)
    channel = Channel.objects.get()
    assert channel.secret not in people["superuser"].get(page_of(channel)).content.decode()


def test_the_form_advises_and_leads_to_the_help_page(admin):
    answer = admin.get(add_url())
    text = text_of(answer)
    assert "Do no heavy work in it. Store the data, start a job and answer at once." in text
    assert "Check every object for null before using it" in text
    assert f'href="{url("help_channels")}"' in answer.content.decode()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "x" * 101}, "Ensure this value has at most 100 characters (it has 101)."),
        ({"url": ""}, "This field is required."),
        ({"url": "ftp://example.com"}, "The URL must begin with https:// or http://."),
        ({"headers": "nonsense"}, "Line 1 must look like Name: value."),
        ({"headers": "A: 1\na: 2"}, "The header a is given twice."),
        ({"headers": "Host: example.com"}, "The header Host is set by Tidings and cannot be given."),
        ({"headers": f"X-New: {MASK}"}, "Give a value for X-New."),
    ],
)
def test_a_refused_channel_writes_nothing_and_keeps_what_was_typed(admin, change, sentence):
    given = {"name": "Depot 7", "url": "https://example.com/typed", "headers": "X-Typed: kept", **change}
    answer = admin.post(add_url(), given)
    assert answer.status_code == 200
    assert sentence in text_of(answer)
    kept = [value for name, value in given.items() if name not in change]
    assert [value in answer.content.decode() for value in kept] == [True, True]
    assert said(answer) == []
    assert not Channel.objects.exists()
    assert history() == []


def test_the_only_kind_is_not_asked_for(admin, one_kind):
    answer = admin.get(url("channels_app_channel_add"))
    assert 'name="url"' in answer.content.decode()
    assert 'name="kind"' not in answer.content.decode()
    assert admin.post(url("channels_app_channel_add"), FORM).status_code == 302
    assert Channel.objects.get().kind == "postback"


def test_of_several_kinds_one_is_chosen_first(admin, two_kinds):
    question = admin.get(url("channels_app_channel_add"), {"next": SYSTEM})
    about = TRANSPORTS["postback"].about
    assert f"Postback {about} Carrier pigeon {about}" in text_of(question)
    page = question.content.decode()
    assert 'name="url"' not in page
    assert f'<input type="hidden" name="next" value="{SYSTEM}">' in page

    form = admin.get(add_url(kind="pigeon"))
    assert "Kind: Carrier pigeon." in text_of(form)
    assert 'name="url"' in form.content.decode()
    assert admin.post(add_url(kind="pigeon"), FORM).status_code == 302
    assert Channel.objects.get().kind == "pigeon"


def test_an_unknown_kind_is_asked_again(admin, two_kinds):
    answer = admin.get(add_url(kind="telegram"))
    assert "There is no such kind of channel." in text_of(answer)
    assert admin.post(add_url(kind="telegram"), FORM).status_code == 200
    assert not Channel.objects.exists()


def test_saving_goes_on_to_the_page_that_asked_for_a_channel(admin):
    answer = admin.post(add_url(next=f"{SYSTEM}?a=1&channel=old#field"), FORM)
    channel = Channel.objects.get()
    assert (answer.status_code, answer.url) == (302, f"{SYSTEM}?a=1&channel={channel.pk}#field")
    (sentence,) = said(answer)
    assert page_of(channel) in sentence
    assert "Its page shows the signing secret now, and later by Reveal." in sentence
    assert channel.secret in admin.get(page_of(channel)).content.decode()
    assert channel.secret not in admin.get(page_of(channel)).content.decode()


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/admin/",
        "//evil.example/admin/",
        "/\\evil.example/admin/",
        "javascript:alert(1)//admin/",
        "/demo/receiver/",
        "/admin/../demo/receiver/",
        "/administrator/",
        "admin/",
        "http:///admin/",
    ],
)
def test_saving_goes_nowhere_but_to_the_back_office(admin, elsewhere):
    cancel = f'<a class="ui-button" href="{url("channels_app_channel_changelist")}">Cancel</a>'
    assert cancel in admin.get(add_url(next=elsewhere)).content.decode()
    assert admin.post(add_url(next=elsewhere), FORM).url == page_of(Channel.objects.get())


def test_editing_keeps_masked_headers_and_replaces_others(admin, warehouse):
    warehouse.headers = {"Authorization": "Bearer s3cret", "X-Old": "1"}
    warehouse.save()
    page = admin.get(page_of(warehouse, "edit"))
    assert "s3cret" not in page.content.decode()
    assert f"Authorization: {MASK}\r\nX-Old: {MASK}" in page.content.decode()

    answer = admin.post(
        page_of(warehouse, "edit"),
        {"name": "Depot", "url": "https://example.com/new", "headers": f"authorization: {MASK}\nX-New: 2"},
    )
    assert (answer.status_code, answer.url) == (302, page_of(warehouse))
    assert said(answer) == ["Depot was updated. Its next attempts use what you gave."]
    assert stored(warehouse) == (
        "Depot",
        "https://example.com/new",
        {"authorization": "Bearer s3cret", "X-New": "2"},
        "active",
    )
    assert history() == [("edited", "notification", "Depot was edited: name (was Warehouse), URL, extra headers.")]


def test_saving_an_unchanged_form_says_so(admin, warehouse):
    before = stored(warehouse)
    form = {"name": "Warehouse", "url": "https://example.com/hook", "headers": f"Authorization: {MASK}"}
    assert said(admin.post(page_of(warehouse, "edit"), form)) == ["Nothing was changed about Warehouse."]
    assert stored(warehouse) == before
    assert history() == []


def test_a_refused_edit_changes_nothing(admin, warehouse):
    before = stored(warehouse)
    answer = admin.post(page_of(warehouse, "edit"), {"name": "Depot", "url": "nowhere", "headers": ""})
    assert answer.status_code == 200
    assert "The URL must begin with https:// or http://." in text_of(answer)
    assert 'value="nowhere"' in answer.content.decode()
    assert stored(warehouse) == before
    assert history() == []


def test_headers_that_cannot_be_read_stay_unless_replaced(admin, warehouse):
    Channel.objects.update(encrypted_headers="unreadable", encrypted_secret="unreadable")
    assert "cannot be read" in text_of(admin.get(page_of(warehouse)))
    assert "The secret cannot be read" in text_of(admin.post(page_of(warehouse, "reveal")))
    assert "Left empty they stay as they are" in text_of(admin.get(page_of(warehouse, "edit")))
    form = {"name": "Depot", "url": "https://example.com/hook", "headers": ""}
    assert admin.post(page_of(warehouse, "edit"), form).status_code == 302
    warehouse.refresh_from_db()
    assert (warehouse.name, warehouse.encrypted_headers) == ("Depot", "unreadable")
    admin.post(page_of(warehouse, "edit"), {**form, "headers": "X-A: 1"})
    assert stored(warehouse)[2] == {"X-A": "1"}


def test_only_administrators_add_and_edit(people, warehouse):
    before = stored(warehouse)
    for role in ("Viewers", "Order staff", "staff without a group"):
        for page in (add_url(), page_of(warehouse, "edit")):
            assert people[role].get(page).status_code == 403, (role, page)
            assert people[role].post(page, FORM).status_code == 403, (role, page)
    assert stored(warehouse) == before
    assert Channel.objects.count() == 1
    assert history() == []
