"""The engine with a mail server: who gets what, once, whatever the server puts off or drops."""

from collections import Counter
from collections.abc import Callable

import pytest
from pytest_django import Settings

from channels_app.models import Channel
from channels_app.services import create_channel
from notifications import services
from notifications.delivery.engine import Engine
from notifications.models import ChannelHealth, ChannelHour, Delivery
from tests.channels_app.transports.mailing import ADA, BOB, EVE, PASSWORD, USER, mail_goes_to
from tests.notifications.deliveries import make_delivery, story
from tests.orders.shop import item, pay, place
from tests.servers.mailserver import HostileMailServer, MailServer, closes, speaks

pytestmark = pytest.mark.django_db(transaction=True)

GREYLISTED = "451 4.7.1 Greylisted, come back later"
NO_SUCH_USER = "550 5.1.1 No such user"


@pytest.fixture(autouse=True)
def patient(settings: Settings) -> None:
    """Nothing here is about the deadline."""
    settings.POSTBACK_TIMEOUT_SECONDS = 60.0


@pytest.fixture
def readers(db: None) -> Channel:
    return create_channel(name="Back office", kind="email", recipients=[ADA, BOB, EVE])


@pytest.fixture
def delivery(readers: Channel, attach: Callable[..., None], lead, mug) -> Delivery:
    """A due delivery to all three."""
    attach(readers, "order.completed")
    pay(place(lead, item("mug")))
    return Delivery.objects.get(channel=readers)


class Greylist:
    """Puts off each of some addresses so many times. `asked` counts."""

    def __init__(self, *addresses: str, times: int = 1) -> None:
        self._addresses = addresses
        self._times = times
        self.asked: Counter[str] = Counter()

    def __call__(self, address: str) -> str | None:
        self.asked[address] += 1
        return GREYLISTED if address in self._addresses and self.asked[address] <= self._times else None


def times_received(server: MailServer) -> Counter[str]:
    return Counter(recipient for mail in server.mails for recipient in mail.recipients)


def test_an_order_is_told_to_all_recipients_by_one_mail(engine: Engine, delivery: Delivery) -> None:
    with MailServer() as server, mail_goes_to(server.port):
        assert engine.deliver_due() == 1

    (mail,) = server.mails
    assert mail.recipients == [ADA, BOB, EVE]
    assert mail.message["Message-ID"] == f"<{delivery.pk}@shop.example.com>"
    delivery.refresh_from_db()
    assert (delivery.status, delivery.outcome, delivery.status_code, delivery.error) == (
        "succeeded",
        "succeeded",
        250,
        "",
    )
    assert delivery.reached == [ADA, BOB, EVE]
    attempt = delivery.attempts.get()
    assert attempt.url == f"smtp://127.0.0.1:{server.port}"
    assert attempt.request_headers["Subject"] == mail.message["Subject"]
    assert attempt.response_headers == dict.fromkeys([ADA, BOB, EVE], "250 2.1.5 OK")
    assert attempt.response_body == "250 2.0.0 OK: queued as 1"
    assert attempt.connection["address"] == "127.0.0.1"


def test_a_server_that_greylists_everybody_takes_the_mail_at_the_second_attempt(
    engine: Engine, delivery: Delivery
) -> None:
    with MailServer(refuse={"RCPT": Greylist(ADA, BOB, EVE)}) as server, mail_goes_to(server.port):
        engine.deliver_due()

    assert story(delivery) == [(1, "first", "refused", 451), (2, "automatic", "succeeded", 250)]
    assert times_received(server) == {ADA: 1, BOB: 1, EVE: 1}
    delivery.refresh_from_db()
    assert (delivery.status, delivery.error) == ("succeeded", "")


def test_a_server_that_greylists_some_takes_the_mail_for_each_once(engine: Engine, delivery: Delivery) -> None:
    greylist = Greylist(BOB, times=2)
    with MailServer(refuse={"RCPT": greylist}) as server, mail_goes_to(server.port):
        engine.deliver_due()

    assert story(delivery) == [
        (1, "first", "refused", 451),
        (2, "automatic", "refused", 451),
        (3, "automatic", "succeeded", 250),
    ]
    assert [mail.recipients for mail in server.mails] == [[ADA, EVE], [BOB]]
    assert greylist.asked == {ADA: 1, BOB: 3, EVE: 1}
    assert {mail.message["Message-ID"] for mail in server.mails} == {f"<{delivery.pk}@shop.example.com>"}
    delivery.refresh_from_db()
    assert (delivery.status, delivery.error, sorted(delivery.reached)) == ("succeeded", "", [ADA, BOB, EVE])
    assert [attempt.error for attempt in delivery.attempts.order_by("number")] == [
        f"2 of 3 recipients have it: {ADA}, {EVE}. {BOB} was refused for now: {GREYLISTED}.",
        f"2 of 3 recipients have it: {ADA}, {EVE}. {BOB} was refused for now: {GREYLISTED}.",
        "",
    ]


def test_a_server_that_greylists_some_for_ever_fails_the_delivery_for_them(engine: Engine, delivery: Delivery) -> None:
    with MailServer(refuse={"RCPT": Greylist(BOB, times=100)}) as server, mail_goes_to(server.port):
        engine.deliver_due()

    assert [code for *_, code in story(delivery)] == [451, 451, 451, 451]
    assert times_received(server) == {ADA: 1, EVE: 1}
    delivery.refresh_from_db()
    assert (delivery.status, delivery.outcome) == ("failed", "refused")
    assert delivery.error == f"2 of 3 recipients have it: {ADA}, {EVE}. {BOB} was refused for now: {GREYLISTED}."


