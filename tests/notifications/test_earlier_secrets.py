# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""Rotating a signing secret: each earlier one signs until its own time, however often is rotated meanwhile."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.admin.utils import quote
from django.db import connection
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from api.keys import create_key
from channels_app import encryption
from channels_app.earlier_secrets import EarlierSecret, dump
from channels_app.models import Channel
from channels_app.services import create_channel
from notifications import services
from notifications.errors import Conflict
from notifications.models import HistoryEntry
from tests.backoffice.notifications_fixtures import admin, page_of, people, said, text_of, url
from tests.calling import Caller
from tests.notifications.deliveries import make_delivery
from tests.notifications.reencrypting import NEW, OLD, run

pytestmark = pytest.mark.django_db
DAY = timedelta(hours=24)


@pytest.fixture
def warehouse(db: None) -> Channel:
    return create_channel(name="Warehouse", kind="postback", url="https://example.com/hook")


def rotate(channel: Channel, overlap: timedelta = DAY) -> str:
    """The new secret."""
    return services.rotate_secret(channel_id=channel.pk, overlap=overlap, by="ada").secret


def signing(channel: Channel, *, after: timedelta = timedelta()) -> list[str]:
    """The secrets that a message after so long is signed with."""
    channel = Channel.objects.get(pk=channel.pk)
    return list(channel.destination(now=timezone.now() + after).secrets)


def by_api(channel: Channel, expire_old: str) -> Any:
    call = Caller(create_key(name="Script", scopes=["manage"])[1])
    return call("POST", f"/channels/{channel.pk}/rotate-secret", {"expire_old": expire_old})


def ends(channel: Channel) -> list[str]:
    """The addresses at which its earlier secrets are ended, the latest first."""
    channel = Channel.objects.get(pk=channel.pk)
    return [
        url("channels_app_channel_end_secret", quote(channel.pk), each.key)
        for each in channel.secrets_before(timezone.now())
    ]


def test_rotating_again_ends_none_that_a_receiver_may_still_use(warehouse):
    secrets = [warehouse.secret, *(rotate(warehouse) for _ in range(5))]
    assert signing(warehouse) == secrets[::-1]
    assert signing(warehouse, after=DAY) == secrets[-1:]


def test_each_signs_until_its_own_time(warehouse):
    first = warehouse.secret
    second = rotate(warehouse, timedelta(hours=24))
    third = rotate(warehouse, timedelta(hours=2))
    fourth = rotate(warehouse, timedelta(hours=8))
    assert signing(warehouse) == [fourth, third, second, first]
    assert signing(warehouse, after=timedelta(hours=3)) == [fourth, third, first]
    assert signing(warehouse, after=timedelta(hours=9)) == [fourth, first]
    assert signing(warehouse, after=timedelta(hours=25)) == [fourth]


def test_after_a_leak_the_present_one_ends_and_those_before_go_on(warehouse):
    first = warehouse.secret
    rotate(warehouse)
    third = rotate(warehouse, timedelta())
    assert signing(warehouse) == [third, first]
    assert signing(warehouse, after=DAY) == [third]


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_knows_any_of_them_accepts_the_message(engine, receiver, channel):
    secrets = [channel.secret]
    for expire_old in ("24h", "24h", "24h"):
        secrets.append(by_api(channel, expire_old).json()["secret"])
    leaked = secrets[-1]
    secrets[-1] = by_api(channel, "now").json()["secret"]
    make_delivery(channel)
    engine.deliver_due()
    (request,) = receiver.received
    assert len(request.headers["webhook-signature"].split()) == 4
    for secret in secrets:
        Webhook(secret).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(leaked).verify(request.body, request.headers)


