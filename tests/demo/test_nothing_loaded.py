"""`load_demo` where there is something already, or where nothing is wanted."""

from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from channels_app.models import Channel
from channels_app.services import create_channel
from notifications.models import Delivery, Event, EventChannel
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


def _load() -> str:
    output = StringIO()
    call_command("load_demo", stdout=output)
    return output.getvalue()


def _counts() -> list[int]:
    return [model._default_manager.count() for model in MODELS]
