"""The list of pages by which the browser tests, the benchmarks and the screenshots go is complete."""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.contrib.admin.utils import quote
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve, reverse

from api.keys import create_key
from benchmarks.fill import fill
from benchmarks.pages import administrator
from notifications.models import Delivery, EventChannel
from tests.browser.pages import PUBLIC, find_pages

# One page for every kind of record, looked at on an order, a contact and a channel.
SHARED = "_history"


@pytest.fixture
def client(db: None) -> Client:
    fill(200)
    create_key(name="Shop", scopes=["storefront"])
    return administrator()


@pytest.mark.slow
def test_every_address_of_the_back_office_that_opens_as_a_page_is_listed(client):
    pages = find_pages(lambda path: client.get(path).content.decode())
    listed = {resolve(path.partition("?")[0]).view_name for path in [*PUBLIC.values(), *pages.values()]}
    missing = {}
    for name, path in addresses():
        if name not in listed and not name.endswith(SHARED):
            answer = client.get(path)
            if answer.status_code == 200 and b"<html" in answer.getvalue():
                missing[name] = path
    assert missing == {}, "\n".join(missing)


def addresses() -> Iterator[tuple[str, str]]:
    """The names of the admin's URLs, each with a path of it that leads to records that there are."""
    (site,) = [part for part in get_resolver().url_patterns if getattr(part, "namespace", None) == "admin"]
    assert isinstance(site, URLResolver)
    for part in site.url_patterns:
        if isinstance(part, URLPattern):
            named = [("", part)]
        else:
            named = [(str(part.pattern), each) for each in part.url_patterns if isinstance(each, URLPattern)]
        for model, pattern in named:
            if pattern.name:
                wanted = pattern.pattern.regex.groupindex
                values = {name: value for name, value in values_for(model).items() if name in wanted}
                yield f"admin:{pattern.name}", reverse(f"admin:{pattern.name}", kwargs=values)


def values_for(model: str) -> dict[str, object]:
    """What the admin's URLs take; `model` is like `orders/order/`, for the id of such a record."""
    values: dict[str, object] = {
        "app_label": "orders",
        "channel_id": EventChannel.objects.filter(event_type="order.completed").earliest("pk").channel_id,
        "content_type_id": 1,
        "delivery_id": Delivery.objects.latest("pk").pk,
        "key": "order.completed",
        "object_id": 1,
        "token": "no-token",
        "uidb64": "MQ",
    }
    if model:
        app_label, model_name = model.split("/")[:2]
        values["object_id"] = quote(apps.get_model(app_label, model_name).objects.latest("pk").pk)
        values["id"] = values["object_id"]
    return values
