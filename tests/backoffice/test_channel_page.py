# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""What the page of one channel tells."""

import html
import re

from django.db import connection
from django.test.utils import CaptureQueriesContext

from channels_app import verification
from notifications import services
from notifications.events import EVENT_TYPES
from tests.backoffice.notifications_fixtures import (
    admin,
    failed,
    make_failed,
    order,
    page_of,
    people,
    text_of,
    url,
    warehouse,
)
from tests.backoffice.reading import LATELY

ORDER_COMPLETED = EVENT_TYPES["order.completed"]


def test_viewers_read_everything_and_are_offered_nothing(people, warehouse, failed):
    services.attach_channel(event_type=ORDER_COMPLETED, channel_id=warehouse.pk, sources=["shop"], by="ada")
    answer = people["Viewers"].get(page_of(warehouse))
    text = text_of(answer)
    assert "Event type Sources Order completed Turned off Shop" in text
    assert re.search(rf"Order completed {failed.event.order.number} Failed 503 1 {LATELY}", text)
    assert re.search(rf"Warehouse was linked to Order completed: Shop\. ada {LATELY}", text)
    assert "Authorization: ••••••••" in text
    assert not {"Edit", "Delete", "Pause", "Reveal", "Rotate", "Replay"} & set(text.split())
    page = answer.content.decode()
    assert page[page.index("<main") : page.index("</main>")].count("<form") == 0


def test_an_event_type_that_is_on_is_not_called_off(admin, warehouse):
    services.set_event_type_enabled(event_type=ORDER_COMPLETED, enabled=True, by="ada")
    services.attach_channel(event_type=ORDER_COMPLETED, channel_id=warehouse.pk, sources=["shop", "funnel"], by="ada")
    assert "Order completed Shop Funnel" in text_of(admin.get(page_of(warehouse)))


def test_who_may_not_read_the_log_sees_the_channel_without_it(sign_in, warehouse, failed):
    text = text_of(sign_in("channels_app.view_channel").get(page_of(warehouse)))
    assert "https://example.com/hook" in text
    for heading in ("Recent deliveries", "Last 24 hours", "Last 30 days", "History"):
        assert heading not in text


def test_empty_parts_say_what_would_fill_them(admin, warehouse):
    text = text_of(admin.get(page_of(warehouse)))
    assert "It is attached to no event type yet, so nothing is sent to it. Choose one in System notifications ." in text
    assert "Nothing has been sent to it yet. A test shows what the receiver answers." in text
    assert "No delivery to it was finished in the last 24 hours." in text
    assert "Last 30 days No delivery to it was finished in this time." in text


def test_the_samples_that_verify_a_signature_stand_there_with_copy_buttons(admin, warehouse):
    page = html.unescape(admin.get(page_of(warehouse)).content.decode())
    for sample in verification.samples():
        assert sample.code in page
        assert f'data-copy="#sample-{sample.language}"' in page


def test_the_history_is_the_latest_ten_with_a_link_to_all(admin, warehouse):
    for number in range(12):
        services.update_channel(channel_id=warehouse.pk, by="ada", name=f"Name {number}")
    answer = admin.get(page_of(warehouse))
    assert answer.content.decode().count("was edited: name") == 10
    assert f"{url('notifications_historyentry_changelist')}?channel={warehouse.pk}" in answer.content.decode()


def test_the_address_of_djangos_history_leads_to_that_of_tidings(people, warehouse):
    answer = people["Viewers"].get(page_of(warehouse, "history"))
    assert (answer.status_code, answer.url) == (
        302,
        f"{url('notifications_historyentry_changelist')}?channel={warehouse.pk}",
    )
    assert people["Order staff"].get(page_of(warehouse, "history")).status_code == 403


def test_the_page_takes_as_many_queries_with_a_full_log_as_with_one_delivery(admin, warehouse, order, failed):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin.get(page_of(warehouse)).status_code == 200
        return len(captured)

    services.attach_channel(event_type=ORDER_COMPLETED, channel_id=warehouse.pk, sources=["shop"], by="ada")
    queries()  # what is cached from the first request on
    one = queries()
    for event_type in list(EVENT_TYPES.values())[1:]:
        services.attach_channel(event_type=event_type, channel_id=warehouse.pk, sources=["shop"], by="ada")
    for _ in range(30):
        make_failed(warehouse, order)
    assert queries() == one
