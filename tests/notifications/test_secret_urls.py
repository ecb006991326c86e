# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""The URL of a postback channel that is a secret itself, as those of Zapier, Make and n8n are."""

import logging
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection

from api.keys import create_key
from channels_app.encryption import SecretUnreadable
from channels_app.models import Channel
from notifications import services
from notifications.events import EVENT_TYPES
from notifications.models import Delivery, DeliveryAttempt, HistoryEntry
from tests.backoffice.notifications_fixtures import admin, email_administrator, page_of, people, text_of, url
from tests.browser.pages import find_pages
from tests.calling import Caller
from tests.notifications.alerting import send_due
from tests.notifications.deliveries import make_delivery
from tests.notifications.reencrypting import NEW, OLD, run

pytestmark = pytest.mark.django_db
HOOK = "https://hooks.zapier.example/hooks/catch/12345/recognisable0key0/?token=recognisable1"
MASKED = "https://hooks.zapier.example/********"
HEADERS = {"X-Key": "recognisable2"}


@pytest.fixture
def call(db: None) -> Caller:
    return Caller(create_key(name="Script", scopes=["manage"])[1])


@pytest.fixture
def zap(db: None) -> Channel:
    return services.create_channel(name="Zap", kind="postback", url=HOOK, url_is_secret=True, by="ada")


def stored() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(channels_app_channel)::text FROM channels_app_channel")
        return str(cursor.fetchall())


def refused(answer: Any) -> list[str]:
    assert answer.status_code == 422, answer.content
    return [error["field"] for error in answer.json()["errors"]]


class TestTheApi:
    def test_one_is_made_and_never_told(self, call):
        made = call("POST", "/channels", {"name": "Zap", "kind": "postback", "url": HOOK, "url_is_secret": True})
        assert (made.status_code, made.json()["url"], made.json()["url_is_secret"]) == (201, MASKED, True)
        path = f"/channels/{made.json()['id']}"
        answers = [
            call("GET", path),
            call("GET", "/channels"),
            call("PATCH", path, {"name": "Zap 2"}),
            call("PATCH", path, {"url": f"{HOOK}&more=recognisable"}),
            *(call("POST", f"{path}/{action}", {}) for action in ("pause", "resume")),
            call("POST", f"{path}/rotate-secret", {"expire_old": "now"}),
        ]
        for answer in answers:
            assert answer.status_code == 200
            assert "recognisable" not in answer.content.decode()
        assert Channel.objects.get().whole_url == f"{HOOK}&more=recognisable"
        assert "recognisable" not in stored()
        sentences = HistoryEntry.objects.values_list("sentence", flat=True)
        assert "Zap 2 was edited: URL." in sentences
        assert "recognisable" not in "".join(sentences)

    def test_by_default_it_is_none(self, call):
        made = call("POST", "/channels", {"name": "Hook", "kind": "postback", "url": HOOK}).json()
        assert (made["url"], made["url_is_secret"]) == (HOOK, False)

    def test_one_that_is_used_already_is_marked(self, call):
        channel = services.create_channel(name="Zap", kind="postback", url=HOOK, by="ada")
        answer = call("PATCH", f"/channels/{channel.pk}", {"url_is_secret": True})
        assert (answer.json()["url"], answer.json()["url_is_secret"]) == (MASKED, True)
        assert Channel.objects.get().whole_url == HOOK
        assert "recognisable" not in stored()
        call("PATCH", f"/channels/{channel.pk}", {"url_is_secret": True})
        edits = HistoryEntry.objects.filter(action="edited")
        assert [entry.sentence for entry in edits] == ["Zap was edited: the URL is a secret from now on."]

    def test_to_take_it_back_the_url_is_given_anew(self, call, zap):
        path = f"/channels/{zap.pk}"
        assert refused(call("PATCH", path, {"url_is_secret": False})) == ["url_is_secret"]
        for masked in (MASKED, "https://hooks.zapier.example/********/"):
            assert refused(call("PATCH", path, {"url_is_secret": False, "url": masked})) == ["url"]
        assert (Channel.objects.get().url, Channel.objects.get().whole_url) == (MASKED, HOOK)
        answer = call("PATCH", path, {"url_is_secret": False, "url": "https://example.com/open"})
        assert (answer.json()["url"], answer.json()["url_is_secret"]) == ("https://example.com/open", False)
        assert Channel.objects.get().encrypted_url == ""

    @pytest.mark.parametrize("body", [{"url": MASKED}, {"url": MASKED, "url_is_secret": True}])
    def test_the_mask_cannot_be_written_back(self, call, zap, body):
        assert refused(call("PATCH", f"/channels/{zap.pk}", body)) == ["url"]
        new = {"name": "A", "kind": "postback", "url_is_secret": True, **body}
        assert refused(call("POST", "/channels", new)) == ["url"]
        assert Channel.objects.get().whole_url == HOOK

    def test_only_what_has_a_url_has_a_secret_one(self, call):
        mailing = {"name": "Mail", "kind": "email", "recipients": ["ada@example.com"]}
        assert refused(call("POST", "/channels", {**mailing, "url_is_secret": True})) == ["url_is_secret"]
        assert call("POST", "/channels", mailing).json()["url_is_secret"] is False
        slack = call("POST", "/channels", {"name": "S", "kind": "slack", "url": HOOK}).json()
        assert (slack["url_is_secret"], slack["url"]) == (True, MASKED)
        assert call("PATCH", f"/channels/{slack['id']}", {"url_is_secret": True}).json()["url"] == MASKED
        assert refused(call("PATCH", f"/channels/{slack['id']}", {"url_is_secret": False})) == ["url_is_secret"]

    @pytest.mark.parametrize("value", ["true", 1, None, "yes"])
    def test_nothing_but_a_boolean_is_taken(self, call, zap, value):
        assert refused(call("PATCH", f"/channels/{zap.pk}", {"url_is_secret": value})) == ["url_is_secret"]


