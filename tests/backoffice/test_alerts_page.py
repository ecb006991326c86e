# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""Alerts: who is told, when, and how that went."""

import re

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backoffice.notifications.alerts import ROWS, span
from channels_app.models import Channel
from channels_app.services import create_channel
from notifications import alert_raising, alert_targets, services
from notifications.alert_raising import write_test
from notifications.alerts import stages
from notifications.models import Alert, AlertChannel, AlertDelivery, HistoryEntry
from tests.backoffice.notifications_fixtures import (
    admin,
    email_administrator,
    page_of,
    people,
    said,
    text_of,
    url,
    warehouse,
)
from tests.backoffice.reading import LATELY, buttons_of
from tests.notifications.alerting import failing, let_pass, send_due

ROLES = ("Order staff", "staff without a group")


@pytest.fixture
def addressed(people) -> None:
    email_administrator(people, "ada@example.com")


@pytest.fixture
def ops(db) -> Channel:
    return create_channel(name="Ops", kind="email", recipients=["ops@example.com", "night@example.com"])


def rows(page) -> list[str]:
    """The text of each row of the latest alerts."""
    found = re.findall(r'<tr>\s*<th scope="row">.*?</tr>', page.content.decode(), flags=re.S)
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in found]


class TestWhoIsTold:
    def test_the_administrators_by_their_addresses(self, admin, addressed):
        text = text_of(admin.get(url("alerts")))
        assert "Told by e-mail ada@example.com" in text
        assert "The active members of Notification administrators who have an e-mail address" in text

    def test_that_nobody_is_told_says_what_to_do(self, people):
        for role, what in (
            ("superuser", "Give somebody an address and that group under Users ."),
            ("Viewers", "Somebody who may edit users can give one of them an address and that group."),
        ):
            text = text_of(people[role].get(url("alerts")))
            assert alert_targets.NOBODY in text
            assert what in text, role

    def test_a_channel_is_chosen_and_removed(self, admin, ops, warehouse):
        page = admin.get(url("alerts"))
        assert "No channel is told yet." in text_of(page)
        options = re.findall(r'<option value="(\w+)"[^>]*>([^<]+)', page.content.decode())
        assert options == [
            (ops.pk, "Ops (E-mail, ops@example.com, night@example.com)"),
            (warehouse.pk, "Warehouse (Postback, https://example.com/hook)"),
        ]
        answer = admin.post(url("alerts_add"), {"channel": ops.pk})
        assert (answer.status_code, answer.url, said(answer)) == (
            302,
            url("alerts"),
            ["Ops is told of alerts from now on."],
        )
        assert AlertChannel.objects.get().chosen_by == "notification"
        page = admin.get(url("alerts"))
        assert f'href="{page_of(ops)}"' in page.content.decode()
        assert "Ops E-mail · ops@example.com, night@example.com Remove Ops" in text_of(page)
        answer = admin.post(url("alerts_remove", ops.pk))
        assert (answer.url, said(answer)[-1]) == (url("alerts"), "Ops is no longer told of alerts.")
        assert AlertChannel.objects.count() == 0
        assert list(HistoryEntry.objects.order_by("id").values_list("action", "by")) == [
            ("alerts_added", "notification"),
            ("alerts_removed", "notification"),
        ]

    def test_a_paused_one_may_be_chosen_and_says_that_it_is_told_of_nothing(self, admin, ops):
        services.pause_channel(channel_id=ops.pk, reason="", by="grace")
        answer = admin.post(url("alerts_add"), {"channel": ops.pk})
        assert said(answer) == [
            "Ops is told of alerts from now on. It is paused: until it is resumed it is told of none."
        ]
        assert (
            "Paused E-mail · ops@example.com, night@example.com It is told of nothing until it is resumed."
            in text_of(admin.get(url("alerts")))
        )

    @pytest.mark.parametrize(
        ("chosen", "because"),
        [
            ("", "Choose a channel."),
            ("chn_unknown", "There is no such channel."),
            ("deleted", "There is no such channel."),
            ("again", "Ops is told of alerts already."),
        ],
    )
    def test_an_unfit_choice_is_explained_and_changes_nothing(self, admin, ops, warehouse, chosen, because):
        alert_targets.choose(channel_id=ops.pk, by="grace")
        services.archive_channel(channel_id=warehouse.pk, by="grace")
        entries = HistoryEntry.objects.count()
        channel = {"deleted": warehouse.pk, "again": ops.pk}.get(chosen, chosen)
        page = admin.post(url("alerts_add"), {"channel": channel})
        assert page.status_code == 422
        assert because in text_of(page)
        assert list(AlertChannel.objects.values_list("channel_id", flat=True)) == [ops.pk]
        assert HistoryEntry.objects.count() == entries

    def test_removing_what_is_not_chosen_is_not_found(self, admin, ops):
        assert admin.post(url("alerts_remove", ops.pk)).status_code == 404
        assert admin.post(url("alerts_remove", "chn_unknown")).status_code == 404

    def test_the_form_is_left_out_where_there_is_nothing_to_choose(self, admin, ops):
        alert_targets.choose(channel_id=ops.pk, by="grace")
        page = admin.get(url("alerts"))
        assert "<select" not in page.content.decode()
        assert "Every channel is chosen. Add a channel" in text_of(page)


