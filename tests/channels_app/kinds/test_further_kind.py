# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""A further kind is one folder and one entry in the registry: all else follows what it declares."""

import json
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.utils import timezone

from api.keys import create_key
from api.reencryption import reencrypt
from channels_app import encryption
from channels_app.models import Channel
from channels_app.services import create_channel
from channels_app.transports import TRANSPORTS, Answer, Connection, Destination, Message, Outcome, send
from notifications import services
from notifications.delivery.health import is_addressed_alike
from notifications.models import Delivery, DeliveryAttempt, HistoryEntry
from tests.backoffice.notifications_fixtures import admin, page_of, people, said, text_of, url
from tests.calling import Caller
from tests.channels_app.kinds.pager import PagerTransport
from tests.channels_app.kinds.receivers import NEVER, RECEIVERS, Arrived, HttpReceiver
from tests.channels_app.kinds.test_every_kind import (
    TestAnswers,
    TestIsolation,
    TestLife,
    TestRouting,
    make_delivery,
)

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "recognisable-routing-key"
SETTINGS = {"team": "night-shift", "routing_key": KEY}
SHOWN = {"team": "night-shift", "routing_key": "********"}
URL = "https://pager.example.com/v2"
MASK = "••••••••"


class PagerReceiver(HttpReceiver):
    """Repeats what it was sent in its answer's body and in a header."""

    kind: ClassVar[str] = "pager"

    def channel(self, path: str) -> dict[str, Any]:
        return {**super().channel(path), "settings": SETTINGS}

    def nowhere(self) -> dict[str, Any]:
        return {**super().nowhere(), "settings": SETTINGS}

    def arrived(self, path: str, headers: dict[str, str], body: str) -> Arrived:
        page = json.loads(body)
        assert (page["team"], page["key"], headers["x-routing-key"]) == ("night-shift", KEY, KEY)
        return Arrived(self.kind, path, page["event"], page["event"], body)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one entry, and that of its receiver."""
    monkeypatch.setitem(TRANSPORTS, "pager", PagerTransport())
    monkeypatch.setitem(RECEIVERS, "pager", PagerReceiver)


@pytest.fixture
def kind() -> str:
    """For the tests that every kind passes, imported above."""
    return "pager"


@pytest.fixture
def pager(db: None) -> Channel:
    return services.create_channel(name="Night shift", kind="pager", url=URL, settings=SETTINGS, by="ada")


@pytest.fixture
def call(db: None) -> Caller:
    return Caller(create_key(name="Script", scopes=["manage"])[1])


def refused(answer: Any) -> dict[str, str]:
    assert answer.status_code == 422, answer.content
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


def history() -> list[str]:
    return list(HistoryEntry.objects.exclude(channel=None).order_by("id").values_list("sentence", flat=True))


def stored(channel: Channel) -> dict[str, str]:
    return Channel.objects.get(pk=channel.pk).settings


def everything_stored() -> str:
    with connection.cursor() as cursor:
        tables = (
            "channels_app_channel",
            "notifications_delivery",
            "notifications_deliveryattempt",
            "notifications_historyentry",
            "notifications_channelhealth",
        )
        rows = []
        for table in tables:
            cursor.execute(f"SELECT coalesce(string_agg(row_to_json({table})::text, ' '), '') FROM {table}")
            rows.append(cursor.fetchone()[0])
    return " ".join(rows)


class TestThePages:
    def test_it_is_among_the_kinds_everywhere_they_are_listed(self, admin):
        assert "Pager For people on call: a page to their team." in text_of(admin.get(url("channels_app_channel_add")))
        guide = text_of(admin.get(url("help_channels")))
        assert "Pager For people on call: a page to their team." in guide
        assert "E-mail Slack Pager Order completed Yes Yes Yes Yes" in guide

    def test_the_form_asks_for_what_it_declares_and_gives_its_advice(self, admin):
        page = admin.get(url("channels_app_channel_add"), {"kind": "pager"})
        text = text_of(page)
        assert "URL Of your pager's own API." in text
        assert "Team Whom to wake." in text
        assert "Routing key From the pager's integrations. Stored encrypted." in text
        assert "A page wakes somebody up. More in How to create a channel (opens in a new tab)" in text
        for foreign in ("Extra headers", "Recipients", "Slack"):
            assert f'name="{foreign}"' not in page.content.decode()

    def test_it_is_added_shown_and_changed(self, admin):
        add = f"{url('channels_app_channel_add')}?kind=pager"
        form = {"name": "Night", "url": URL, "settings.team": " Night-Shift ", "settings.routing_key": KEY}
        assert admin.post(add, form).status_code == 302
        channel = Channel.objects.get()
        assert stored(channel) == SETTINGS
        page = admin.get(page_of(channel))
        assert f"Address {URL} Team night-shift Routing key {MASK} Kind Pager" in text_of(page)
        assert "A test shows what the pager answers." in text_of(page)
        edit = admin.get(page_of(channel, "edit"))
        assert f"Routing key From the pager's integrations. Stored encrypted. {MASK} keeps the present one." in text_of(
            edit
        )
        assert KEY not in page.content.decode() + edit.content.decode()

        kept = {**form, "settings.team": "day", "settings.routing_key": MASK}
        assert said(admin.post(page_of(channel, "edit"), kept)) == [
            "Night was updated. Its next attempts use what you gave."
        ]
        assert stored(channel) == {"team": "day", "routing_key": KEY}
        assert admin.post(page_of(channel, "edit"), {**kept, "settings.routing_key": "another-key"}).status_code == 302
        assert stored(channel) == {"team": "day", "routing_key": "another-key"}
        assert history() == [
            "Night was created.",
            "Night was edited: team.",
            "Night was edited: routing key.",
        ]

    @pytest.mark.parametrize(
        ("name", "value", "sentence"),
        [
            ("settings.team", "", "This field is required."),
            ("settings.team", "night shift", "A team consists of letters and hyphens."),
            ("settings.team", "x" * 201, "Team must be at most 200 characters long."),
            ("settings.routing_key", "", "This field is required."),
            ("settings.routing_key", "short", "Routing key must be at least 8 characters long."),
            (
                "settings.routing_key",
                MASK,
                f"Give the routing key itself: {MASK} stands for it where it is not shown.",
            ),
            ("settings.routing_key", f"{MASK}a", f"Give the routing key itself: {MASK} stands for it where"),
        ],
    )
    def test_what_cannot_be_used_is_marked_and_nothing_written(self, admin, name, value, sentence):
        form = {"name": "Night", "url": URL, "settings.team": "day", "settings.routing_key": KEY, name: value}
        answer = admin.post(f"{url('channels_app_channel_add')}?kind=pager", form)
        assert (answer.status_code, list(answer.context["form"].errors)) == (200, [name])
        assert sentence in text_of(answer)
        assert (Channel.objects.count(), history()) == (0, [])

    def test_what_somebody_else_changed_meanwhile_is_not_overwritten(self, admin, pager):
        opened = admin.get(page_of(pager, "edit")).context["form"]
        hidden = str(opened.shown_input).split('value="')[1].split('"')[0]
        services.update_channel(channel_id=pager.pk, by="bob", settings={"routing_key": "bobs-routing-key"})
        form = {"name": "Night shift", "url": "https://elsewhere.example.com/", "settings.team": "night-shift"}
        answer = admin.post(page_of(pager, "edit"), {**form, "settings.routing_key": MASK, "form-shown": hidden})
        assert "It belongs together with what you changed: URL." in text_of(answer)
        assert "bobs-routing-key" not in answer.content.decode()
        assert Channel.objects.get().url == URL

    def test_the_dialog_of_an_event_type_adds_one(self, admin):
        dialog = f"{url('event_type_add_channel', 'order.completed')}"
        assert "Routing key" in admin.get(dialog, {"kind": "pager"}).content.decode()
        form = {"kind": "pager", "name": "Night", "url": URL, "settings.team": "day", "settings.routing_key": KEY}
        answer = admin.post(dialog, form)
        assert (answer.status_code, Channel.objects.get().settings["team"]) == (201, "day")
        assert KEY not in answer.content.decode()


class TestTheApi:
    def test_one_is_made_read_and_listed_without_its_secret(self, call):
        made = call("POST", "/channels", {"name": "Night", "kind": "pager", "url": URL, "settings": SETTINGS})
        assert (made.status_code, made.json()["settings"], made.json()["secret"]) == (201, SHOWN, None)
        assert call("GET", f"/channels/{made.json()['id']}").json()["settings"] == SHOWN
        assert call("GET", "/channels").json()["results"][0]["settings"] == SHOWN
        assert Channel.objects.get().settings == SETTINGS

    def test_a_change_keeps_what_it_leaves_out(self, call, pager):
        changed = call("PATCH", f"/channels/{pager.pk}", {"settings": {"team": "Day"}})
        assert (changed.status_code, changed.json()["settings"]) == (200, {**SHOWN, "team": "day"})
        assert stored(pager) == {"team": "day", "routing_key": KEY}
        assert call("PATCH", f"/channels/{pager.pk}", {"name": "Other"}).json()["settings"]["team"] == "day"
        assert history()[1:] == ["Night shift was edited: team.", "Other was edited: name (was Night shift)."]

    @pytest.mark.parametrize(
        ("given", "errors"),
        [
            ({"team": "a b"}, {"settings.team": "A team consists of letters and hyphens."}),
            ({"team": "a\u0000b"}, None),
            (
                {"routing_key": "********"},
                {"settings.routing_key": "Give the routing key itself: ******** stands for it where it is not shown."},
            ),
            ({"routing_key": ""}, {"settings.routing_key": "Routing key is needed."}),
            ({"colour": "red"}, {"settings.colour": "There is no such setting."}),
            ({"team": 5}, None),
            ("team", None),
            (None, None),
        ],
    )
    def test_what_cannot_be_used_is_422_and_changes_nothing(self, call, pager, given, errors):
        found = refused(call("PATCH", f"/channels/{pager.pk}", {"settings": given}))
        assert found == errors or errors is None
        assert (stored(pager), history()) == (SETTINGS, ["Night shift was created."])

    def test_what_it_needs_is_asked_for(self, call):
        new = {"name": "Night", "kind": "pager", "url": URL}
        needed = {"settings.team": "Team is needed.", "settings.routing_key": "Routing key is needed."}
        assert refused(call("POST", "/channels", new)) == needed
        assert refused(call("POST", "/channels", {**new, "headers": {"X-A": "b"}, "settings": SETTINGS})) == {
            "headers": "Pager channels take no extra headers."
        }
        assert not Channel.objects.exists()

    @pytest.mark.parametrize(
        "of_kind", [{"kind": "postback", "url": URL}, {"kind": "email", "recipients": ["ada@example.com"]}]
    )
    def test_kinds_without_settings_take_and_tell_none(self, call, of_kind):
        new = {"name": "Other", **of_kind}
        refusal = refused(call("POST", "/channels", {**new, "settings": {"team": "day"}}))
        assert list(refusal) == ["settings"]
        assert call("POST", "/channels", {**new, "settings": {}}).json()["settings"] == {}


class TestSending:
    def test_a_test_goes_out_and_its_answer_keeps_no_secret(self, engine, receiver, admin):
        channel = create_channel(name="Night", **receiver.channel("/hook"))
        receiver.answer = lambda _: NEVER
        assert admin.post(page_of(channel, "test"), {"event_type": "refund.applied"}).status_code == 302
        engine.deliver_due()
        (arrived,) = receiver.received
        attempt = DeliveryAttempt.objects.get()
        assert (arrived.event, attempt.outcome, attempt.status_code) == (
            Delivery.objects.get().event_id,
            "http_error",
            404,
        )
        assert attempt.request_headers["X-Routing-Key"] == "********"
        assert KEY not in everything_stored()

    def test_whatever_a_kind_answers_holds_no_secret_setting(self, monkeypatch):
        told = Answer(
            Outcome.HTTP_ERROR,
            url=f"https://pager.example.com/{KEY}",
            status_code=400,
            request_headers={"X-Key": KEY},
            response_headers={"X-Echo": f"no {KEY}"},
            response_body=json.dumps({"key": KEY}),
            error=f"{KEY} is unknown.",
        )
        monkeypatch.setattr(PagerTransport, "send", lambda *_, **__: told)
        destination = Destination(kind="pager", url=URL, settings=SETTINGS, secret_settings=(KEY,))
        answer = send(destination, Message("evt_0", b"{}"), now=timezone.now(), timeout=30)
        assert (answer.status_code, answer.error, answer.url) == (
            400,
            "******** is unknown.",
            "https://pager.example.com/********",
        )
        assert KEY not in repr(answer)
        assert KEY not in repr(destination)

    def test_an_answer_to_other_settings_says_nothing_of_these(self, pager):
        before = Channel.objects.get()
        services.update_channel(channel_id=pager.pk, by="ada", settings={"team": "day"})
        assert not is_addressed_alike(before, Channel.objects.get())


class TestAtRest:
    def test_nothing_of_it_is_stored_in_clear(self, pager):
        assert KEY not in everything_stored()
        assert "night-shift" not in everything_stored()

    def test_it_goes_under_the_newest_key(self, pager, settings):
        newer, older = Fernet.generate_key().decode(), settings.SECRETS_ENCRYPTION_KEYS
        settings.SECRETS_ENCRYPTION_KEYS = [newer, *older]
        report = reencrypt()
        assert (report.channels.rewritten, report.lost) == (1, [])
        settings.SECRETS_ENCRYPTION_KEYS = [newer]
        assert stored(pager) == SETTINGS

    def test_without_its_key_it_says_so_and_is_given_anew(self, pager, settings, admin, call):
        settings.SECRETS_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
        assert reencrypt(dry_run=True).lost == [f"Night shift ({pager.pk}): settings"]
        assert call("GET", f"/channels/{pager.pk}").json()["settings"] is None
        page = text_of(admin.get(page_of(pager)))
        assert "Status: Unreadable" in page
        assert "The settings of this channel cannot be read" in page
        edit = page_of(pager, "edit")
        assert "The settings cannot be read" in text_of(admin.get(edit))

        before = Channel.objects.get().encrypted_settings
        named = {"name": "Day shift", "url": URL, "settings.team": "", "settings.routing_key": ""}
        assert admin.post(edit, named).status_code == 302
        assert Channel.objects.get().encrypted_settings == before
        assert admin.post(edit, {**named, "settings.team": "day", "settings.routing_key": ""}).status_code == 200
        assert admin.post(edit, {**named, "settings.team": "day", "settings.routing_key": KEY}).status_code == 302
        assert stored(pager) == {"team": "day", "routing_key": KEY}
        assert KEY not in str(history())

    def test_a_process_of_the_version_before_knows_no_settings_and_loses_none(self, pager):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE channels_app_channel SET name = 'Renamed'")
            cursor.execute(
                "INSERT INTO channels_app_channel (id, name, kind, url, encrypted_headers, encrypted_secret,"
                " encrypted_previous_secret, pause_reason, created_at)"
                " VALUES ('chn_old', 'Old', 'postback', 'https://example.com/', '', '', '', '', now())"
            )
        assert stored(pager) == SETTINGS
        assert stored(Channel(pk="chn_old")) == {}