class TestThePages:
    def test_the_form_makes_one_and_does_not_show_it(self, admin):
        add = f"{url('channels_app_channel_add')}?kind=postback"
        assert "The URL is a secret" in text_of(admin.get(add))
        admin.post(add, {"name": "Zap", "url": HOOK, "url_is_secret": "on", "headers": ""})
        channel = Channel.objects.get()
        assert (channel.url, channel.whole_url) == (MASKED, HOOK)
        assert "recognisable" not in admin.get(page_of(channel, "edit")).content.decode()

    def test_an_empty_field_keeps_it(self, admin, zap):
        admin.post(page_of(zap, "edit"), {"name": "Zap 2", "url": "", "url_is_secret": "on", "headers": ""})
        assert (Channel.objects.get().name, Channel.objects.get().whole_url) == ("Zap 2", HOOK)

    def test_to_take_it_back_the_url_is_given_anew(self, admin, zap):
        answer = admin.post(page_of(zap, "edit"), {"name": "Zap", "url": "", "headers": ""})
        assert "Give the URL as well" in text_of(answer)
        assert Channel.objects.get().url_is_secret is True
        admin.post(page_of(zap, "edit"), {"name": "Zap", "url": "https://example.com/open", "headers": ""})
        assert (Channel.objects.get().url_is_secret, Channel.objects.get().url) == (False, "https://example.com/open")

    def test_it_is_seen_by_revealing_it_which_is_kept(self, admin, zap):
        assert "recognisable" not in admin.get(page_of(zap)).content.decode()
        HistoryEntry.objects.all().delete()
        shown = text_of(admin.post(page_of(zap, "reveal")))
        assert HOOK in shown and zap.secret in shown
        assert [entry.sentence for entry in HistoryEntry.objects.all()] == [
            "The URL, the secret and the extra headers of Zap were shown."
        ]
        assert "recognisable" not in admin.get(page_of(zap)).content.decode()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_whatever_happens_it_is_told_nowhere(engine, receiver, people, call, settings, caplog):
    """A receiver that sends everything back; what was sent before it became a secret, too."""
    caplog.set_level(logging.DEBUG)
    email_administrator(people, "grace@example.com")
    whole = f"{receiver.url}/recognisable0key0123/?token=recognisable1"
    channel = services.create_channel(name="Zap", kind="postback", url=whole, headers=HEADERS, by="ada")
    event_type = EVENT_TYPES["order.completed"]
    services.set_event_type_enabled(event_type=event_type, enabled=True, by="ada")
    services.attach_channel(event_type=event_type, channel_id=channel.pk, sources=["shop"], by="ada")
    before = make_delivery(channel)
    engine.deliver_due()
    assert "recognisable1" in DeliveryAttempt.objects.get().url  # as ever

    services.update_channel(channel_id=channel.pk, url_is_secret=True, by="ada")
    assert Channel.objects.get().destination().url == whole
    receiver.headers = {"Location": whole, "X-Echo": "recognisable0key0123"}
    for status in (503, 302, 410):
        receiver.answer = lambda _, status=status: status
        make_delivery(channel)
        engine.deliver_due()
        services.resume_channel(channel_id=channel.pk, by="ada")
    for broken in (
        "http://10.0.0.5/recognisable0key0123",
        "http://127.0.0.1:9/recognisable0key0123",
        "ftp:recognisable",
    ):
        channel = Channel.objects.get()
        channel.whole_url = broken
        channel.save()
        make_delivery(channel)
        engine.deliver_due()
    services.send_test(channel_id=channel.pk, event_type=event_type, by="ada")
    engine.deliver_due()
    send_due()
    assert len(receiver.received) >= 4
    assert {arrived.path for arrived in receiver.received} == {"/hook/recognisable0key0123/?token=recognisable1"}

    root, told = people["superuser"], {}
    for path in find_pages(lambda path: root.get(path).content.decode()).values():
        told[path] = root.get(path, follow=True).content.decode()
    for delivery in Delivery.objects.all():
        told[delivery.pk] = root.get(page_of(delivery)).content.decode()
        told[f"call {delivery.pk}"] = call("GET", f"/deliveries/{delivery.pk}").content.decode()
        assert "/********" in told[delivery.pk]
    assert "curl -gi" in told[before.pk]
    told["page"] = root.get(page_of(channel)).content.decode()
    told["export"] = root.get(url("notifications_delivery_csv")).getvalue().decode()
    told["log"] = caplog.text
    told["mail"] = "".join(f"{message.subject}{message.body}" for message in mail.outbox)
    told["history"] = "".join(HistoryEntry.objects.values_list("sentence", flat=True))
    recorded = DeliveryAttempt.objects.exclude(delivery=before)
    told["attempts"] = str(list(recorded.values("url", "error", "response_headers", "response_body")))
    told["channel"] = stored()
    assert [place for place, text in told.items() if "recognisable" in text] == []
    assert mail.outbox