class TestWhen:
    def test_the_stages_are_told_in_days(self, admin, settings):
        settings.PAUSE_FAILING_AFTER_DAYS = 5
        text = text_of(admin.get(url("alerts")))
        assert "a warning after 1 day, and a last one after 4 days. After 5 days Tidings pauses it" in text
        assert "never sooner than 1 day after the last warning" in text
        settings.PAUSE_FAILING_AFTER_DAYS = 0.5
        assert "a warning after 2.4 hours, and a last one after 9.6 hours. After 12 hours Tidings" in text_of(
            admin.get(url("alerts"))
        )

    def test_never_is_told_as_never(self, admin, settings):
        settings.PAUSE_FAILING_AFTER_DAYS = 0
        text = text_of(admin.get(url("alerts")))
        assert "Tidings never pauses it." in text
        assert "a last one" not in text

    def test_spans(self, settings):
        settings.PAUSE_FAILING_AFTER_DAYS = 1
        whole = stages.pause_after()
        assert [span(whole / part) for part in (1, 0.5, 24, 48, 1440, 1)] == [
            *("1 day", "2 days", "1 hour", "30 minutes", "1 minute", "1 day"),
        ]


@pytest.mark.django_db(transaction=True)
class TestLatest:
    def test_each_says_what_when_to_whom_and_how_that_went(self, admin, addressed, warehouse, receiver):
        hook = create_channel(name="Hook", kind="postback", url=receiver.url)
        alert_targets.choose(channel_id=hook.pk, by="grace")
        receiver.answer = lambda request: 503
        services.pause_channel(channel_id=warehouse.pk, reason="", by="grace")
        page = admin.get(url("alerts"))
        (row,) = rows(page)
        assert re.fullmatch(
            rf"Warehouse was paused Warehouse {LATELY} Waits Administrators, \S+.* Waits Hook, \S+.*", row
        )
        assert f'href="{page_of(warehouse)}"' in page.content.decode()
        send_due()
        (row,) = rows(admin.get(url("alerts")))
        assert re.search(rf"Sent Administrators, {LATELY} Next try Hook, .* from now", row)
        assert "The receiver answered 503" in row
        services.resume_channel(channel_id=warehouse.pk, by="grace")
        let_pass(minutes=5)
        send_due()
        (row,) = rows(admin.get(url("alerts")))
        assert re.search(rf"Withdrawn Hook, {LATELY} It was no longer so when its turn came\.", row)

    def test_one_that_is_refused_for_good_says_so(self, admin, addressed, warehouse, receiver):
        hook = create_channel(name="Hook", kind="postback", url=receiver.url)
        alert_targets.choose(channel_id=hook.pk, by="grace")
        receiver.answer = lambda request: 404
        services.pause_channel(channel_id=warehouse.pk, reason="", by="grace")
        for _ in range(3):
            send_due()
            let_pass(days=1)
        assert "Given up Hook" in rows(admin.get(url("alerts")))[0]

    def test_a_deleted_channel_keeps_its_name_and_leads_nowhere(self, admin, addressed, warehouse):
        services.pause_channel(channel_id=warehouse.pk, reason="", by="grace")
        send_due()
        services.archive_channel(channel_id=warehouse.pk, by="grace")
        page = admin.get(url("alerts"))
        assert "Warehouse (deleted)" in rows(page)[0]
        assert f'href="{page_of(warehouse)}"' not in page.content.decode()

    def test_a_test_alert_is_sent_by_a_button(self, admin, addressed):
        answer = admin.post(url("alerts_test"))
        assert (answer.url, said(answer)) == (
            url("alerts"),
            ["A test alert goes to all who are told. How that went stands below in a moment."],
        )
        answer = admin.post(url("alerts_test"))
        assert said(answer)[-1] == "A test alert was sent within the last minute. Wait a moment."
        assert Alert.objects.get().facts == {"by": "notification"}
        send_due()
        assert rows(admin.get(url("alerts")))[0].startswith("This is a test alert –")

    def test_nothing_yet_says_so(self, admin):
        assert "Nothing has gone wrong yet." in text_of(admin.get(url("alerts")))


