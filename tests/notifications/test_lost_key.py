# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""With the encryption key gone, everything says so and goes on; nothing is lost, and there is a way out."""

import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.http import HttpResponse
from standardwebhooks import Webhook

from api.keys import create_key
from api.reencryption import reencrypt
from channels_app.models import Channel
from channels_app.services import create_channel
from notifications import services
from notifications.events import EVENT_TYPES
from notifications.models import HistoryEntry
from tests.api.problems import assert_fields
from tests.backoffice.notifications_fixtures import admin, page_of, people, said, text_of, url
from tests.calling import Caller
from tests.notifications.deliveries import make_delivery, story

pytestmark = pytest.mark.django_db(transaction=True)

GONE, PRESENT = (Fernet.generate_key().decode() for _ in range(2))
SENTENCE = (
    "The secrets of this channel cannot be read: the key that encrypted them is not in SECRETS_ENCRYPTION_KEYS. "
    "Put it back there, or give them anew: rotate the signing secret and give the extra headers, or the webhook URL, "
    "again."
)
HEADERS = {"Authorization": "Bearer s3cret"}
ORDER_COMPLETED = EVENT_TYPES["order.completed"]


@pytest.fixture
def lost(receiver, settings) -> Channel:
    """A channel whose key is no longer there."""
    settings.SECRETS_ENCRYPTION_KEYS = [GONE]
    channel = create_channel(name="Bookkeeping", kind="postback", url=receiver.url, headers=HEADERS)
    settings.SECRETS_ENCRYPTION_KEYS = [PRESENT]
    return channel


@pytest.fixture
def call(db) -> Caller:
    return Caller(create_key(name="Script", scopes=["manage"])[1])


def parsed(answer: HttpResponse, status: int = 200) -> Any:
    assert answer.status_code == status, answer.content
    return json.loads(answer.content) if answer.content else None


def stored(channel: Channel) -> tuple[str, str]:
    channel.refresh_from_db()
    return channel.encrypted_secret, channel.encrypted_headers


class TestTheWorker:
    def test_it_says_what_to_do_and_goes_on_with_other_channels(self, lost, engine, receiver, caplog):
        fine = create_channel(name="Warehouse", kind="postback", url=receiver.url)
        made = [make_delivery(channel) for channel in (lost, fine, lost, fine)]
        test = services.send_test(channel_id=lost.pk, event_type=ORDER_COMPLETED, by="ada")
        caplog.set_level("DEBUG")
        assert engine.deliver_due() == 4 + 1 + 4 + 1 + 1
        for delivery in [*made, test]:
            delivery.refresh_from_db()
        assert [(each.status, each.outcome, each.error) for each in made] == [
            ("failed", "internal_error", SENTENCE),
            ("succeeded", "succeeded", ""),
        ] * 2
        assert story(made[0]) == [
            (1, "first", "internal_error", None),
            (2, "automatic", "internal_error", None),
            (3, "automatic", "internal_error", None),
            (4, "automatic", "internal_error", None),
        ]
        assert set(made[0].attempts.values_list("error", "url")) == {(SENTENCE, receiver.url)}
        assert (test.status, test.attempts_made, test.error) == ("failed", 1, SENTENCE)
        assert {request.id for request in receiver.received} == {made[1].event_id, made[3].event_id}
        assert "Traceback" not in caplog.text

    def test_where_the_headers_alone_are_lost_nothing_goes_out_without_them(self, lost, engine, receiver):
        services.rotate_secret(channel_id=lost.pk, overlap=timedelta(), by="ada")
        delivery = make_delivery(lost)
        engine.deliver_due()
        delivery.refresh_from_db()
        assert (delivery.outcome, delivery.error) == ("internal_error", SENTENCE)
        assert receiver.received == []

    def test_once_the_key_is_back_a_retry_arrives(self, lost, engine, receiver, settings):
        delivery = make_delivery(lost)
        engine.deliver_due()
        settings.SECRETS_ENCRYPTION_KEYS = [PRESENT, GONE]
        services.retry_delivery(delivery_id=delivery.pk, by="ada")
        engine.deliver_due()
        delivery.refresh_from_db()
        assert (delivery.status, delivery.attempts_made) == ("succeeded", 5)
        (request,) = receiver.received
        Webhook(lost.secret).verify(request.body, request.headers)
        assert request.headers["authorization"] == "Bearer s3cret"

    @pytest.mark.parametrize("overlap", [timedelta(), timedelta(hours=24)])
    def test_with_a_new_secret_and_the_headers_given_anew_it_works_without_the_key(
        self, lost, engine, receiver, overlap
    ):
        channel = services.rotate_secret(channel_id=lost.pk, overlap=overlap, by="ada")
        services.update_channel(channel_id=lost.pk, headers={"Authorization": "Bearer new"}, by="ada")
        delivery = make_delivery(lost)
        engine.deliver_due()
        delivery.refresh_from_db()
        assert delivery.status == "succeeded"
        (request,) = receiver.received
        Webhook(channel.secret).verify(request.body, request.headers)
        assert request.headers["authorization"] == "Bearer new"


