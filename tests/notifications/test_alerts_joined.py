"""One outage that hits many channels is one alert, which names them."""

from datetime import timedelta

import pytest
from django.core import mail

from channels_app.models import Channel
from channels_app.services import create_channel
from notifications import alert_raising, alert_targets, history, services
from notifications.alerts import joining
from notifications.events.alerts import AlertData
from notifications.models import Alert, AlertDelivery, ChannelHealth
from notifications.pausing import pause_channel
from tests.notifications.alerting import (
    failing,
    is_well,
    let_pass,
    look_and_send,
    make_administrator,
    make_target,
    send_due,
    told,
)

pytestmark = pytest.mark.django_db(transaction=True)

TO_ALL = "administrators"


@pytest.fixture(autouse=True)
def administrator(db):
    return make_administrator()


def fail(*names: str) -> list[Channel]:
    """Channels that begin to fail."""
    made = [create_channel(name=name, kind="postback", url=f"https://{name.lower()}.example.com/") for name in names]
    for channel in made:
        failing(channel)
        alert_raising.channel_failing(channel_id=channel.pk)
    return made


def test_many_that_fail_at_once_are_told_in_one_that_names_them(receiver, settings):
    settings.PUBLIC_URL = "https://tidings.example.com"
    make_target("Ops", receiver.url)
    made = fail("Alpha", "Beta", "Gamma")
    assert send_due() == 6
    (message,), (request,) = mail.outbox, receiver.received
    assert message.subject == "[Tidings] 3 channels keep failing"
    text = " ".join(message.body.split())
    assert "3 channels keep failing: Alpha, Beta, Gamma." in text
    assert "Beta (Postback): https://beta.example.com/, The receiver answered 503." in text
    assert "https://tidings.example.com/admin/channels_app/channel/" in text
    alert = request.event["data"]["alert"]
    AlertData.model_validate(request.event["data"])
    assert (alert["kind"], alert["channel"], alert["title"]) == ("failing", None, "3 channels keep failing")
    assert [each["id"] for each in alert["channels"]] == [each.pk for each in made]
    assert told() == [("failing", target, "sent") for _ in made for target in (TO_ALL, "Ops")]
    assert (
        AlertDelivery.objects.filter(attempts_made=1).count()
        == AlertDelivery.objects.exclude(attempts=None).count()
        == 2
    )


def test_two_are_told_one_by_one():
    fail("Alpha", "Beta")
    assert send_due() == 2
    assert sorted(message.subject for message in mail.outbox) == [
        "[Tidings] Alpha keeps failing",
        "[Tidings] Beta keeps failing",
    ]


def test_it_waits_for_the_others_for_half_a_minute(monkeypatch):
    monkeypatch.setattr(alert_raising, "TOGETHER_WITHIN", timedelta(seconds=30))
    fail("Alpha")
    assert send_due() == 0
    let_pass(seconds=20)
    fail("Beta", "Gamma")
    let_pass(seconds=9)
    assert send_due() == 0
    let_pass(seconds=31)
    assert send_due() == 3
    assert [message.subject for message in mail.outbox] == ["[Tidings] 3 channels keep failing"]


def test_what_was_over_by_then_is_not_named():
    first, *_ = fail("Alpha", "Beta", "Gamma", "Delta")
    is_well(first)
    assert send_due() == 3
    (message,) = mail.outbox
    assert "3 channels keep failing: Beta, Gamma, Delta." in " ".join(message.body.split())
    assert told()[0] == ("failing", TO_ALL, "withdrawn")


def test_one_that_was_told_within_the_hour_is_not_named_again():
    (early,) = fail("Early")
    assert send_due() == 1
    let_pass(minutes=30)
    alert_raising.channel_failing(channel_id=early.pk)
    fail("Alpha", "Beta", "Gamma")
    assert send_due() == 3
    assert "Early" not in mail.outbox[1].body
    let_pass(minutes=31)
    assert send_due() == 1
    assert mail.outbox[2].subject == "[Tidings] Early keeps failing"


def test_each_is_told_well_again_and_that_in_one_as_well():
    made = fail("Alpha", "Beta", "Gamma")
    look_and_send()
    for channel in made:
        is_well(channel)
    look_and_send()
    look_and_send()
    assert [message.subject for message in mail.outbox] == [
        "[Tidings] 3 channels keep failing",
        "[Tidings] 3 channels have recovered",
    ]
    assert not Alert.objects.filter(open=True).exists()


def test_one_that_recovers_alone_is_told_so():
    first, *_ = fail("Alpha", "Beta", "Gamma")
    look_and_send()
    is_well(first)
    look_and_send()
    assert mail.outbox[-1].subject == "[Tidings] Alpha has recovered"


def test_a_target_that_is_away_is_told_of_all_of_them_when_it_is_back(receiver):
    make_target("Ops", receiver.url)
    receiver.answer = lambda request: 503
    fail("Alpha", "Beta", "Gamma")
    assert send_due() == 3
    assert len(receiver.received) == 1
    receiver.answer = lambda request: 200
    let_pass(minutes=2)
    assert send_due() == 3
    assert len(receiver.received) == 2
    assert {state for _, _, state in told()} == {"sent"}


def test_a_target_among_them_is_told_of_the_others(receiver):
    """A channel hears nothing of itself: to it the first one that is not itself speaks."""
    target = make_target("Ops", receiver.url)
    failing(target)
    alert_raising.channel_failing(channel_id=target.pk)
    fail("Alpha", "Beta")
    assert send_due() == 5
    assert [message.subject for message in mail.outbox] == ["[Tidings] 3 channels keep failing"]
    assert sorted(request.event["data"]["alert"]["title"] for request in receiver.received) == [
        "Alpha keeps failing",
        "Beta keeps failing",
    ]


