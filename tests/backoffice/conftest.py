from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.db.models import Q
from django.test import Client

from tests.notifications.conftest import attach, channel, engine, quick_delivery, receiver
from tests.orders.conftest import announced, club, course, funnel, lead, mug, poster, survey
from tests.signing_in import logged_in

__all__ = [
    "announced",
    "attach",
    "channel",
    "club",
    "course",
    "engine",
    "funnel",
    "lead",
    "mug",
    "poster",
    "quick_delivery",
    "receiver",
    "survey",
]

SignIn = Callable[..., Client]


@pytest.fixture
def sign_in(db: None) -> SignIn:
    """`sign_in("orders.view_order", ...)`: the browser of a member of staff who may do this and nothing else."""

    def sign_in(*permissions: str) -> Client:
        user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
        wanted = Q(pk=None)
        for permission in permissions:
            app_label, codename = permission.split(".")
            wanted |= Q(content_type__app_label=app_label, codename=codename)
        found = list(Permission.objects.filter(wanted))
        assert len(found) == len(permissions)
        user.user_permissions.set(found)
        return logged_in(user)

    return sign_in
