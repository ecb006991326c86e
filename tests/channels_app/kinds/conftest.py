from collections.abc import Iterator

import environ
import pytest
from pytest_django import Settings

from channels_app.models import Channel
from channels_app.services import create_channel
from channels_app.transports import TRANSPORTS
from tests.channels_app.kinds.receivers import RECEIVERS, HttpReceiver, MailReceiver
from tests.notifications.conftest import attach, engine, lead, mug, quick_delivery

__all__ = ["attach", "engine", "lead", "mug", "quick_delivery"]


@pytest.fixture(params=TRANSPORTS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def receiver(kind: str, settings: Settings) -> Iterator[HttpReceiver | MailReceiver]:
    """One of this kind, where the settings lead to it."""
    with RECEIVERS[kind](lambda _: 200) as receiver:
        use(receiver, settings)
        yield receiver


@pytest.fixture
def channel(db: None, receiver: HttpReceiver | MailReceiver) -> Channel:
    return create_channel(name="Warehouse", **receiver.channel("/hook"))


def use(receiver: HttpReceiver | MailReceiver, settings: Settings) -> None:
    """Have this process send to the receiver as an installation with its environment variables would."""
    if url := receiver.settings.get("EMAIL_URL"):
        for name, value in environ.Env.email_url_config(url).items():
            setattr(settings, name, value)