def test_where_the_one_that_speaks_for_them_is_withdrawn_each_goes_alone(receiver):
    make_target("Ops", receiver.url)
    receiver.answer = lambda request: 503
    first, *_ = fail("Alpha", "Beta", "Gamma")
    send_due()
    is_well(first)
    receiver.answer = lambda request: 200
    let_pass(minutes=2)
    send_due()
    assert [request.event["data"]["alert"]["title"] for request in receiver.received] == [
        "3 channels keep failing",
        "Beta keeps failing",
        "Gamma keeps failing",
    ]


def test_pauses_by_people_are_told_each_and_those_by_tidings_together():
    names = ("Alpha", "Beta", "Gamma")
    for by, said in (("grace", 3), (history.TIDINGS, 1)):
        mail.outbox.clear()
        for name in names:
            channel = create_channel(name=name, kind="postback", url="https://example.com/")
            pause_channel(channel_id=channel.pk, reason="Because.", by=by)
        send_due()
        assert len(mail.outbox) == said
    assert mail.outbox[0].subject == "[Tidings] 3 channels were paused by Tidings"


def test_more_than_fifty_are_named_up_to_there(monkeypatch):
    fail(*(f"C{number:02}" for number in range(53)))
    send_due()
    (message,) = mail.outbox
    assert message.subject == "[Tidings] 53 channels keep failing"
    assert "C49 and 3 more." in " ".join(message.body.split())
    assert "c52.example.com" not in message.body
    assert ChannelHealth.objects.count() == 53


def test_the_page_says_that_it_was_told_with_others(client, admin_user):
    fail("Alpha", "Beta", "Gamma")
    send_due()
    client.force_login(admin_user)
    page = client.get("/admin/integrations/alerts/").content.decode()
    assert page.count("In one message with others.") == 2


def test_a_test_is_never_told_with_another():
    services.pause_channel(channel_id=fail("Alpha")[0].pk, reason="", by="grace")
    alert_raising.write_test(by="grace")
    assert alert_targets.recipients() == ["ada@example.com"]
    send_due()
    assert {message.subject for message in mail.outbox} == {
        "[Tidings] Alpha was paused",
        "[Tidings] This is a test alert",
    }


def test_those_that_fail_while_the_first_one_waits_are_told_with_it(monkeypatch):
    """An outage reaches twelve channels two seconds apart; the engine looks all the time."""
    monkeypatch.setattr(alert_raising, "TOGETHER_WITHIN", timedelta(seconds=30))
    for number in range(12):
        fail(f"C{number:02}")
        send_due()
        let_pass(seconds=2)
    assert mail.outbox == []
    let_pass(seconds=7)
    send_due()
    assert [message.subject for message in mail.outbox] == ["[Tidings] 12 channels keep failing"]
    assert {state for _, _, state in told()} == {"sent"}


def test_while_one_target_is_away_the_others_are_told_of_recoveries(receiver):
    make_target("Ops", receiver.url)
    receiver.answer = lambda request: 503
    _, second, _ = fail("Alpha", "Beta", "Gamma")
    look_and_send()
    is_well(second)
    look_and_send()
    look_and_send()
    assert [message.subject for message in mail.outbox] == [
        "[Tidings] 3 channels keep failing",
        "[Tidings] Beta has recovered",
    ]
    receiver.answer = lambda request: 200
    let_pass(minutes=5)
    for _ in range(3):
        look_and_send()
    assert [request.event["data"]["alert"]["title"] for request in receiver.received[-2:]] == [
        "3 channels keep failing",
        "Beta has recovered",
    ]
    assert len(mail.outbox) == 2


def test_one_that_was_told_within_the_hour_does_not_speak_for_others(receiver):
    (alpha,) = fail("Alpha")
    assert send_due() == 1
    let_pass(minutes=10)
    make_target("Ops", receiver.url)
    alert_raising.channel_failing(channel_id=alpha.pk)
    fail("Beta", "Gamma", "Delta")
    send_due()
    assert [message.subject for message in mail.outbox] == [
        "[Tidings] Alpha keeps failing",
        "[Tidings] 3 channels keep failing",
    ]
    assert sorted(request.event["data"]["alert"]["title"] for request in receiver.received) == [
        "3 channels keep failing",
        "Alpha keeps failing",
    ]


def test_no_target_hears_of_itself_whatever_the_order(receiver):
    (first,) = fail("Alpha")
    target = make_target("Ops", receiver.url)
    failing(target)
    alert_raising.write(Alert.Kind.FAILING, channel_id=first.pk)
    alert_raising.channel_failing(channel_id=target.pk)
    fail("Beta", "Gamma")
    send_due()
    assert receiver.received
    for request in receiver.received:
        assert target.pk not in {each["id"] for each in request.event["data"]["alert"]["channels"]}


def test_so_many_are_in_one_at_most(monkeypatch):
    monkeypatch.setattr(joining, "AT_MOST", 4)
    fail(*(f"C{number}" for number in range(9)))
    send_due()
    assert [message.subject for message in mail.outbox] == [
        "[Tidings] 4 channels keep failing",
        "[Tidings] 4 channels keep failing",
        "[Tidings] C8 keeps failing",
    ]
