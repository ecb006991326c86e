"""All that is mounted, read from the URL resolver, each address with one that can be asked for."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.apps import apps
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.urls import URLPattern, URLResolver
from django.urls.resolvers import RegexPattern
from ninja.operation import PathView

from channels_app.models import Channel
from config.urls import build_urls
from demo.models import KeptMail
from notifications.models import Delivery, Event, EventChannel
from orders.models import Contact, Order, Subscription, Survey

API = "api/v1/"
_GROUP = re.compile(r"\(\?P<(\w+)>(?:[^()\\]|\\.)*\)")
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


def routes() -> list[str]:
    """Every route that is no operation of the API, as it is written in the code; the demo's own included."""
    return sorted(route for route, pattern in _walk(build_urls(demo=True), "") if _view(pattern) is None)


def operations() -> list[str]:
    """Every operation of the API: `GET /orders/{number}`."""
    found = set()
    for route, pattern in _walk(build_urls(demo=True), ""):
        if (view := _view(pattern)) is not None:
            path = "/" + _PARAMETER.sub(r"{\1}", route.removeprefix(API))
            found |= {f"{method} {path}" for each in view.operations for method in each.methods}
    return sorted(found)


def _view(pattern: URLPattern) -> PathView | None:
    """The operations behind an address of the API, None for any other address."""
    owner = getattr(pattern.callback, "__self__", None)
    return owner if isinstance(owner, PathView) else _closed_over(pattern.callback)


def _closed_over(callback: Any) -> PathView | None:
    """ninja hands a plain function to the resolver, which keeps its `PathView`."""
    cells = [cell.cell_contents for cell in getattr(callback, "__closure__", None) or ()]
    return next((each for each in cells if isinstance(each, PathView)), None)


def _walk(patterns: list[Any], before: str) -> Iterator[tuple[str, URLPattern]]:
    for each in patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from _walk(each.url_patterns, route)
        else:
            if isinstance(each.pattern, RegexPattern):
                route = before + str(each.pattern).removeprefix("^").removesuffix("$")
            yield _GROUP.sub(r"<\1>", route), each  # of a regular expression the name alone: its choices have no order


def path_of(route: str) -> str:
    """An address of this route that leads to a record that there is."""
    values = values_for(route)
    return "/" + _PARAMETER.sub(lambda found: str(values[found[1]]), route)


def path_of_operation(operation: str) -> str:
    """`/api/v1/orders/1001` for `GET /orders/{number}`."""
    path = operation.split()[1]
    first = path.split("/")[1]
    ids: Mapping[str, type[Model]] = {
        "channels": Channel,
        "deliveries": Delivery,
        "events": Event,
        "contacts": Contact,
        "subscriptions": Subscription,
    }
    values = {
        "channel_id": EventChannel.objects.earliest("pk").channel_id if first == "event-types" else None,
        "key": "order.completed",
        "number": Order.objects.latest("pk").number,
        "slug": Survey.objects.earliest("pk").slug,
    }
    if first in ids:
        latest = ids[first]._default_manager.latest("pk").pk
    return f"/{API[:-1]}" + re.sub(r"\{(\w+)\}", lambda found: str(values.get(found[1]) or latest), path)


def values_for(route: str) -> dict[str, Any]:
    values: dict[str, Any] = {
        "app_label": "orders",
        "channel_id": EventChannel.objects.filter(event_type="order.completed").earliest("pk").channel_id,
        "content_type_id": 1,
        "delivery_id": Delivery.objects.latest("pk").pk,
        "key": "order.completed",
        "name": "warehouse",
        "object_id": 1,
        "pk": KeptMail.objects.latest("pk").pk,
        "token": "no-token",
        "uidb64": "MQ",
        "url": "nothing/here",
    }
    of_model = re.match(r"admin/(\w+)/(\w+)/", route)
    if of_model and of_model[1] in {"api", "auth", "channels_app", "notifications", "orders"}:
        values["object_id"] = quote(apps.get_model(of_model[1], of_model[2]).objects.latest("pk").pk)
        values["id"] = values["object_id"]
    if "<str:delivery_id>" in route or "<slug:delivery_id>" in route:
        delivery = Delivery.objects.latest("pk")
        values["object_id"] = quote(str(delivery.channel_id if "/channel/" in route else delivery.event.order_id))
    return values
