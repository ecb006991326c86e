"""Remembers which permission a request lacked, so that the page of the refusal can name it."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, Permission
from django.db.models import Q

from backoffice.accounts.demo_login import DEMO_LOGIN, is_refused

Person = AbstractBaseUser | AnonymousUser


class RememberingBackend(ModelBackend):
    """Django's own backend, which also notes on the user (one object a request) each permission that it refused.

    The demo's login enters the demo alone, by its password and by a session.
    """

    def authenticate(self, request: Any, username: Any = None, password: Any = None, **credentials: Any) -> Any:
        """Outside of the demo the demo's password is refused for every user: it is public."""
        user = super().authenticate(request, username=username, password=password, **credentials)
        return None if password == DEMO_LOGIN[1] and not settings.DEMO else user

    def user_can_authenticate(self, user: Any) -> bool:
        return bool(super().user_can_authenticate(user)) and not is_refused(user)

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        granted = super().has_perm(user_obj, perm, obj)
        if not granted:
            user_obj.refused = [*getattr(user_obj, "refused", ()), perm]
        return granted


def refused_permissions(user: Person) -> list[Permission]:
    """The permissions that `user` lacked during this request, in the order of the checks; maybe none."""
    names = list(dict.fromkeys(getattr(user, "refused", ())))
    wanted = Q(pk=None)
    for name in names:
        app_label, _, codename = name.partition(".")
        wanted |= Q(content_type__app_label=app_label, codename=codename)
    found = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.filter(wanted).select_related("content_type")
    }
    return [found[name] for name in names if name in found]


def groups_that_may(permissions: Sequence[Permission]) -> list[Group]:
    """The groups that have at least one of `permissions`."""
    return list(Group.objects.filter(permissions__in=permissions).distinct().order_by("name")) if permissions else []
