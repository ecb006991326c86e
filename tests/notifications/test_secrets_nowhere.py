# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""Signing secrets, extra headers and encryption keys are told nowhere, whatever happens.

Everything happens that could tell them; then all that tells of it is collected and searched, for the values as they
are, as base64, and as HTML, URLs and JSON escape them.
"""

import base64
import html
import json
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest
from cryptography.fernet import Fernet
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone
from django.utils.log import AdminEmailHandler
from redis import Redis

from api.keys import create_key
from channels_app.models import Channel
from channels_app.services import create_channel
from channels_app.transports import Outcome
from notifications import replay, services
from notifications.delivery.engine import Engine
from notifications.delivery.maintenance import recover
from notifications.events import EVENT_TYPES
from notifications.models import AlertDelivery, Delivery, DeliveryAttempt, Event, Trigger
from tests.backoffice.notifications_fixtures import email_administrator, page_of, people, url
from tests.browser.pages import find_pages
from tests.calling import Caller
from tests.notifications.alerting import send_due
from tests.notifications.deliveries import claim_all, let_leases_run_out, make_delivery
from tests.orders.shop import item, pay, place
from tests.servers.hostile import refusing_port
from tests.servers.receiver import Receiver

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# Of 33 bytes each, so that base64 ends without a sign that some escaping changes.
PRESENT, PREVIOUS, EARLIER = (
    base64.b64encode(f"a recognisable signing secret, {end}".encode()).decode() for end in ("A1", "B2", "C3")
)
BROKEN = "recognisable-and-no-base64"
CREDENTIALS = {"Authorization": "Bearer recognisable+credential/1=", "X-Api-Key": "recognisable <2> & 'more'"}
NEW_KEY, OLD_KEY = (Fernet.generate_key().decode() for _ in range(2))


def needles() -> set[str]:
    plain = {PRESENT, PREVIOUS, EARLIER, BROKEN, *CREDENTIALS.values(), NEW_KEY, OLD_KEY, django_settings.SECRET_KEY}
    encoded = {base64.b64encode(each.encode()).decode().rstrip("=") for each in plain}
    escapings = (str, html.escape, quote_plus, lambda text: json.dumps(text)[1:-1])
    return {"recognisable", *(escaped(each) for each in plain | encoded for escaped in escapings)}


class Told:
    """What was told, by where."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def add(self, place: str, text: Any, *, naming: str) -> None:
        """A text, or a response with its headers. `naming` must be in it: what tells nothing proves nothing."""
        if not isinstance(text, str):
            text = text.getvalue().decode() + "".join(f"\n{name}: {value}" for name, value in text.items())
        assert naming in text, f"{place} does not tell of {naming}:\n{text[:2000]}"
        self._texts[place] = text

    def leaks(self) -> dict[str, list[str]]:
        wanted = needles()
        found = {place: sorted(each for each in wanted if each in text) for place, text in self._texts.items()}
        return {place: leaked for place, leaked in found.items() if leaked}


@pytest.fixture
def keeper(receiver, settings) -> Channel:
    """A channel with everything that is secret, under two keys, attached to everything."""
    settings.SECRETS_ENCRYPTION_KEYS = [OLD_KEY]
    channel = create_channel(name="Keeper", kind="postback", url=receiver.url, headers=CREDENTIALS)
    channel.secret = f"whsec_{EARLIER}"
    settings.SECRETS_ENCRYPTION_KEYS = [NEW_KEY, OLD_KEY]
    for secret in (PREVIOUS, PRESENT):
        channel.rotate_secret(f"whsec_{secret}", overlap=timedelta(hours=24), now=timezone.now())
    channel.save()
    for event_type in EVENT_TYPES.values():
        services.set_event_type_enabled(event_type=event_type, enabled=True, by="ada")
        services.attach_channel(event_type=event_type, channel_id=channel.pk, sources=["shop"], by="ada")
    return channel


@pytest.fixture
def mailed_errors() -> Iterator[None]:
    """Errors are mailed with everything that Django has to say of them."""
    handler = AdminEmailHandler(include_html=True)
    handler.setLevel(logging.ERROR)
    logger = logging.getLogger("django.request")
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)