@pytest.mark.usefixtures("banners_of_each_page")
def test_many_alerts_are_on_several_pages_at_the_same_cost(admin, addressed, warehouse, ops, django_assert_num_queries):
    alert_targets.choose(channel_id=ops.pk, by="grace")
    alert_raising.write(Alert.Kind.PAUSED, channel_id=warehouse.pk)
    Alert.objects.update(body="{}", words={"title": "Number 0"})
    with CaptureQueriesContext(connection) as one:
        admin.get(url("alerts"))
    for number in range(1, ROWS + 5):
        alert_raising.write(Alert.Kind.PAUSED, channel_id=warehouse.pk)
        Alert.objects.filter(body=None).update(body="{}", words={"title": f"Number {number}"})
    with django_assert_num_queries(len(one)):
        page = admin.get(url("alerts"))
    shown = rows(page)
    assert (len(shown), shown[0].split()[1], shown[-1].split()[1]) == (ROWS, str(ROWS + 4), "5")
    (older,) = re.findall(r'href="([^"]+)" rel="next"', page.content.decode())
    page = admin.get(older)
    assert [row.split()[1] for row in rows(page)] == ["4", "3", "2", "1", "0"]
    assert 'rel="next"' not in page.content.decode()
    assert "Newest" in text_of(page)
    assert "There is nothing further." in text_of(admin.get(f"{url('alerts')}?before=alr_0"))


class TestWhoMay:
    def test_those_who_may_see_channels_see_it_and_change_nothing(self, people, ops, warehouse):
        alert_targets.choose(channel_id=ops.pk, by="grace")
        viewer = people["Viewers"]
        page = viewer.get(url("alerts"))
        assert page.status_code == 200
        assert f'action="{url("alerts")}' not in page.content.decode()
        assert buttons_of(page) == []
        assert viewer.post(url("alerts_add"), {"channel": warehouse.pk}).status_code == 403
        assert viewer.post(url("alerts_remove", ops.pk)).status_code == 403
        assert viewer.post(url("alerts_test")).status_code == 403
        assert list(AlertChannel.objects.values_list("channel_id", flat=True)) == [ops.pk]
        assert Alert.objects.count() == 0

    def test_others_may_not(self, people, ops):
        for role in ROLES:
            assert people[role].get(url("alerts")).status_code == 403
            assert people[role].post(url("alerts_add"), {"channel": ops.pk}).status_code == 403
        assert people["anonymous"].get(url("alerts")).status_code == 302
        assert AlertChannel.objects.count() == 0

    def test_nothing_is_changed_by_a_get(self, admin, ops):
        alert_targets.choose(channel_id=ops.pk, by="grace")
        for address in (url("alerts_add"), url("alerts_remove", ops.pk), url("alerts_test")):
            assert admin.get(address).status_code == 405
        assert (AlertChannel.objects.count(), Alert.objects.count()) == (1, 0)

    def test_the_menu_has_it_for_those_who_may_see_it(self, people):
        def in_menu(role: str) -> bool:
            return f'href="{url("alerts")}"' in people[role].get(url("integrations")).content.decode()

        assert [in_menu(role) for role in ("Notification administrators", "Viewers", "Order staff")] == [
            *(True, True, False),
        ]


def test_the_card_says_how_many_are_told(admin, ops, people):
    def fact() -> str:
        page = admin.get(url("integrations")).content.decode()
        return str(re.findall(r'class="ui-fact">([^<]+)<', page)[2])

    assert fact() == "Nobody is told"
    alert_targets.choose(channel_id=ops.pk, by="grace")
    assert fact() == "1 channel is told"
    email_administrator(people, "ada@example.com")
    assert fact() == "1 person and 1 channel are told"
