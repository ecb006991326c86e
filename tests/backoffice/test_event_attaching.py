# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""Attaching a channel to an event type, adding one on the way, changing its sources, and removing it."""

import html
import re

import pytest

from channels_app.models import Channel
from notifications import services
from notifications.events import EVENT_TYPES
from notifications.models import EventChannel, HistoryEntry
from tests.backoffice.notifications_fixtures import admin, people, said, text_of, url, warehouse

COMPLETED = EVENT_TYPES["order.completed"]


def attachments() -> list[tuple[str, str, list[str]]]:
    return [(a.event_type, a.channel.name, a.sources) for a in EventChannel.objects.select_related("channel")]


def offered(page: str) -> str:
    """The select of channels, without that of kinds in the dialog behind Add."""
    selects: list[str] = re.findall(r'<select name="channel".*?</select>', page, flags=re.S)
    return selects[0]


def create_channel(name: str, path: str) -> Channel:
    return services.create_channel(name=name, kind="postback", url=f"https://example.com/{path}", by="test")


def test_attaching_links_a_channel_with_the_chosen_sources(admin, warehouse):
    page = admin.get(url("event_type_attach", COMPLETED.key)).content.decode()
    assert re.findall(r'<option value="(\w+)"', offered(page)) == [warehouse.pk]
    assert re.findall(r'type="checkbox" name="sources" value="(\w+)"[^>]*checked', page) == ["admin", "shop", "funnel"]

    answer = admin.post(
        url("event_type_attach", COMPLETED.key), {"channel": warehouse.pk, "sources": ["shop", "admin"]}
    )
    assert (answer.status_code, answer.url) == (302, url("event_type", COMPLETED.key))
    assert said(answer) == ["Warehouse was linked to Order completed."]
    assert attachments() == [("order.completed", "Warehouse", ["admin", "shop"])]


def test_only_channels_that_can_be_attached_are_offered(admin, warehouse):
    attached = create_channel("Attached", "a")
    services.attach_channel(event_type=COMPLETED, channel_id=attached.pk, sources=["shop"], by="test")
    archived = create_channel("Archived", "b")
    services.archive_channel(channel_id=archived.pk, by="test")
    other_kind = Channel.objects.create(name="Other kind", kind="email")

    page = admin.get(url("event_type_attach", "customer.created")).content.decode()
    assert re.findall(r'<option value="\w+">(\w+) ', offered(page)) == ["Attached", "Warehouse"]
    page = admin.get(url("event_type_attach", COMPLETED.key)).content.decode()
    assert re.findall(r'<option value="\w+">([\w ]+) \(', offered(page)) == ["Other kind", "Warehouse"]

    for channel_id in (warehouse.pk, other_kind.pk):
        services.attach_channel(event_type=COMPLETED, channel_id=channel_id, sources=["shop"], by="test")
    page = text_of(admin.get(url("event_type_attach", COMPLETED.key)))
    assert "Every channel that Order completed allows is attached already, or there is none yet. Press Add" in page


def test_a_channel_named_in_the_address_is_chosen_where_it_may_be(admin, warehouse):
    def chosen(channel_id: str) -> list[str]:
        page = admin.get(url("event_type_attach", COMPLETED.key), {"channel": channel_id}).content.decode()
        return re.findall(r'<option value="(\w*)" selected', offered(page))

    create_channel("Another", "a")
    assert chosen(warehouse.pk) == [warehouse.pk]
    assert chosen("chn_nobody") == [""]
    services.archive_channel(channel_id=warehouse.pk, by="test")
    assert chosen(warehouse.pk) == [""]


def test_attaching_twice_says_so(admin, warehouse):
    services.attach_channel(event_type=COMPLETED, channel_id=warehouse.pk, sources=["shop"], by="test")
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
    services.attach_channel(event_type=COMPLETED, channel_id=warehouse.pk, sources=["shop"], by="test")
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
    services.attach_channel(event_type=COMPLETED, channel_id=warehouse.pk, sources=["shop"], by="test")
    question = url("event_type_detach", COMPLETED.key, warehouse.pk)
    assert "Warehouse will hear no more of Order completed." in text_of(admin.get(question))
    assert len(attachments()) == 1

    answer = admin.post(question)
    assert (answer.status_code, answer.url) == (302, url("event_type", COMPLETED.key))
    assert said(answer) == ["Warehouse was removed from Order completed."]
    assert attachments() == []
    assert Channel.objects.filter(archived_at=None).count() == 1
    assert admin.post(question).status_code == 404


