"""`load_demo`: what an empty database is given, and what is left alone."""

from collections import Counter
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command
from django.test import RequestFactory
from django.utils import timezone

from backoffice.accounts.demo_login import DEMO_LOGIN
from channels_app.models import Channel
from channels_app.services import create_channel
from notifications.events import EVENT_TYPES
from notifications.models import Delivery, Event, EventChannel, EventTypeSwitch
from notifications.services import archive_channel
from orders.models import (
    Contact,
    Funnel,
    Order,
    Product,
    Quote,
    Subscription,
    Survey,
    SurveyResponse,
    Transaction,
)

pytestmark = pytest.mark.django_db
COMMERCE = (Contact, Product, Funnel, Order, Transaction, Quote, Subscription, Survey, SurveyResponse)
MODELS = (get_user_model(), *COMMERCE, Channel, EventChannel, Event, Delivery)


def test_it_says_so(loaded):
    assert loaded == "Demo data loaded.\n"


def test_the_demo_login_logs_in_as_an_administrator(demo):
    username, password = DEMO_LOGIN
    user = authenticate(RequestFactory().post("/admin/login/"), username=username, password=password)
    assert user is not None
    assert user.is_superuser


def test_there_are_orders_in_every_status_from_every_source(demo):
    assert Counter(Order.objects.values_list("origin", "status")) == {
        ("admin", "open"): 1,
        ("admin", "completed"): 1,
        ("quote", "completed"): 1,
        ("shop", "open"): 1,
        ("shop", "completed"): 4,
        ("shop", "refunded"): 1,
        ("funnel", "open"): 1,
        ("funnel", "paid"): 1,
        ("funnel", "completed"): 1,
        ("funnel", "refunded"): 1,
    }
    assert Order.objects.filter(status="completed", refunded_total__gt=0).count() == 1
    assert Order.objects.exclude(tracking=None).count() == 2
    assert Counter(Transaction.objects.values_list("status", flat=True)) == {"approved": 11, "declined": 3}
    assert Transaction.objects.filter(is_upsell=True, status="approved").count() == 1
    assert Counter(Contact.objects.values_list("source", flat=True)) == {"admin": 3, "shop": 6, "funnel": 5}
    assert set(Product.objects.values_list("kind", flat=True)) == {"physical", "digital", "subscription"}
    assert Funnel.objects.count() == 2


def test_there_are_quotes_subscriptions_and_a_survey_with_responses(demo):
    assert Counter(Quote.objects.values_list("status", "order__status")) == {
        ("open", None): 1,
        ("sold", "completed"): 1,
    }
    assert Counter(Subscription.objects.values_list("status", "order__status")) == {
        ("active", "completed"): 1,
        ("active", "paid"): 1,
        ("canceled", "refunded"): 1,
    }
    assert Counter(SurveyResponse.objects.values_list("order__number", "email", "contact__email")) == {
        (Order.objects.get(contact__first_name="Priya").number, None, "priya.raman@example.com"): 1,
        (None, "samuel.adeyemi@example.org", "samuel.adeyemi@example.org"): 1,
        (None, "somebody@example.net", None): 1,
    }


def test_every_event_type_has_happened_and_is_on(demo):
    assert Counter(Event.objects.values_list("type", flat=True)) == {
        "order.completed": 9,
        "contact.created": 16,
        "shipping.tracking_updated": 2,
        "product.conflict": 1,
        "transaction.declined": 3,
        "refund.applied": 3,
        "subscription.canceled": 1,
        "customer.created": 9,
        "transaction.approved": 11,
        "survey.completed": 3,
    }
    assert set(EventTypeSwitch.objects.filter(enabled=True).values_list("event_type", flat=True)) == set(EVENT_TYPES)


def test_deliveries_are_recorded_and_routing_says_who_was_left_out(demo):
    assert set(Delivery.objects.values_list("status", "attempts_made")) == {("pending", 0)}
    assert not Delivery.objects.filter(next_attempt_at__lt=timezone.now() - timedelta(minutes=2)).exists()
    outcomes = Counter(
        (event.type, event.source, route["name"], route["outcome"])
        for event in Event.objects.all()
        for route in event.routing
        if route["outcome"] != "delivered"
    )
    assert outcomes == {
        ("contact.created", "admin", "Local receiver", "source_not_chosen"): 3,
        ("customer.created", "admin", "Busy receiver (503, try in an hour)", "source_not_chosen"): 2,
        ("customer.created", "shop", "Busy receiver (503, try in an hour)", "source_not_chosen"): 4,
        ("order.completed", "shop", "Moved receiver (404)", "source_not_chosen"): 5,
        ("order.completed", "funnel", "Moved receiver (404)", "source_not_chosen"): 2,
        ("refund.applied", "funnel", "Failing receiver (503)", "source_not_chosen"): 1,
        ("refund.applied", "funnel", "Bookkeeping (paused)", "held"): 1,
        ("refund.applied", "shop", "Bookkeeping (paused)", "held"): 2,
        ("order.completed", "admin", "Sales on Slack", "source_not_chosen"): 2,
        ("contact.created", "admin", "Sales on Slack", "source_not_chosen"): 3,
    }