def deliver_in_every_way(keeper: Channel, engine: Engine, receiver: Receiver, settings: Any) -> None:
    """Attempts of every outcome and every trigger, all with both secrets and the headers where there is a request."""
    engine.deliver_due()
    for answer in (lambda _: 503, lambda _: 42):  # 42 is no status of HTTP
        receiver.answer = answer
        deliver(keeper, engine)
    assert AlertDelivery.objects.filter(status="succeeded").count() == 1
    with refusing_port() as port:
        for elsewhere in ("http://10.0.0.5/hook", f"http://127.0.0.1:{port}/hook"):
            deliver(keeper, engine, url=elsewhere)
    done = threading.Event()
    receiver.answer = lambda _: 200 if done.wait(20) else 500
    settings.POSTBACK_TIMEOUT_SECONDS = 0.3
    deliver(keeper, engine, url=receiver.url)
    settings.POSTBACK_TIMEOUT_SECONDS = 5.0
    done.set()
    receiver.answer = lambda _: 410
    deliver(keeper, engine)
    assert AlertDelivery.objects.filter(status="succeeded").count() == 2
    services.resume_channel(channel_id=keeper.pk, by="ada")
    receiver.answer = lambda _: 200
    died = make_delivery(keeper)
    assert claim_all() == [died.pk]
    let_leases_run_out()
    recover()
    engine.deliver_due()
    secret = Channel.objects.get(pk=keeper.pk).encrypted_secret
    keeper.secret = f"whsec_{BROKEN}"
    deliver(keeper, engine, encrypted_secret=keeper.encrypted_secret)
    settings.SECRETS_ENCRYPTION_KEYS = [NEW_KEY]
    deliver(keeper, engine, encrypted_secret=secret)
    settings.SECRETS_ENCRYPTION_KEYS = [NEW_KEY, OLD_KEY]
    services.send_test(channel_id=keeper.pk, event_type=EVENT_TYPES["order.completed"], by="ada")
    failed = Delivery.objects.filter(status="failed").latest("pk")
    services.retry_delivery(delivery_id=failed.pk, by="ada")
    engine.deliver_due()
    replay.start_replay(channel_id=keeper.pk, since=timezone.now() - timedelta(hours=1), by="ada")
    replay.advance()
    engine.deliver_due()
    attempts = DeliveryAttempt.objects.all()
    assert set(attempts.values_list("outcome", flat=True)) == set(Outcome.values) - {Outcome.STARTED, Outcome.REFUSED}
    assert set(attempts.values_list("trigger", flat=True)) == set(Trigger.values)
    assert receiver.received[-1].headers["x-api-key"] == CREDENTIALS["X-Api-Key"]


def deliver(channel: Channel, engine: Engine, **columns: str) -> None:
    Channel.objects.filter(pk=channel.pk).update(**columns)
    make_delivery(channel)
    engine.deliver_due()


def kept_in_valkey() -> str:
    client: Any = Redis.from_url(django_settings.REDIS_URL)
    readers = {b"string": client.get, b"hash": client.hgetall, b"set": client.smembers}
    readers |= {b"list": lambda key: client.lrange(key, 0, -1), b"zset": lambda key: client.zrange(key, 0, -1)}
    text = "\n".join(f"{key!r} {readers[client.type(key)](key)!r}" for key in client.scan_iter())
    client.close()
    return text


def kept_in_postgresql() -> str:
    with connection.cursor() as cursor:
        lines = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT row::text FROM "{table}" row')
            lines += [f"{table} {line}" for (line,) in cursor.fetchall()]
    return "\n".join([*lines, *(str(session.get_decoded()) for session in Session.objects.all())])