def test_only_the_permitted_change_attachments(people, warehouse):
    services.attach_channel(event_type=COMPLETED, channel_id=warehouse.pk, sources=["shop"], by="test")
    other = url("event_type_attach", "refund.applied")
    for role in ("Viewers", "Order staff", "staff without a group"):
        client = people[role]
        assert client.post(other, {"channel": warehouse.pk, "sources": ["shop"]}).status_code == 403
        edit = url("event_type_sources", COMPLETED.key, warehouse.pk)
        assert client.post(edit, {"sources": ["admin"]}).status_code == 403
        assert client.post(url("event_type_detach", COMPLETED.key, warehouse.pk)).status_code == 403
    assert attachments() == [("order.completed", "Warehouse", ["shop"])]


# Adding a channel on the way


def test_add_leads_without_scripts_to_the_page_that_adds_and_comes_back(admin):
    page = html.unescape(admin.get(url("event_type_attach", "customer.created")).content.decode())
    back = url("event_type_attach", "customer.created").replace("/", "%2F")
    assert f'href="{url("channels_app_channel_add")}?kind=postback&next={back}" data-dialog="new-channel"' in page
    assert page.count('<dialog class="ui-dialog" id="new-channel"') == 1


def test_add_creates_a_channel_and_answers_with_its_option_and_its_secret(admin):
    answer = admin.post(
        url("event_type_add_channel", COMPLETED.key),
        {"kind": "postback", "name": "Books", "url": "https://example.com/books", "headers": "X-Key: abc"},
    )
    assert answer.status_code == 201
    channel = Channel.objects.get()
    assert (channel.name, channel.url, channel.headers) == ("Books", "https://example.com/books", {"X-Key": "abc"})
    page = answer.content.decode()
    # ui.js takes the first option; those of the kinds stand in the form.
    assert (
        re.findall(r"<option [^>]*>[^<]*</option>", page)[0]
        == f'<option value="{channel.pk}">Books (Postback, https://example.com/books)</option>'
    )
    assert page.index("<option") < page.index("data-said") < page.index("<form")
    assert re.findall(r'id="new-secret">([^<]+)<', page) == [channel.secret]
    assert "no-store" in answer["Cache-Control"]
    # The form for the next one is empty.
    assert 'value="Books"' not in page
    assert list(HistoryEntry.objects.values_list("by", "sentence")) == [("notification", "Books was created.")]
    assert attachments() == []

    page = admin.get(url("event_type_attach", COMPLETED.key)).content.decode()
    assert channel.secret not in page
    assert channel.pk in page


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"name": "", "url": "https://example.com/"}, "This field is required."),
        ({"name": "Books", "url": "ftp://example.com/"}, "The URL must begin with https:// or http://."),
        ({"name": "Books", "url": "https://example.com/", "headers": "Host: x"}, "host"),
    ],
)
def test_add_answers_a_refusal_with_the_form_and_creates_nothing(admin, data, sentence):
    answer = admin.post(url("event_type_add_channel", COMPLETED.key), {"kind": "postback", **data})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert sentence in re.findall(r'<ul class="errorlist"[^>]*>(.*?)</ul>', page, flags=re.S)[0].replace("Host", "host")
    assert len(re.findall(r'aria-invalid="true"', page)) == 1
    assert "<option" not in page[: page.index("<form")]
    assert "data-said" not in page
    assert not Channel.objects.exists()
    assert not HistoryEntry.objects.exists()


@pytest.mark.parametrize(
    ("kind", "given", "label"),
    [
        (
            "email",
            {"recipients": "ada@example.com\nbob@example.com\ncy@example.com\ndee@example.com\neve@example.com"},
            "Team (E-mail, ada@example.com, bob@example.com, cy@example.com and 2 more)",
        ),
        (
            "slack",
            {"url": "https://hooks.slack.com/services/T0/B0/s3cretpart"},
            "Team (Slack, https://hooks.slack.com/********)",
        ),
    ],
)
def test_add_creates_a_channel_of_a_kind_that_people_read(admin, kind, given, label):
    answer = admin.post(url("event_type_add_channel", COMPLETED.key), {"kind": kind, "name": "Team", **given})
    assert answer.status_code == 201
    channel = Channel.objects.get()
    assert (channel.kind, channel.name) == (kind, "Team")
    page = answer.content.decode()
    assert re.findall(r"<option [^>]*>[^<]*</option>", page)[0] == f'<option value="{channel.pk}">{label}</option>'
    assert 'data-said="Team was created and is chosen."' in page
    assert "new-secret" not in page and "s3cretpart" not in page
    attach = admin.get(url("event_type_attach", COMPLETED.key)).content.decode()
    assert f'<option value="{channel.pk}">{label}</option>' in offered(attach)
    assert "s3cretpart" not in attach


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (COMPLETED.key, ""),
        (COMPLETED.key, "pigeon"),
        ("customer.created", "email"),
        ("customer.created", "slack"),
        ("survey.completed", "email"),
        ("survey.completed", "slack"),
    ],
)
def test_add_refuses_a_kind_that_the_event_type_does_not_allow(admin, key, kind):
    sent = {"kind": kind, "name": "Books", "url": "https://example.com/", "recipients": "ada@example.com"}
    assert admin.post(url("event_type_add_channel", key), sent).status_code == 400
    assert admin.get(url("event_type_add_channel", key), {"kind": kind}).status_code == 400
    assert not Channel.objects.exists()


