"""Moving times back, block by block."""

import json
from datetime import datetime, timedelta

import pytest

from demo.times import ago
from notifications.models import Event
from orders.models import Contact, Source
from orders.representations import time_text
from orders.services import create_contact
from tests.orders.shop import contact_input

pytestmark = pytest.mark.django_db


def test_what_an_earlier_block_moved_stays_where_it_is(db):
    with ago(hours=5):
        create_contact(source=Source.SHOP, data=contact_input("ada@example.com"))
        created = Contact.objects.get().created_at
    moved = Contact.objects.get().created_at
    assert moved == created - timedelta(hours=5)
    with ago(hours=3):
        create_contact(source=Source.SHOP, data=contact_input("ada@example.com"))
    assert Contact.objects.get().created_at == moved
    first, second = (json.loads(event.body or "") for event in Event.objects.order_by("id"))
    assert first["data"]["contact"]["created_at"] == second["data"]["contact"]["created_at"] == time_text(moved)
    apart = datetime.fromisoformat(second["timestamp"]) - datetime.fromisoformat(first["timestamp"])
    assert timedelta(hours=2) <= apart < timedelta(hours=2, minutes=1)