def test_the_channels_lead_to_this_installation_and_two_elsewhere(demo):
    here = "http://127.0.0.1:8765/demo/receiver"
    assert {channel.name: channel.whole_url for channel in Channel.objects.all()} == {
        "Local receiver": f"{here}/warehouse/",
        "Failing receiver (503)": f"{here}/failing/",
        "Busy receiver (503, try in an hour)": f"{here}/busy/",
        "Moved receiver (404)": f"{here}/moved/",
        "Gone receiver (410 pauses it)": f"{here}/gone/",
        "Nobody listens (connection error)": "http://127.0.0.1:9/hook",
        "Internal address (blocked)": "http://10.0.0.5/",
        "Bookkeeping (paused)": f"{here}/bookkeeping/",
        "Sales on Slack": "http://127.0.0.1:8765/demo/slack/sales/",
        "Slack channel that was removed (404)": "http://127.0.0.1:8765/demo/slack/removed/",
        "Back office team": "",
    }
    assert set(Channel.objects.filter(kind="slack").values_list("url", flat=True)) == {"http://127.0.0.1:8765/********"}


def test_what_people_read_is_attached_to_what_they_want_to_hear_of(demo):
    assert dict(Channel.objects.exclude(recipients=[]).values_list("name", "recipients")) == {
        "Back office team": ["olga.berg@example.com", "back-office@example.com"]
    }
    everywhere, customers = ["admin", "shop", "funnel"], ["shop", "funnel"]
    attached = EventChannel.objects.exclude(channel__kind="postback")
    values = attached.values_list("channel__name", "event_type", "sources")
    assert {(name, event_type, *sources) for name, event_type, sources in values} == {
        ("Back office team", "order.completed", *everywhere),
        ("Back office team", "refund.applied", *everywhere),
        ("Back office team", "transaction.declined", *everywhere),
        ("Back office team", "subscription.canceled", *everywhere),
        ("Sales on Slack", "order.completed", *customers),
        ("Sales on Slack", "contact.created", *customers),
        ("Slack channel that was removed (404)", "subscription.canceled", *everywhere),
    }


@pytest.mark.parametrize(
    "address, password, becomes",
    [
        ("", DEMO_LOGIN[1], "admin@example.com"),
        ("me@example.org", DEMO_LOGIN[1], "me@example.org"),
        ("", "my own", ""),
    ],
)
def test_alerts_reach_the_demo_login_and_nobody_elses(demo, address, password, becomes):
    users = get_user_model().objects.filter(username=DEMO_LOGIN[0])
    assert users.get().email == "admin@example.com"
    user = users.get()
    user.set_password(password)
    user.email = address
    user.save()
    _load()
    assert users.get().email == becomes


def test_a_second_load_changes_nothing(demo):
    before = _counts()
    assert _load() == "The database is not empty: no demo data loaded.\n"
    assert _counts() == before


def test_channels_to_a_demo_receiver_follow_a_new_port_and_others_stay(demo, settings):
    mine = "http://localhost:8765/demo/receiver/mine/?a=1"
    others = {
        "Elsewhere": "https://example.com/demo/receiver/warehouse/",
        "Local": "http://127.0.0.1:9000/hook",
        "Query": "http://127.0.0.1:9000/hook?to=/demo/receiver/",
    }
    create_channel(name="Mine", kind="postback", url=mine)
    for name, url in others.items():
        create_channel(name=name, kind="postback", url=url)
    slack = "http://[::1]:8765/demo/slack/mine/"
    others_on_slack = {
        "Elsewhere on Slack": "https://hooks.example.com/demo/slack/mine/",
        "Local on Slack": "http://127.0.0.1:9000/demo/receiver/mine/",
    }
    create_channel(name="Mine on Slack", kind="slack", url=slack)
    for name, url in others_on_slack.items():
        create_channel(name=name, kind="slack", url=url)
    lost = create_channel(name="Lost", kind="slack", url=slack)
    Channel.objects.filter(pk=lost.pk).update(encrypted_url="written with another key")
    deleted = create_channel(name="Deleted", kind="postback", url=mine)
    archive_channel(channel_id=deleted.pk, by="test")
    secrets = {channel.name: channel.secret for channel in Channel.objects.all()}

    settings.PUBLIC_URL = "http://127.0.0.1:8999"
    assert "Channels that follow the new address: 10." in _load()
    here = "http://127.0.0.1:8999/demo/receiver"
    assert {channel.name: channel.readable_url for channel in Channel.objects.all()} == {
        "Local receiver": f"{here}/warehouse/",
        "Failing receiver (503)": f"{here}/failing/",
        "Busy receiver (503, try in an hour)": f"{here}/busy/",
        "Moved receiver (404)": f"{here}/moved/",
        "Gone receiver (410 pauses it)": f"{here}/gone/",
        "Bookkeeping (paused)": f"{here}/bookkeeping/",
        "Mine": f"{here}/mine/?a=1",
        "Nobody listens (connection error)": "http://127.0.0.1:9/hook",
        "Internal address (blocked)": "http://10.0.0.5/",
        "Deleted": mine,
        **others,
        "Sales on Slack": "http://127.0.0.1:8999/demo/slack/sales/",
        "Slack channel that was removed (404)": "http://127.0.0.1:8999/demo/slack/removed/",
        "Mine on Slack": "http://127.0.0.1:8999/demo/slack/mine/",
        **others_on_slack,
        "Lost": None,
        "Back office team": "",
    }
    assert {channel.name: channel.secret for channel in Channel.objects.all()} == secrets


def _load() -> str:
    output = StringIO()
    call_command("load_demo", stdout=output)
    return output.getvalue()


def _counts() -> list[int]:
    return [model._default_manager.count() for model in MODELS]