def test_five_at_most_sign_beside_the_present_one(warehouse):
    for _ in range(5):
        assert by_api(warehouse, "24h").status_code == 200
    before = signing(warehouse)
    refused = by_api(warehouse, "24h")
    assert refused.status_code == 409
    assert "5 earlier secrets of Warehouse sign already, the first of them until " in refused.json()["detail"]
    assert signing(warehouse) == before
    assert HistoryEntry.objects.filter(action="rotated").count() == 5

    new = by_api(warehouse, "now").json()["secret"]  # adds none
    assert signing(warehouse) == [new, *before[1:]]


def test_one_that_has_ended_makes_room(warehouse):
    for _ in range(5):
        rotate(warehouse)
    with pytest.raises(Conflict):
        rotate(warehouse)
    kept = Channel.objects.get(pk=warehouse.pk).secrets_before(timezone.now())[1:]
    ended = [*kept[:-1], EarlierSecret(kept[-1].encrypted, timezone.now())]
    Channel.objects.update(earlier_secrets=dump(ended))
    rotate(warehouse)
    assert len(signing(warehouse)) == 6


def test_a_process_of_the_version_before_signs_with_the_two_latest_and_loses_no_others(warehouse):
    """It knows the columns alone, and its INSERT none of `earlier_secrets`."""
    first = warehouse.secret
    second, third = rotate(warehouse), rotate(warehouse)
    stored = Channel.objects.values("encrypted_previous_secret", "encrypted_secret").get(pk=warehouse.pk)
    assert encryption.decrypt(stored["encrypted_previous_secret"]) == second
    with connection.cursor() as cursor:  # as it would rotate
        cursor.execute(
            "UPDATE channels_app_channel SET encrypted_previous_secret = encrypted_secret, encrypted_secret = %s,"
            " previous_secret_until = now() + interval '1 hour'",
            [encryption.encrypt("whsec_AAAA")],
        )
        cursor.execute(
            "INSERT INTO channels_app_channel (id, name, kind, url, encrypted_headers, encrypted_secret,"
            " encrypted_previous_secret, pause_reason, created_at)"
            " VALUES ('chn_old', 'Old', 'postback', 'https://example.com/', '', %s, '', '', now())",
            [encryption.encrypt("whsec_BBBB")],
        )
    assert signing(warehouse) == ["whsec_AAAA", third, first]
    assert signing(Channel(pk="chn_old")) == ["whsec_BBBB"]


def test_a_new_secret_signs_although_keys_of_earlier_ones_are_lost(warehouse, settings):
    newer = Fernet.generate_key().decode()
    rotate(warehouse)
    rotate(warehouse)
    settings.SECRETS_ENCRYPTION_KEYS = [newer]
    new = rotate(warehouse)
    assert signing(warehouse) == [new]


class TestReencrypting:
    def test_all_of_them_get_under_the_newest_key(self, settings):
        settings.SECRETS_ENCRYPTION_KEYS = [OLD]
        channel = create_channel(name="Warehouse", kind="postback", url="https://example.com/hook")
        secrets = [channel.secret, *(rotate(channel) for _ in range(3))]
        settings.SECRETS_ENCRYPTION_KEYS = [NEW, OLD]
        assert run().startswith("Secrets and extra headers of channels: 4 rewritten, 0 up to date, 0 cannot be read.")
        assert run().startswith("Secrets and extra headers of channels: 0 rewritten, 4 up to date, 0 cannot be read.")
        settings.SECRETS_ENCRYPTION_KEYS = [NEW]
        assert signing(channel) == secrets[::-1]

    @pytest.mark.parametrize(("until", "needed"), [(DAY, True), (-DAY, False)])
    def test_a_lost_one_is_named_while_it_signs(self, settings, warehouse, until, needed):
        token = encryption.encrypt("whsec_AQ==")
        Channel.objects.update(earlier_secrets=dump([EarlierSecret(token, timezone.now() + until)]))
        settings.SECRETS_ENCRYPTION_KEYS = [NEW]
        channel = Channel.objects.get()
        channel.secret = "whsec_AQ=="
        channel.save()
        from api.reencryption import reencrypt

        report = reencrypt()
        named = [f"Warehouse ({channel.pk}): earlier signing secrets"]
        assert (report.lost, report.unneeded) == ((named, 0) if needed else ([], 1))
        assert json.loads(Channel.objects.get().earlier_secrets)[0]["secret"] == token


