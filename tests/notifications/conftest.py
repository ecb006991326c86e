import ipaddress
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from pytest_django import Settings

from channels_app.models import Channel
from channels_app.services import create_channel
from notifications import alert_raising, services
from notifications.delivery.engine import Engine
from notifications.events import EVENT_TYPES
from orders.models import Contact, Funnel, Product
from tests.orders.shop import contact_input
from tests.servers.receiver import Receiver


@pytest.fixture(autouse=True)
def quick_delivery(settings: Settings) -> None:
    """Loopback is let through, and retries are due at once."""
    settings.POSTBACK_ALLOWED_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]
    settings.POSTBACK_RETRY_DELAYS_SECONDS = [0.0, 0.0, 0.0]
    settings.POSTBACK_TIMEOUT_SECONDS = 30.0
    settings.SWEEP_INTERVAL_SECONDS = 0.05


@pytest.fixture(autouse=True)
def quick_alerts(monkeypatch: pytest.MonkeyPatch) -> None:
    """None waits for others of its kind."""
    monkeypatch.setattr(alert_raising, "TOGETHER_WITHIN", timedelta())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def channel(db: None, receiver: Receiver) -> Channel:
    return create_channel(name="Warehouse", kind="postback", url=receiver.url)


@pytest.fixture
def attach(db: None) -> Callable[..., None]:
    """`attach(channel, "order.completed", ...)`: enable these event types (all by default) and attach the channel."""

    def attach(channel: Channel, *keys: str, sources: tuple[str, ...] = ("admin", "shop", "funnel")) -> None:
        for key in keys or EVENT_TYPES:
            services.set_event_type_enabled(event_type=EVENT_TYPES[key], enabled=True, by="test")
            services.attach_channel(event_type=EVENT_TYPES[key], channel_id=channel.pk, sources=sources, by="test")

    return attach


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.stop()
    assert engine.join(timeout=20)


@pytest.fixture
def mug(db: None) -> Product:
    return Product.objects.create(
        sku="mug", title="Mug", kind=Product.Kind.PHYSICAL, unit_price=Decimal("12.50"), currency="USD"
    )


@pytest.fixture
def funnel(db: None) -> Funnel:
    return Funnel.objects.create(name="Spring launch", slug="spring")


@pytest.fixture
def lead(db: None) -> Contact:
    return Contact.objects.create(source="shop", **contact_input("ada@example.com").model_dump())
