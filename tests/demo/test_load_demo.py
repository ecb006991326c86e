"""`load_demo`: what an empty database is given, and what is left alone."""

from collections import Counter
from io import StringIO

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import CommandError, call_command

from channels_app.models import Channel
from channels_app.services import create_channel
from config.demo.management.commands.load_demo import DEMO_LOGIN
from notifications.catalogue import EVENT_TYPES
from notifications.models import Delivery, Event, EventChannel, EventTypeSwitch
from notifications.services import archive_channel
from orders.models import Contact, Funnel, Order, Product, Transaction

pytestmark = pytest.mark.django_db
MODELS = (get_user_model(), Contact, Product, Funnel, Order, Transaction, Channel, EventChannel, Event, Delivery)


@pytest.fixture
def demo(db: None, settings) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:8765"
    assert _load() == "Demo data loaded.\n"


def test_the_demo_login_logs_in_as_an_administrator(demo):
    username, password = DEMO_LOGIN
    user = authenticate(username=username, password=password)
    assert user is not None
    assert user.is_superuser


def test_there_are_orders_in_every_status_from_every_source(demo):
    assert Counter(Order.objects.values_list("source", "status")) == {
        ("admin", "open"): 1,
        ("admin", "completed"): 1,
        ("shop", "open"): 1,
        ("shop", "completed"): 3,
        ("shop", "refunded"): 1,
        ("funnel", "open"): 1,
        ("funnel", "paid"): 1,
        ("funnel", "completed"): 1,
        ("funnel", "refunded"): 1,
    }
    assert Order.objects.filter(status="completed", refunded_total__gt=0).count() == 1
    assert Counter(Transaction.objects.values_list("status", flat=True)) == {"approved": 9, "declined": 2}
    assert Transaction.objects.filter(is_upsell=True, status="approved").count() == 1
    assert Counter(Contact.objects.values_list("source", flat=True)) == {"admin": 3, "shop": 6, "funnel": 5}
    assert set(Product.objects.values_list("kind", flat=True)) == {"physical", "digital", "subscription"}
    assert Funnel.objects.count() == 2


def test_every_event_type_that_can_happen_has_happened_and_is_on(demo):
    possible = {key for key, event_type in EVENT_TYPES.items() if event_type.signal is not None}
    assert set(Event.objects.values_list("type", flat=True)) == possible
    assert set(EventTypeSwitch.objects.filter(enabled=True).values_list("event_type", flat=True)) == possible
    assert len(possible) < len(EVENT_TYPES)


def test_deliveries_are_recorded_and_routing_says_who_was_left_out(demo):
    assert set(Delivery.objects.values_list("status", "attempts_made")) == {("pending", 0)}
    assert Counter(Delivery.objects.values_list("channel__name", flat=True)) == {
        "Local receiver": 41,
        "Failing receiver": 4,
    }
    outcomes = Counter(
        (event.type, event.source, route["name"], route["outcome"])
        for event in Event.objects.all()
        for route in event.routing
        if route["outcome"] != "delivered"
    )
    assert outcomes == {
        ("contact.created", "admin", "Local receiver", "source_not_chosen"): 3,
        ("refund.applied", "funnel", "Failing receiver", "source_not_chosen"): 1,
    }


def test_the_channels_lead_to_this_installation(demo):
    assert dict(Channel.objects.values_list("name", "url")) == {
        "Local receiver": "http://127.0.0.1:8765/demo/receiver/warehouse/",
        "Failing receiver": "http://127.0.0.1:8765/demo/receiver/failing/",
    }


def test_a_second_load_changes_nothing(demo):
    before = _counts()
    assert _load() == "The database is not empty: no demo data loaded.\n"
    assert _counts() == before


@pytest.mark.parametrize("there", ["user", "contact", "channel", "product", "funnel"])
def test_nothing_is_loaded_where_there_is_something(there, django_user_model):
    if there == "user":
        django_user_model.objects.create_user("grace")
    elif there == "contact":
        Contact.objects.create(source="shop", email="ada@example.com")
    elif there == "channel":
        create_channel(name="Mine", kind="postback", url="https://example.com/hook")
    elif there == "product":
        Product.objects.create(sku="mug", title="Mug", kind="physical")
    else:
        Funnel.objects.create(name="Spring", slug="spring")
    assert "not empty" in _load()
    assert sum(_counts()) == 1


def test_nothing_is_loaded_and_no_login_made_where_demo_is_off(settings):
    settings.DEMO = False
    with pytest.raises(CommandError, match="DEMO is off"):
        _load()
    assert sum(_counts()) == 0


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
    deleted = create_channel(name="Deleted", kind="postback", url=mine)
    archive_channel(channel_id=deleted.pk)
    secrets = {channel.name: channel.secret for channel in Channel.objects.all()}

    settings.PUBLIC_URL = "http://127.0.0.1:8999"
    assert "Channels that follow the new address: 3." in _load()
    assert dict(Channel.objects.values_list("name", "url")) == {
        "Local receiver": "http://127.0.0.1:8999/demo/receiver/warehouse/",
        "Failing receiver": "http://127.0.0.1:8999/demo/receiver/failing/",
        "Mine": "http://127.0.0.1:8999/demo/receiver/mine/?a=1",
        "Deleted": mine,
        **others,
    }
    assert {channel.name: channel.secret for channel in Channel.objects.all()} == secrets


def _load() -> str:
    output = StringIO()
    call_command("load_demo", stdout=output)
    return output.getvalue()


def _counts() -> list[int]:
    return [model._default_manager.count() for model in MODELS]