def test_whatever_happens_they_are_told_nowhere(
    keeper, engine, receiver, people, lead, mug, settings, caplog, mailed_errors, monkeypatch
):
    caplog.set_level(logging.DEBUG)
    settings.ADMINS = [("Operators", "operators@example.com")]
    email_administrator(people, "grace@example.com")
    root, call, told = people["superuser"], Caller(create_key(name="Script", scopes=["manage"])[1]), Told()
    root.raise_request_exception = False
    pay(place(lead, item("mug")))
    deliver_in_every_way(keeper, engine, receiver, settings)

    # What people and scripts do.
    made = {"name": "Second", "kind": "postback", "url": receiver.url, "headers": CREDENTIALS}
    assert call("POST", "/channels", made, headers={"Idempotency-Key": "k1"}).status_code == 201
    for number, value in enumerate(["recognisable\x07", "recognisable" * 100, 5, "********"]):
        body = {"headers": {**CREDENTIALS, "X-Api-Key": value}}
        told.add(f"refusal {number}", call("PATCH", f"/channels/{keeper.pk}", body), naming="X-Api-Key")
    form = {"name": "Keeper", "url": receiver.url, "headers": "X-Fine: 1\r\nno colon"}
    told.add("refused form", root.post(page_of(keeper, "edit"), form), naming="Line 2 must look like")
    services.update_channel(channel_id=keeper.pk, headers={**CREDENTIALS, "X-Other": "recognisable"}, by="ada")

    # What breaks.
    with monkeypatch.context() as broken:
        broken.setattr("backoffice.channels.detail.health_sentences", lambda channel: 1 / 0)
        told.add("broken page", root.post(page_of(keeper, "reveal")), naming="Something went wrong on our side")
        broken.setattr("notifications.history.record", lambda **entry: 1 / 0)
        change = {"headers": {"X-Api-Key": "recognisable"}}
        told.add("broken call", call("PATCH", f"/channels/{keeper.pk}", change), naming="Something went wrong")
        filled = {"name": "Keeper", "url": receiver.url, "headers": "X-Api-Key: recognisable"}
        told.add("broken form", root.post(page_of(keeper, "edit"), filled), naming="Something went wrong on our side")

    # What is shown, kept and sent.
    for name, path in find_pages(lambda path: root.get(path).content.decode()).items():
        told.add(name, root.get(path, follow=True), naming="<html")
    for page in (page_of(keeper), page_of(keeper, "edit"), page_of(keeper, "rotate")):
        told.add(page, root.get(page), naming="Keeper")
    for delivery in Delivery.objects.all():
        told.add(delivery.pk, root.get(page_of(delivery)), naming="X-Api-Key: ********")
        told.add(f"call {delivery.pk}", call("GET", f"/deliveries/{delivery.pk}"), naming='"X-Api-Key": "********"')
    for event in Event.objects.all():
        told.add(event.pk, root.get(page_of(event)), naming=event.pk)
    told.add("export", root.get(url("notifications_delivery_csv")), naming="Keeper")
    for path, naming in (("/channels", "Keeper"), ("/deliveries", keeper.pk), ("/events", "order.completed")):
        told.add(f"call {path}", call("GET", f"{path}?limit=200"), naming=naming)
    open_to_all = {
        "/metrics": "tidings_up",
        "/healthz/deliveries": "problems",
        "/readyz": "problems",
        "/api/v1/openapi.json": "webhook-id",
    }
    for path, naming in open_to_all.items():
        told.add(path, Client().get(path), naming=naming)
    Channel.objects.filter(pk=keeper.pk).update(url="http://127.0.0.1:8000/demo/receiver/keeper/")
    Client().post("/demo/receiver/keeper/", b"{}", content_type="application/json", headers=CREDENTIALS)
    told.add("demo", root.get("/demo/receiver/"), naming="<dt>x-api-key</dt><dd>********</dd>")
    reports = [message for message in mail.outbox if "Internal Server Error" in message.subject]
    assert ([message.subject for message in mail.outbox[:2]], len(reports)) == (
        ["[Tidings] Keeper keeps failing", "[Tidings] Keeper was paused"],
        6,  # of each error one as text by Django's own handler, and one as HTML by ours
    )
    for number, message in enumerate(mail.outbox):
        texts = [message.subject, message.body, *(str(content) for content, _ in getattr(message, "alternatives", []))]
        told.add(
            f"mail {number}", "\n".join(texts), naming="ZeroDivisionError" if message in reports else message.subject
        )
    told.add("Valkey", kept_in_valkey(), naming="notifications.tasks.deliver_due")
    told.add("PostgreSQL", kept_in_postgresql(), naming="Keeper")
    told.add("log", caplog.text, naming="attempt_broke")

    assert told.leaks() == {}


def test_who_is_shown_them_on_purpose_shows_that_the_search_finds_them(keeper, people):
    call, told = Caller(create_key(name="Script", scopes=["manage"])[1]), Told()
    told.add("revealed", people["superuser"].post(page_of(keeper, "reveal")), naming="Keeper")
    told.add("call", call("GET", f"/channels/{keeper.pk}"), naming="Keeper")
    leaks = told.leaks()
    assert {"recognisable", PRESENT, html.escape(CREDENTIALS["X-Api-Key"])} <= set(leaks["revealed"])
    assert {"recognisable", *CREDENTIALS.values()} <= set(leaks["call"])
    assert not {PRESENT, PREVIOUS, EARLIER} & set(leaks["call"])
