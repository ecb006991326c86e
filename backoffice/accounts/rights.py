"""Who may act on whose account."""

from django.contrib.auth.models import Permission, User
from django.db.models import Q
from django.http import HttpRequest


def is_superuser(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_superuser


def may_be(request: HttpRequest, other: User) -> bool:
    """Whether whoever asks may do all that `other` may, so that changing `other`'s password gives them nothing new.

    What `other` has been given counts also while their account is not active: whoever changes it could activate it.
    """
    if is_superuser(request):
        return True
    given = Permission.objects.filter(Q(group__user=other) | Q(user=other))
    names = {f"{app}.{codename}" for app, codename in given.values_list("content_type__app_label", "codename")}
    return not other.is_superuser and names <= request.user.get_all_permissions()