class TestThePages:
    def test_the_list_the_channel_and_its_delivery_open(self, lost, engine, admin):
        delivery = make_delivery(lost)
        engine.deliver_due()
        assert "Bookkeeping" in text_of(admin.get(url("channels_app_channel_changelist")))
        page = text_of(admin.get(page_of(lost)))
        assert "They cannot be read: the key that encrypted them is not in SECRETS_ENCRYPTION_KEYS." in page
        assert SENTENCE in text_of(admin.get(page_of(delivery)))

    def test_revealing_says_so(self, lost, admin):
        page = text_of(admin.post(page_of(lost, "reveal")))
        assert (
            "The secret cannot be read: the key that encrypted it is not in SECRETS_ENCRYPTION_KEYS. Put it back, or "
            "make a new secret." in page
        )
        assert "They cannot be read" in page

    def test_they_say_so_where_the_secret_alone_is_lost(self, lost, admin):
        Channel.objects.update(encrypted_headers="")
        row = f"Bookkeeping Postback {lost.url} unreadable"
        assert row in text_of(admin.get(url("channels_app_channel_changelist")))
        assert f"Status: Unreadable Pause Edit Delete {SENTENCE} Address" in text_of(admin.get(page_of(lost)))

    @pytest.mark.parametrize("overlap", ["now", "24h"])
    def test_rotating_gives_a_new_secret_that_signs_alone(self, lost, admin, overlap):
        before = stored(lost)
        answer = admin.post(page_of(lost, "rotate"), {"overlap": overlap})
        sentence = "Bookkeeping has a new secret. It is shown below, and later by Reveal. The old one signs no more."
        assert (answer.status_code, said(answer)) == (302, [sentence])
        secret, headers = stored(lost)
        assert (secret == before[0], headers == before[1]) == (False, True)
        assert (lost.encrypted_previous_secret, lost.previous_secret_until) == ("", None)
        assert lost.secret in admin.get(page_of(lost)).content.decode()
        entry = HistoryEntry.objects.latest("pk")
        assert entry.sentence == "Bookkeeping was given a new signing secret. The old one ended."

    @pytest.mark.parametrize("action", ["edit", "pause", "rotate", "replay", "delete"])
    def test_what_can_be_done_to_it_can_be_asked_for(self, lost, admin, action):
        before = stored(lost)
        assert admin.get(page_of(lost, action)).status_code == 200
        assert stored(lost) == before


class TestTheApi:
    def test_headers_that_cannot_be_read_are_null(self, lost, call):
        assert parsed(call("GET", f"/channels/{lost.pk}"))["headers"] is None
        (listed,) = parsed(call("GET", "/channels"))["results"]
        assert (listed["id"], listed["headers"]) == (lost.pk, None)

    def test_no_call_fails_and_none_touches_what_cannot_be_read(self, lost, call):
        before, path = stored(lost), f"/channels/{lost.pk}"
        everything = {"since": "2026-01-01T00:00:00Z"}
        for method, call_path, body, status in (
            ("PATCH", path, {"name": "Depot", "url": "https://example.com/two"}, 200),
            ("POST", f"{path}/test", b"", 202),
            ("POST", f"{path}/pause", b"", 200),
            ("POST", f"{path}/resume", b"", 200),
            ("POST", f"{path}/replay", everything, 202),
            ("POST", "/event-types/order.completed/channels", {"channel": lost.pk}, 201),
            ("GET", "/deliveries", b"", 200),
            ("DELETE", path, b"", 204),
        ):
            parsed(call(method, call_path, body), status)
        assert stored(lost) == before

    def test_a_null_that_was_read_cannot_be_written_back(self, lost, call):
        before = stored(lost)
        answer = call("PATCH", f"/channels/{lost.pk}", {"name": "Depot", "headers": None})
        assert_fields(answer, {"headers": "This must be an object."})
        assert stored(lost) == before
        assert not HistoryEntry.objects.exclude(action="key_made").exists()

    @pytest.mark.parametrize("expire_old", ["now", "24h"])
    def test_rotating_answers_with_a_new_secret(self, lost, call, expire_old):
        answer = parsed(call("POST", f"/channels/{lost.pk}/rotate-secret", {"expire_old": expire_old}))
        lost.refresh_from_db()
        assert (answer["secret"], answer["headers"]) == (lost.secret, None)

    def test_giving_the_headers_anew_replaces_them(self, lost, call):
        answer = parsed(call("PATCH", f"/channels/{lost.pk}", {"headers": {"X-Token": "new"}}))
        assert answer["headers"] == {"X-Token": "new"}


def test_the_command_names_it_and_leaves_it(lost):
    before = stored(lost)
    with pytest.raises(CommandError, match=rf"Bookkeeping \({lost.pk}\): signing secret, extra headers"):
        call_command("reencrypt_secrets")
    assert stored(lost) == before


def test_the_url_of_a_slack_channel_follows_to_the_newest_key_and_is_in_no_history(db, settings):
    first, second = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.SECRETS_ENCRYPTION_KEYS = [first]
    url = "https://hooks.slack.com/services/T0/B0/recognisable"
    channel = services.create_channel(name="Sales", kind="slack", url=f"{url}-1", by="ada")
    services.update_channel(channel_id=channel.pk, url=url, by="ada")
    services.update_channel(channel_id=channel.pk, url=url, by="ada")
    assert [entry.sentence for entry in HistoryEntry.objects.order_by("pk")] == [
        "Sales was created.",
        "Sales was edited: URL.",
    ]
    settings.SECRETS_ENCRYPTION_KEYS = [second, first]
    assert reencrypt().rewritten == 1
    settings.SECRETS_ENCRYPTION_KEYS = [second]
    assert Channel.objects.get().whole_url == url
    settings.SECRETS_ENCRYPTION_KEYS = [first]
    assert (Channel.objects.get().readable_url, Channel.objects.get().is_readable) == (None, False)
    # Nor does it ever post to the masked one.
    Channel.objects.update(encrypted_url="")
    assert Channel.objects.get().readable_url is None
