"""Channels that are told of alerts: which ones, and what each kind of them is sent."""

import json

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from standardwebhooks import Webhook

from channels_app.models import Channel
from notifications import alert_raising, alert_targets, history, services
from notifications.alert_raising import write_test
from notifications.alert_targets import ADMINISTRATORS_CHANNEL
from notifications.errors import Conflict
from notifications.models import Alert, AlertChannel, AlertDelivery, HistoryEntry
from tests.channels_app.transports.mailing import mail_goes_to
from tests.notifications.alerting import failing, let_pass, make_administrator, make_target, send_due, told
from tests.servers.mailserver import Mail, MailServer
from tests.servers.slackserver import SECRET, SlackServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def administrator(db):
    return make_administrator()


class TestChoosing:
    def test_a_choice_and_its_end_are_in_the_history(self, channel):
        alert_targets.choose(channel_id=channel.pk, by="grace")
        assert list(alert_targets.chosen().values_list("channel_id", "chosen_by")) == [(channel.pk, "grace")]
        assert alert_targets.leave_out(channel_id=channel.pk, by="eve") == channel
        assert AlertChannel.objects.count() == 0
        assert list(HistoryEntry.objects.order_by("id").values_list("action", "by", "sentence", "channel_id")) == [
            ("alerts_added", "grace", "Warehouse is told of alerts.", channel.pk),
            ("alerts_removed", "eve", "Warehouse is no longer told of alerts.", channel.pk),
        ]

    def test_one_that_is_chosen_stays_as_it_is(self, channel):
        alert_targets.choose(channel_id=channel.pk, by="grace")
        with pytest.raises(Conflict, match="Warehouse is told of alerts already"):
            alert_targets.choose(channel_id=channel.pk, by="eve")
        assert AlertChannel.objects.get().chosen_by == "grace"
        assert HistoryEntry.objects.count() == 1

    @pytest.mark.parametrize("which", ["unknown", "deleted"])
    def test_one_that_there_is_not_is_refused(self, channel, which):
        if which == "deleted":
            services.archive_channel(channel_id=channel.pk, by="grace")
        entries = HistoryEntry.objects.count()
        with pytest.raises(ValidationError) as error:
            alert_targets.choose(channel_id=channel.pk if which == "deleted" else "chn_unknown", by="grace")
        assert error.value.message_dict == {"channel": ["There is no such channel."]}
        assert (AlertChannel.objects.count(), HistoryEntry.objects.count()) == (0, entries)

    def test_one_that_is_not_chosen_cannot_be_left_out(self, channel):
        with pytest.raises(AlertChannel.DoesNotExist):
            alert_targets.leave_out(channel_id=channel.pk, by="grace")
        assert HistoryEntry.objects.count() == 0

    def test_a_deleted_channel_drops_out(self, channel, receiver):
        target = make_target("Ops", receiver.url)
        services.archive_channel(channel_id=target.pk, by="grace")
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        assert (list(alert_targets.chosen()), alert_targets.targets_for(None)) == ([], [ADMINISTRATORS_CHANNEL])
        assert told() == [("paused", "administrators", "waits")]

    def test_none_is_told_of_itself(self, receiver):
        target, other = make_target("Ops", receiver.url), make_target("Audit", receiver.url)
        services.pause_channel(channel_id=target.pk, reason="", by="grace")
        assert told() == [("paused", "administrators", "waits"), ("paused", "Audit", "waits")]
        assert alert_targets.targets_for(other.pk) == [ADMINISTRATORS_CHANNEL, target.pk]


