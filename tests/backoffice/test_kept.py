# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""Every page that shows a part of the log says how long that is kept."""

import pytest

from tests.backoffice.notifications_fixtures import admin, failed, order, page_of, people, text_of, url, warehouse


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("delivery log", "Deliveries are kept for 45 days."),
        ("events", "Events are kept for 45 days."),
        ("channel", "Deliveries are kept for 45 days."),
        ("order", "Postbacks are kept for 45 days."),
        ("history", "Entries are kept for good; names are as they were then."),
    ],
)
def test_a_page_of_the_log_says_how_long_it_is_kept(people, failed, order, warehouse, settings, page, sentence):
    settings.RETENTION_DAYS = 45
    pages = {
        "delivery log": url("notifications_delivery_changelist"),
        "events": url("notifications_event_changelist"),
        "channel": page_of(warehouse),
        "order": page_of(order),
        "history": url("notifications_historyentry_changelist"),
    }
    assert text_of(people["superuser"].get(pages[page])).count(sentence) == 1


def test_where_nothing_is_shown_nothing_is_said_of_keeping_it(people, order, warehouse):
    for empty in (order, warehouse):
        assert "are kept for" not in text_of(people["superuser"].get(page_of(empty)))