def test_an_unknown_recipient_fails_nothing_and_is_told(engine: Engine, delivery: Delivery) -> None:
    with MailServer(refuse={"RCPT": {BOB: NO_SUCH_USER}.get}) as server, mail_goes_to(server.port):
        engine.deliver_due()

    assert story(delivery) == [(1, "first", "succeeded", 250)]
    assert times_received(server) == {ADA: 1, EVE: 1}
    delivery.refresh_from_db()
    assert delivery.status == "succeeded"
    assert delivery.error == f"2 of 3 recipients have it. {BOB} was refused: {NO_SUCH_USER}."


def test_where_nobody_is_known_it_is_tried_once(engine: Engine, delivery: Delivery) -> None:
    with MailServer(refuse={"RCPT": lambda address: NO_SUCH_USER}) as server, mail_goes_to(server.port):
        engine.deliver_due()

    assert story(delivery) == [(1, "first", "refused", 550)]
    delivery.refresh_from_db()
    assert (delivery.status, delivery.reached, server.mails) == ("failed", [], [])


def test_a_server_that_hangs_up_after_the_message_gets_it_again_under_the_same_id(
    engine: Engine, delivery: Delivery
) -> None:
    with HostileMailServer(speaks({"message": [closes, b"250 2.0.0 OK\r\n"]})) as server, mail_goes_to(server.port):
        engine.deliver_due()

    assert story(delivery) == [(1, "first", "connection_error", None), (2, "automatic", "succeeded", 250)]
    ids = [line for content in server.contents for line in content.split(b"\r\n") if line.startswith(b"Message-ID:")]
    assert ids == [f"Message-ID: <{delivery.pk}@shop.example.com>".encode()] * 2
    assert delivery.attempts.get(number=1).error == (
        f"127.0.0.1 port {server.port} closed the connection before it answered to the message. The message may have "
        "arrived; if it is sent again, it has the same Message-ID, by which mailboxes know it."
    )


def test_a_wrong_password_fails_at_once_and_stands_nowhere(engine: Engine, delivery: Delivery) -> None:
    behaviour = speaks({"AUTH": f"535 5.7.8 {PASSWORD} is wrong\r\n".encode()}, offers=["AUTH PLAIN"])
    with HostileMailServer(behaviour) as server, mail_goes_to(server.port, user=USER, password=PASSWORD):
        engine.deliver_due()

    assert story(delivery) == [(1, "first", "refused", 535)]
    delivery.refresh_from_db()
    kept = [vars(delivery), *(vars(attempt) for attempt in delivery.attempts.all())]
    assert PASSWORD not in repr(kept)
    assert delivery.error.endswith("An operator must mend EMAIL_URL.")


@pytest.mark.slow
def test_of_a_hundred_mails_each_arrives_once_at_each_recipient(engine: Engine, readers: Channel) -> None:
    greylist = Greylist(BOB, times=30)
    deliveries = [make_delivery(readers) for _ in range(100)]
    with MailServer(refuse={"RCPT": greylist}) as server, mail_goes_to(server.port):
        engine.deliver_due()

    assert {delivery.status for delivery in Delivery.objects.all()} == {"succeeded"}
    assert times_received(server) == {ADA: 100, BOB: 100, EVE: 100}
    received = Counter((mail.message["Message-ID"], *mail.recipients) for mail in server.mails)
    assert set(received.values()) == {1}
    assert {key[0] for key in received} == {f"<{delivery.pk}@shop.example.com>" for delivery in deliveries}


def test_one_who_is_always_refused_says_nothing_against_the_channel(engine: Engine) -> None:
    channel = create_channel(name="Office", kind="email", recipients=[ADA, BOB])
    for _ in range(4):
        make_delivery(channel)
    with MailServer(refuse={"RCPT": {BOB: "452 4.2.2 Mailbox full"}.get}) as server, mail_goes_to(server.port):
        engine.deliver_due()
    assert set(Delivery.objects.values_list("status", "attempts_made")) == {("failed", 4)}
    assert not ChannelHealth.objects.filter(failures_in_row__gt=0).exists()


def test_where_nobody_is_left_nothing_is_sent_and_nothing_is_learnt(engine: Engine) -> None:
    channel = create_channel(name="Office", kind="email", recipients=[ADA, BOB])
    delivery = make_delivery(channel, event_type="order.completed")
    with MailServer(refuse={"RCPT": {BOB: "452 4.2.2 Mailbox full"}.get}) as server, mail_goes_to(server.port):
        engine.deliver_due()
    ChannelHealth.objects.update_or_create(channel=channel, defaults={"failures_in_row": 3})
    before = ChannelHour.objects.get().latencies
    services.update_channel(channel_id=channel.pk, recipients=[ADA], by="ada")
    services.retry_delivery(delivery_id=delivery.pk, by="ada")
    engine.deliver_due()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.error) == (
        "succeeded",
        "Nothing was sent: all who are recipients by now have it.",
    )
    assert ChannelHealth.objects.get().failures_in_row == 3
    assert ChannelHour.objects.get().latencies == before