class TestEachKind:
    def test_a_postback_is_signed_and_the_same_on_every_try(self, channel, receiver, settings):
        settings.PUBLIC_URL = "https://tidings.example.com"
        target = make_target("Ops", receiver.url)
        Channel.objects.filter(pk=channel.pk).update(url="https://example.com/hook")
        failing(channel)
        alert_raising.channel_failing(channel_id=channel.pk)
        written_at = Alert.objects.get().created_at
        receiver.answer = lambda request: 503
        send_due()
        receiver.answer = lambda request: 200
        Channel.objects.filter(pk=channel.pk).update(name="Depot")
        let_pass(minutes=2)
        send_due()
        first, second = receiver.received
        alert = Alert.objects.get()
        assert first.body == second.body
        assert first.headers["webhook-id"] == second.headers["webhook-id"] == alert.pk
        assert alert.pk.startswith("alr_")
        for request in receiver.received:
            Webhook(target.secret).verify(request.body, request.headers)
        body = json.loads(first.body)
        text = body["data"]["alert"].pop("text")
        page = f"https://tidings.example.com/admin/channels_app/channel/{channel.pk.replace('_', '_5F')}/change/"
        assert body == {
            "id": alert.pk,
            "type": "alert.failing",
            "timestamp": written_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "source": "admin",
            "data": {
                "alert": {
                    "kind": "failing",
                    "channel": {"id": channel.pk, "name": "Warehouse", "kind": "postback"},
                    "channels": [{"id": channel.pk, "name": "Warehouse", "kind": "postback"}],
                    "title": "Warehouse keeps failing",
                    "url": page,
                }
            },
        }
        assert text.startswith("The channel Warehouse has failed 5 times in a row, since 20")
        assert "\nAddress: https://example.com/hook\n" in text
        assert "Latest failure: The receiver answered 503." in text

    def test_what_is_about_no_channel_says_null(self, receiver):
        make_target("Ops", receiver.url)
        write_test(by="grace")
        send_due()
        told = receiver.received[0].event["data"]["alert"]
        assert (told["kind"], told["channel"], told["url"]) == ("test", None, None)
        assert told["text"].startswith("This is a test, sent by grace. Nothing is wrong.")

    def test_slack_gets_it_in_words(self, channel, settings):
        settings.PUBLIC_URL = "https://tidings.example.com"
        with SlackServer() as slack:
            make_target("Ops", slack.url, kind="slack")
            failing(channel)
            alert_raising.channel_failing(channel_id=channel.pk)
            assert send_due() == 2
        (message,) = slack.taken
        said = json.dumps(message)
        assert "Warehouse keeps failing" in said
        assert "[Tidings]" not in said
        assert "has failed 5 times in a row" in said
        assert "https://tidings.example.com/admin/channels_app/channel/" in said
        assert "this channel was chosen under Integrations, Alerts" in said

    def test_slack_that_refuses_says_why_and_tells_no_secret(self, channel):
        with SlackServer() as slack:
            make_target("Ops", slack.url.replace("B00000001", "B00000002"), kind="slack")
            services.pause_channel(channel_id=channel.pk, reason="", by="grace")
            send_due()
        copy = AlertDelivery.objects.exclude(channel__system=True).get()
        assert (copy.status, copy.attempts_made) == ("pending", 1)
        assert copy.error
        assert SECRET not in copy.error

    def test_an_email_channel_and_the_administrators_have_a_mail_each(self, channel):
        make_target("Ops", kind="email", recipients=["ops@example.com", "night@example.com"])
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        with MailServer() as server, mail_goes_to(server.port):
            assert send_due() == 2
        sent = {sent.message["Subject"]: sent for sent in server.mails}
        assert {subject: each.recipients for subject, each in sent.items()} == {
            "[Tidings] Warehouse was paused": ["ada@example.com"],
            "Warehouse was paused": ["ops@example.com", "night@example.com"],
        }
        ids = {each.message["Message-ID"].partition("@")[0][1:] for each in server.mails}
        assert ids == set(AlertDelivery.objects.values_list("pk", flat=True))
        assert "belong to Notification administrators" in text_of(sent["[Tidings] Warehouse was paused"])
        assert "was chosen under Integrations, Alerts" in text_of(sent["Warehouse was paused"])

    def test_a_recipient_that_has_it_is_not_sent_it_again(self, channel):
        make_administrator("bob")
        busy = {"bob@example.com"}
        refuse = {"RCPT": lambda address: "451 4.3.0 Later" if address in busy else None}
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        with MailServer(refuse=refuse) as server, mail_goes_to(server.port):
            assert send_due() == 0
            copy = AlertDelivery.objects.get()
            assert (copy.reached, copy.status) == (["ada@example.com"], "pending")
            assert "bob@example.com" in copy.error
            busy.clear()
            let_pass(minutes=2)
            assert send_due() == 1
        assert [sent.recipients for sent in server.mails] == [["ada@example.com"], ["bob@example.com"]]
        copy.refresh_from_db()
        assert (copy.reached, copy.error, copy.next_attempt_at) == (["ada@example.com", "bob@example.com"], "", None)

    def test_a_recipient_that_is_refused_for_good_is_named_and_keeps_nobody_from_it(self, channel):
        make_administrator("bob")
        refuse = {"RCPT": lambda address: "550 5.1.1 No such user" if address == "bob@example.com" else None}
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        with MailServer(refuse=refuse) as server, mail_goes_to(server.port):
            assert send_due() == 1
        copy = AlertDelivery.objects.get()
        assert (copy.reached, copy.next_attempt_at) == (["ada@example.com"], None)
        assert "bob@example.com" in copy.error
        assert len(server.mails) == 1


def text_of(sent: Mail) -> str:
    """On one line."""
    part = sent.message.get_body(("plain",))
    assert part is not None
    return " ".join(part.get_content().split())


class TestATest:
    def test_it_goes_to_all_targets_and_is_in_the_history(self, receiver):
        make_target("Ops", receiver.url)
        alert = write_test(by="grace")
        assert told() == [("test", "administrators", "waits"), ("test", "Ops", "waits")]
        assert send_due() == 2
        assert (receiver.received[0].id, mail.outbox[0].subject) == (alert.pk, "[Tidings] This is a test alert")
        entry = HistoryEntry.objects.latest("id")
        assert (entry.action, entry.by, entry.channel) == (history.Action.TESTED, "grace", None)

    def test_another_one_within_a_minute_is_refused(self):
        write_test(by="grace")
        send_due()
        let_pass(seconds=50)
        entries = HistoryEntry.objects.count()
        with pytest.raises(Conflict, match="within the last minute"):
            write_test(by="eve")
        assert (Alert.objects.count(), HistoryEntry.objects.count()) == (1, entries)
        let_pass(seconds=11)
        write_test(by="eve")
        assert send_due() == 1
        assert len(mail.outbox) == 2