class TestThePage:
    def test_it_lists_them_with_their_ends(self, admin, warehouse):
        assert "Earlier secrets" not in text_of(admin.get(page_of(warehouse)))
        rotate(warehouse)
        rotate(warehouse)
        page = admin.get(page_of(warehouse))
        assert text_of(page).count("Signs until") == 2
        for each in Channel.objects.get().secrets_before(timezone.now()):
            assert each.until.isoformat()[:19] in page.content.decode()
            assert each.secret not in page.content.decode()
        assert all(address in page.content.decode() for address in ends(warehouse))

    def test_revealing_shows_them_too(self, admin, warehouse):
        rotate(warehouse)
        page = admin.post(page_of(warehouse, "reveal")).content.decode()
        assert all(secret in page for secret in signing(warehouse))

    def test_one_is_ended_after_a_question(self, admin, warehouse):
        first = warehouse.secret
        second, third = rotate(warehouse), rotate(warehouse)
        latest, _ = ends(warehouse)
        assert "refuses what comes from then on" in text_of(admin.get(latest))
        assert signing(warehouse) == [third, second, first]

        answer = admin.post(latest)
        assert (answer.status_code, answer.url) == (302, page_of(warehouse))
        assert said(answer) == ["The earlier secret was ended. It signs nothing of Warehouse any more."]
        assert signing(warehouse) == [third, first]
        entry = HistoryEntry.objects.latest("pk")
        assert (entry.action, entry.by, entry.channel_id) == ("secret_ended", "notification", warehouse.pk)
        assert entry.sentence.startswith("An earlier secret of Warehouse was ended, which would have signed until 20")

        for again in (admin.get(latest), admin.post(latest)):
            assert said(again)[-1:] == ["That earlier secret has ended already."]
        assert signing(warehouse) == [third, first]
        admin.post(ends(warehouse)[0])
        assert signing(warehouse) == [third]

    def test_one_that_cannot_be_read_is_ended_so_that_messages_go_again(self, admin, warehouse):
        rotate(warehouse)
        Channel.objects.update(encrypted_previous_secret="unreadable")
        with pytest.raises(encryption.SecretUnreadable):
            signing(warehouse)
        assert "Nothing is sent before it is ended" in text_of(admin.get(page_of(warehouse)))
        admin.post(ends(warehouse)[0])
        assert len(signing(warehouse)) == 1

    @pytest.mark.parametrize("role", ["Viewers", "Order staff", "staff without a group", "anonymous"])
    def test_others_end_none(self, people, warehouse, role):
        rotate(warehouse)
        (address,) = ends(warehouse)
        for answer in (people[role].get(address), people[role].post(address)):
            assert answer.status_code == (302 if role == "anonymous" else 403)
        assert len(signing(warehouse)) == 2

    def test_rotating_says_what_goes_on_and_when_there_are_too_many(self, admin, warehouse):
        for _ in range(5):
            rotate(warehouse)
        before = signing(warehouse)
        assert "5 earlier secrets sign as well and go on" in text_of(admin.get(page_of(warehouse, "rotate")))
        answer = admin.post(page_of(warehouse, "rotate"), {"overlap": "24h"})
        assert "5 earlier secrets of Warehouse sign already" in text_of(answer)
        assert signing(warehouse) == before


def test_what_names_no_secret_ends_none(admin, warehouse):
    rotate(warehouse)
    for key in ("0", "nonsense", "9" * 40):
        answer = admin.post(url("channels_app_channel_end_secret", quote(warehouse.pk), key))
        assert said(answer)[-1:] == ["That earlier secret has ended already."]
    assert len(signing(warehouse)) == 2
