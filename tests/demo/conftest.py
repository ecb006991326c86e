import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from channels_app.models import Channel
from channels_app.services import create_channel
from channels_app.transports.signature import sign

WAREHOUSE_URL = "http://127.0.0.1:8000/demo/receiver/warehouse/"
EVENT = {"id": "evt_1", "type": "order.completed", "source": "shop", "data": {"order": {"number": "1001"}}}


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
    client.force_login(django_user_model.objects.create_user("grace", is_staff=True))
    return client
