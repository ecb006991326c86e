import json
import time
from collections.abc import Callable, Iterator
from io import StringIO
from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client, override_settings
from pytest_django import DjangoDbBlocker

from channels_app.models import Channel
from channels_app.services import create_channel
from channels_app.transports.postback.signature import sign
from config.urls import build_urls
from tests.emptying import kept

PUBLIC_URL = "http://127.0.0.1:8765"
WAREHOUSE_URL = "http://127.0.0.1:8000/demo/receiver/warehouse/"
EVENT = {"id": "evt_1", "type": "order.completed", "source": "shop", "data": {"order": {"number": "1001"}}}


@pytest.fixture(scope="module")
def loaded(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The demo's data, loaded once for a module and committed; what `load_demo` said."""

    def load() -> str:
        said = StringIO()
        with override_settings(PUBLIC_URL=PUBLIC_URL):
            call_command("load_demo", stdout=said)
        return said.getvalue()

    yield from kept(django_db_blocker, load)


@pytest.fixture
def demo(loaded: str, db: None, settings: Any) -> None:
    """The demo's data; what a test changes of it is rolled back."""
    settings.PUBLIC_URL = PUBLIC_URL


@pytest.fixture
def warehouse(db: None) -> Channel:
    return create_channel(name="Local receiver", kind="postback", url=WAREHOUSE_URL)


@pytest.fixture
def post(db: None) -> Callable[..., HttpResponse]:
    """`post("warehouse", channel)`: a postback as Tidings sends it; `signed_ago` in seconds, `sent` another body."""

    def post(
        receiver: str,
        channel: Channel | None = None,
        *,
        message_id: str = "evt_1",
        body: bytes | None = None,
        sent: bytes | None = None,
        secret: str = "",
        signed_ago: float = 0,
        **headers: str,
    ) -> Any:
        body = json.dumps(EVENT).encode() if body is None else body
        secret = secret or (channel.secret if channel else "")
        timestamp = int(time.time() - signed_ago)
        signed = {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(secret, message_id, timestamp, body) if secret else "",
            **headers,
        }
        return Client(enforce_csrf_checks=True).post(
            f"/demo/receiver/{receiver}/",
            data=body if sent is None else sent,
            content_type="application/json",
            headers={name: value for name, value in signed.items() if value},
        )

    return post


@pytest.fixture
def staff(client: Client, django_user_model: type[User]) -> Client:
    grace = django_user_model.objects.create_user("grace", is_staff=True)
    grace.user_permissions.add(Permission.objects.get(codename="change_channel"))
    client.force_login(grace)
    return client


def urls_of(*, demo: bool) -> ModuleType:
    """For `settings.ROOT_URLCONF`: what is mounted with the demo, or without it."""
    module = ModuleType(f"urls_{demo}")
    module.__dict__["urlpatterns"] = build_urls(demo=demo)
    return module