@pytest.mark.parametrize(
    ("kind", "fields", "about"),
    [
        (
            "postback",
            ["name", "url", "url_is_secret", "headers"],
            "For programs: a signed POST of JSON to a URL of yours.",
        ),
        ("email", ["name", "recipients"], "For people: one e-mail in words to up to 50 addresses."),
        ("slack", ["name", "url"], "For teams: a message in words in a conversation of Slack or Mattermost."),
    ],
)
def test_add_shows_the_empty_form_of_a_kind(admin, kind, fields, about):
    answer = admin.get(url("event_type_add_channel", COMPLETED.key), {"kind": kind})
    assert answer.status_code == 200
    page = answer.content.decode()
    assert re.findall(r'<(?:input|textarea)[^>]* name="(\w+)"', page) == ["csrfmiddlewaretoken", *fields]
    assert re.findall(r'<option value="(\w+)" selected', page) == [kind]
    assert 'aria-describedby="id_kind_helptext"' in page
    assert f'id="id_kind_helptext">{about}<' in page


@pytest.mark.parametrize("key", [each.key for each in EVENT_TYPES.values() if each.postback_only])
def test_an_event_type_for_postbacks_alone_offers_no_other_kind_and_says_so(admin, warehouse, key):
    page = admin.get(url("event_type_attach", key))
    label, content = EVENT_TYPES[key].label, page.content.decode()
    assert f"{label} goes to postbacks only; other kinds are not offered." in text_of(page)
    assert 'aria-describedby="id_channel_helptext"' in offered(content)
    assert f"A postback: {label} goes to no other kind of channel." in text_of(page)
    assert '<input type="hidden" name="kind" value="postback">' in content
    assert "data-kind" not in content
    assert "Postbacks only: no other kind of channel can be attached." in text_of(admin.get(url("event_type", key)))


def test_an_event_type_for_all_kinds_offers_each(admin):
    page = admin.get(url("event_type_attach", COMPLETED.key)).content.decode()
    kinds = re.findall(r'<select name="kind".*?</select>', page, flags=re.S)[0]
    assert dict(re.findall(r'<option value="(\w+)"[^>]*>([^<]+)<', kinds)) == {
        "postback": "Postback",
        "email": "E-mail",
        "slack": "Slack",
    }
    assert "goes to postbacks only" not in page


def test_only_those_who_may_add_channels_are_offered_it(sign_in):
    may_attach = ("notifications.view_eventchannel", "notifications.add_eventchannel")
    client = sign_in(*may_attach)
    page = client.get(url("event_type_attach", COMPLETED.key))
    assert page.status_code == 200
    assert "new-channel" not in page.content.decode()
    assert "A notification administrator can add one." in text_of(page)
    sent = {"kind": "postback", "name": "Books", "url": "https://example.com/"}
    assert client.post(url("event_type_add_channel", COMPLETED.key), sent).status_code == 403
    assert (
        sign_in("channels_app.add_channel").post(url("event_type_add_channel", COMPLETED.key), sent).status_code == 403
    )
    assert not Channel.objects.exists()


@pytest.mark.parametrize("page", ["event_type_sources", "event_type_detach"])
def test_what_a_menu_shows_in_a_dialog_is_marked_on_its_page(admin, warehouse, page):
    """ui.js takes the form with this mark from the page, its heading, and the way back."""
    services.attach_channel(event_type=COMPLETED, channel_id=warehouse.pk, sources=["shop"], by="test")
    content = admin.get(url(page, COMPLETED.key, warehouse.pk)).content.decode()
    heading = {"event_type_sources": "Sources of Warehouse", "event_type_detach": "Remove Warehouse?"}[page]
    assert len(re.findall(rf'<form [^>]*data-dialog-content="{re.escape(heading)}">', content)) == 1
    back = url("event_type", COMPLETED.key)
    assert len(re.findall(rf'<a class="ui-button" href="{back}" data-close', content)) == 1