def test_a_lost_key_stops_the_channel_and_does_not_call_the_masked_address(zap, settings):
    settings.SECRETS_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(SecretUnreadable):
        Channel.objects.get().destination()
    Channel.objects.update(encrypted_url="")
    with pytest.raises(SecretUnreadable):
        _ = Channel.objects.get().whole_url


def test_it_is_encrypted_anew_with_the_other_secrets(settings):
    settings.SECRETS_ENCRYPTION_KEYS = [OLD]
    services.create_channel(name="Zap", kind="postback", url=HOOK, url_is_secret=True, by="ada")
    settings.SECRETS_ENCRYPTION_KEYS = [NEW, OLD]
    assert run().startswith("Secrets and extra headers of channels: 2 rewritten")
    settings.SECRETS_ENCRYPTION_KEYS = [NEW]
    assert Channel.objects.get().whole_url == HOOK


def test_a_process_of_the_version_before_that_writes_it_in_clear_stops_nothing(zap):
    """It does not know the mark: what it writes goes out, and is encrypted when somebody gives the URL again."""
    Channel.objects.update(url="https://example.com/other", encrypted_url="")
    assert Channel.objects.get().destination().url == "https://example.com/other"
    services.update_channel(channel_id=zap.pk, url=HOOK, by="ada")
    assert (Channel.objects.get().url, Channel.objects.get().whole_url) == (MASKED, HOOK)
