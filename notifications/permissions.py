"""The groups that come with Tidings, and what they may do.

They are made after `migrate`, since a migration on a new database finds no permissions yet. The code is their source:
each `migrate` sets what they may do to what stands here, and leaves alone who belongs to them. An installation
that needs another mixture makes a group of its own.
"""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

VIEW = ("view",)
RETRY = ("view", "change")  # to change a delivery is to retry it
WORK = ("view", "add", "change")
ALL = ("view", "add", "change", "delete")

# They also get alerts by e-mail (`notifications.alerts`).
ADMINISTRATORS = "Notification administrators"

# Group -> "app.model" -> what its members may do with it.
GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    ADMINISTRATORS: {
        "notifications.eventtypeswitch": ("view", "change"),
        "notifications.eventchannel": ALL,
        "notifications.event": VIEW,
        "notifications.delivery": RETRY,
        "notifications.deliveryattempt": VIEW,
        "notifications.historyentry": VIEW,
        "channels_app.channel": ALL,
        "api.apikey": WORK,
    },
    "Order staff": {
        "orders.contact": WORK,
        "orders.product": WORK,
        "orders.order": WORK,
        "orders.orderitem": WORK,
        "orders.transaction": WORK,
        "orders.refund": WORK,
        "orders.subscription": ("view", "change"),  # to change a subscription is to cancel it
        "orders.quote": WORK,
        "orders.quoteitem": WORK,
        "orders.survey": WORK,
        "orders.surveyresponse": VIEW,
        "orders.funnel": VIEW,
        "notifications.event": VIEW,
        "notifications.delivery": RETRY,
        "notifications.deliveryattempt": VIEW,
    },
}
# May look at everything in these apps, and change nothing.
VIEWERS = "Viewers"
VIEWED_APPS = ("orders", "channels_app", "notifications")


def create_groups(*, using: str, **_signal: Any) -> None:
    """Receiver of `post_migrate` of the last app: the permissions of the others exist by then."""
    permissions = Permission.objects.using(using)
    for name, models in GROUPS.items():
        wanted = Q()
        for model, actions in models.items():
            app_label, model_name = model.split(".")
            codenames = [f"{action}_{model_name}" for action in actions]
            wanted |= Q(content_type__app_label=app_label, codename__in=codenames)
        _set(name, list(permissions.filter(wanted)), using)
    viewed = permissions.filter(content_type__app_label__in=VIEWED_APPS, codename__startswith="view_")
    _set(VIEWERS, list(viewed), using)


def _set(name: str, permissions: list[Permission], using: str) -> None:
    group, _ = Group.objects.using(using).get_or_create(name=name)
    group.permissions.set(permissions)
