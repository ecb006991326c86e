"""The permissions of the back office that a scope stands for: a user who makes a key of it must have all of them.

Else a key would be a way around a missing permission: its holder may do whatever its scope allows.
"""

from collections.abc import Mapping, Sequence

from django.contrib.auth.models import AnonymousUser, User

from api.models import ApiKey, Scope

GIVES: Mapping[str, tuple[str, ...]] = {
    Scope.STOREFRONT: (
        "orders.add_contact",
        "orders.change_contact",
        "orders.view_product",
        "orders.view_order",
        "orders.add_order",
        "orders.change_order",
        "orders.add_transaction",
        "orders.add_refund",
        "orders.change_subscription",
    ),
    Scope.MANAGE: (
        "channels_app.view_channel",
        "channels_app.add_channel",
        "channels_app.change_channel",
        "channels_app.delete_channel",
        "notifications.view_eventtypeswitch",
        "notifications.change_eventtypeswitch",
        "notifications.view_eventchannel",
        "notifications.add_eventchannel",
        "notifications.change_eventchannel",
        "notifications.delete_eventchannel",
        "notifications.view_event",
        "notifications.view_delivery",
        "notifications.change_delivery",
        "notifications.view_deliveryattempt",
    ),
}

DOES: Mapping[str, str] = {
    Scope.STOREFRONT: "make contacts and orders, record payments, give money back and cancel subscriptions",
    Scope.MANAGE: "change, test and delete channels, turn event types on and off, read what was sent and retry it",
}


def may_make(user: User | AnonymousUser, scope: str) -> bool:
    """Whether `user` may do all that a key of `scope` can do."""
    return user.has_perms(GIVES[scope])


def may_not_make(scopes: Sequence[Scope]) -> str:
    """Why a user may not make keys of these scopes: a sentence for each."""
    return " ".join(
        f"A key of the scope {scope} can {DOES[scope]}, all of which you need to be allowed." for scope in scopes
    )


def outlived(key: ApiKey) -> list[Scope]:
    """The scopes of a key that the person who made it could not give it any more. None where a command made it."""
    maker = key.made_by
    return [] if maker is None else [Scope(scope) for scope in key.scopes if not may_make(maker, scope)]
