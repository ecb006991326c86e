"""What the migrations make of rows that are there, and that the version before goes on writing beside them."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from orders import services
from orders.models import Contact
from tests.orders.shop import contact_input

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def before() -> Iterator[Any]:
    """The models of the version before, in a database that is as it left it."""
    executor = MigrationExecutor(connection)
    newest = [node for node in executor.loader.graph.leaf_nodes() if node[0] == "orders"]
    executor.migrate([("orders", "0002_times_of_the_database")])
    yield executor.loader.project_state([("orders", "0002_times_of_the_database")]).apps
    executor = MigrationExecutor(connection)
    executor.migrate(newest)


def migrate() -> None:
    executor = MigrationExecutor(connection)
    executor.migrate([node for node in executor.loader.graph.leaf_nodes() if node[0] == "orders"])


def test_rows_of_the_version_before(before: Any) -> None:
    contacts, products = before.get_model("orders", "Contact").objects, before.get_model("orders", "Product").objects
    umlaut = contacts.create(id="con_1", email="Ada@Bücher.example", source="shop")
    plain = contacts.create(id="con_2", email="bob@example.com", source="shop")
    twin = contacts.create(id="con_3", email="eve@straße.example", source="shop")
    twins_ascii = contacts.create(id="con_4", email="eve@xn--strae-oqa.example", source="shop")
    unseen = contacts.create(id="con_6", email="kim@exa\u00admple.com", source="shop")
    club = products.create(sku="club", title="Club", kind="subscription", interval="month", unit_price="9.00")
    quote = before.get_model("orders", "Quote").objects.create(
        contact=plain, currency="USD", subtotal="9.00", total="9.00"
    )
    before.get_model("orders", "QuoteItem").objects.create(quote=quote, product=club, quantity=1, unit_price="9.00")

    migrate()

    assert dict(Contact.objects.values_list("pk", "idna_key")) == {
        "con_1": "ada@xn--bcher-kva.example",
        "con_2": None,
        "con_3": None,
        "con_4": None,
        "con_6": "kim@example.com",
    }
    for email, pk in (
        *(("ADA@xn--bcher-kva.example", umlaut.pk), ("ada@BÜCHER.example", umlaut.pk), ("Bob@example.com", plain.pk)),
        ("kim@example.com", unseen.pk),
        *(("eve@straße.example", twin.pk), ("eve@xn--strae-oqa.example", twins_ascii.pk)),
    ):
        contact, created = services.create_contact(source="shop", data=contact_input(email))
        assert (contact.pk, created) == (pk, False)
    order = services.sell_quote(quote_id=quote.pk)
    assert [(line.title, line.kind, line.interval) for line in order.items.all()] == [("Club", "subscription", "month")]

    # A process of the version before goes on in the meantime.
    contacts.create(id="con_5", email="old@example.com", source="shop")
    old = before.get_model("orders", "Quote").objects.create(
        contact_id=plain.pk, currency="USD", subtotal="9.00", total="9.00"
    )
    before.get_model("orders", "QuoteItem").objects.create(quote=old, product_id=club.pk, quantity=1, unit_price="9.00")
    assert [line.title for line in services.sell_quote(quote_id=old.pk).items.all()] == ["Club"]
    assert services.create_contact(source="shop", data=contact_input("OLD@example.com"))[1] is False
