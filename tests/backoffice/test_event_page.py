# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""One event: what was sent, and who was told or why not."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_app.models import Channel
from notifications import services
from notifications.events import EVENT_TYPES
from notifications.models import Delivery, Event
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

COMPLETED = EVENT_TYPES["order.completed"]


def test_an_event_shows_what_happened_and_what_was_sent(people, failed):
    event = failed.event
    page = people["superuser"].get(page_of(event))
    text = text_of(page)
    for part in (
        f"Event id {event.pk}",
        "Source Shop",
        f"Order {event.order.number}",
        "Contact Ada@example.com",
        '"first_name": "Zoë"',
    ):
        assert part in text, part
    for link in (page_of(event.order), page_of(event.contact), page_of(failed)):
        assert f'href="{link}"' in page.content.decode(), link


def test_an_event_says_for_each_channel_what_became_of_it_and_what_to_do(people, failed):
    event = failed.event
    services.attach_channel(event_type=COMPLETED, channel_id=failed.channel_id, sources=["admin"], by="t")
    quiet = services.create_channel(name="Quiet", kind="postback", url="https://example.com/", headers={}, by="t")
    services.attach_channel(event_type=COMPLETED, channel_id=quiet.pk, sources=["admin"], by="t")
    event.routing += [
        {"channel": quiet.pk, "name": "Quiet", "outcome": "source_not_chosen", "delivery": None},
        {"channel": "chn_y", "name": "Early", "outcome": "event_disabled", "delivery": None},
    ]
    event.save()
    page = people["Notification administrators"].get(page_of(event))
    assert (
        "Failed Warehouse was not reached: the receiver answered 503. Open the delivery to retry it. Open delivery "
        "Not told Mailing was not told: it did not listen to the source Shop. It is no longer attached. "
        "Not told Quiet was not told: it did not listen to the source Shop. It listens to Admin only: edit its "
        "sources to have it told. Edit sources "
        "Not told Early was not told: Order completed was turned off at that time. It is still off: turn it on to "
        "have channels told. System notifications"
    ) in text_of(page)
    edit = url("event_type_sources", "order.completed", quiet.pk)
    assert f'href="{edit}"' in page.content.decode()
    assert edit not in people["Order staff"].get(page_of(event)).content.decode()


def test_an_event_that_reached_nobody_says_so(admin, failed):
    Event.objects.update(routing=[])
    assert "Nobody was told: no channel was attached to Order completed at that time." in text_of(
        admin.get(page_of(failed.event))
    )


@pytest.mark.usefixtures("banners_of_each_page")
def test_an_event_costs_the_same_queries_for_one_channel_and_for_many(admin, failed, order, django_assert_num_queries):
    event = failed.event
    with CaptureQueriesContext(connection) as one:
        admin.get(page_of(event))
    for number in range(5):
        channel = Channel.objects.create(name=f"C{number}", kind="postback")
        delivery = Delivery.objects.create(event=event, event_type=event.type, channel=channel)
        services.attach_channel(event_type=COMPLETED, channel_id=channel.pk, sources=["shop"], by="t")
        event.routing.append(
            {"channel": channel.pk, "name": channel.name, "outcome": "delivered", "delivery": delivery.pk}
        )
    event.save()
    with django_assert_num_queries(len(one)):
        assert text_of(admin.get(page_of(event))).count("waiting to be sent") == 5


def test_an_event_whose_body_was_not_built_says_so(admin, failed):
    Event.objects.update(body=None)
    assert "The body could not be built." in text_of(admin.get(page_of(failed.event)))


def test_an_event_whose_personal_data_was_erased_says_so_and_is_not_sent_by_hand(admin, failed):
    Event.objects.update(erased_at=timezone.now())
    for page in (failed, failed.event):
        text = text_of(admin.get(page_of(page)))
        assert "The personal data in this body was erased" in text
        assert "curl" not in text


def test_an_event_is_for_those_who_may_see_it(people, failed):
    assert people["staff without a group"].get(page_of(failed.event)).status_code == 403
    assert people["superuser"].get(url("notifications_event_change", "evt_5Fnobody")).status_code == 404
    assert people["superuser"].post(page_of(failed.event)).status_code == 405


def test_an_event_names_its_request_which_leads_to_all_that_came_of_it(people, failed):
    request = "Root=1-6789/x+y:z"
    alike = Event.objects.create(type="contact.created", source="shop", request_id=request)
    other = Event.objects.create(type="contact.created", source="shop", request_id="other")
    trace = {"traceparent": f"00-{'4b' * 16}-00f067aa0ba902b7-01"}
    unasked = Event.objects.create(type="contact.created", source="shop", trace_context=trace)
    Event.objects.filter(pk=failed.event_id).update(request_id=request)
    page = people["superuser"].get(page_of(failed.event))
    assert f"Request id {request}" in text_of(page)
    query = "?q=Root%3D1-6789%2Fx%2By%3Az"
    assert f'href="{url("notifications_event_changelist")}{query}"' in page.content.decode()

    found = people["superuser"].get(url("notifications_event_changelist") + query).content.decode()
    assert page_of(alike) in found and page_of(failed.event) in found
    assert page_of(other) not in found
    found = people["superuser"].get(url("notifications_delivery_changelist") + query).content.decode()
    assert page_of(failed) in found
    assert "Trace id" not in text_of(page)
    told = text_of(people["superuser"].get(page_of(unasked)))
    assert f"Request id None: no request made it Trace id {'4b' * 16}" in told
