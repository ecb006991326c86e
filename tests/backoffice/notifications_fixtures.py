"""People, channels and deliveries for the tests of the notifications' pages."""

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Group, User
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from channels_app.models import Channel
from channels_app.services import create_channel
from notifications.models import Delivery, DeliveryAttempt, Event
from orders.models import Contact, Order
from tests.orders.shop import contact_input
from tests.signing_in import logged_in

GROUPS = ("Notification administrators", "Order staff", "Viewers")
ANONYMOUS = "anonymous"
ROLES = (ANONYMOUS, "superuser", "staff without a group", *GROUPS)


class People(Mapping[str, Client]):
    """A client for each role, whose user is made when it is first asked for, and one that is nobody."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self._users: dict[str, User] = {}

    def __getitem__(self, role: str) -> Client:
        if role not in self._clients:
            self._clients[role] = Client() if role == ANONYMOUS else logged_in(self.user(role))
        return self._clients[role]

    def user(self, role: str) -> User:
        if role not in self._users:
            self._users[role] = _user_of(role)
        return self._users[role]

    def __iter__(self) -> Iterator[str]:
        return iter(ROLES)

    def __len__(self) -> int:
        return len(ROLES)


def email_administrator(people: People, address: str) -> None:
    """From now on the notification administrator has this address."""
    administrator = people.user("Notification administrators")
    administrator.email = address
    administrator.save(update_fields=["email"])


def _user_of(role: str) -> User:
    if role == "superuser":
        return User.objects.create_superuser("root")
    if role == "staff without a group":
        return User.objects.create_user("nobody", is_staff=True)
    user = User.objects.create_user(role.split()[0].lower(), is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user


@pytest.fixture
def people(db: None) -> People:
    return People()


@pytest.fixture
def admin(people: People) -> Client:
    """A notification administrator, called `notification`."""
    return people["Notification administrators"]


@pytest.fixture
def warehouse(db: None) -> Channel:
    return create_channel(
        name="Warehouse", kind="postback", url="https://example.com/hook", headers={"Authorization": "Bearer s3cret"}
    )


@pytest.fixture
def order(db: None) -> Order:
    ada = Contact.objects.create(source="shop", **contact_input("Ada@example.com").model_dump())
    return Order.objects.create(contact=ada, source="shop", origin="shop", currency="USD")


@pytest.fixture
def failed(warehouse: Channel, order: Order) -> Delivery:
    return make_failed(warehouse, order)


def make_failed(channel: Channel, order: Order | None, event_type: str = "order.completed") -> Delivery:
    """A delivery that failed at its only attempt with 503."""
    event = Event.objects.create(
        type=event_type,
        source="shop",
        order=order,
        contact=order.contact if order else None,
        body=json.dumps({"type": event_type, "data": {"first_name": "Zoë"}}, separators=(",", ":")),
    )
    delivery = Delivery.objects.create(
        event=event,
        event_type=event_type,
        channel=channel,
        status="failed",
        next_attempt_at=None,
        finished_at=timezone.now(),
        attempts_made=1,
        outcome="http_error",
        status_code=503,
        error="The receiver answered 503.",
    )
    DeliveryAttempt.objects.create(
        delivery=delivery,
        number=1,
        trigger="first",
        outcome="http_error",
        url=channel.url,
        status_code=503,
        request_headers={"webhook-id": event.pk, "Authorization": "***"},
        response_headers={"Retry-After": "120"},
        response_body="<b>try later</b>",
        duration_ms=87,
        connection={
            **{"address": "203.0.113.9", "kept": False, "sent_again": False},
            **{"lookup_ms": 4, "connect_ms": 12, "tls_ms": 25, "first_byte_ms": 41},
        },
        error="The receiver answered 503.",
    )
    event.routing = [
        {"channel": channel.pk, "name": channel.name, "outcome": "delivered", "delivery": delivery.pk},
        {"channel": "chn_x", "name": "Mailing", "outcome": "source_not_chosen", "delivery": None},
    ]
    event.save(update_fields=["routing"])
    return delivery


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:{name}", args=args)


def page_of(record: Any, action: str = "change") -> str:
    return url(f"{record._meta.app_label}_{record._meta.model_name}_{action}", quote(record.pk))


def said(response: Any) -> list[str]:
    """The messages that this answer leaves for the next page."""
    return [str(message) for message in get_messages(response.wsgi_request)]


def text_of(response: Any) -> str:
    """What a person reads in the main part of a page: without tags, spaces folded."""
    page = response.content.decode()
    page = page[page.index('id="main"') :]
    page = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page)))
