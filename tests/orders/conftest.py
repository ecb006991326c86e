from collections.abc import Iterator
from decimal import Decimal

import pytest

from orders.models import Contact, Funnel, Product, Survey
from tests.orders.shop import Announcements, contact_input


@pytest.fixture
def announced() -> Iterator[Announcements]:
    """What the services announced since the test began."""
    with Announcements() as announcements:
        yield announcements


@pytest.fixture
def mug(db: None) -> Product:
    return Product.objects.create(
        sku="mug", title="Mug", kind=Product.Kind.PHYSICAL, unit_price=Decimal("12.50"), currency="USD"
    )


@pytest.fixture
def course(db: None) -> Product:
    return Product.objects.create(
        sku="course", title="Course", kind=Product.Kind.DIGITAL, unit_price=Decimal("49.00"), currency="USD"
    )


@pytest.fixture
def club(db: None) -> Product:
    return Product.objects.create(
        sku="club",
        title="Book club",
        kind=Product.Kind.SUBSCRIPTION,
        interval=Product.Interval.MONTH,
        unit_price=Decimal("9.00"),
        currency="USD",
    )


@pytest.fixture
def survey(db: None) -> Survey:
    return Survey.objects.create(title="How did you find us?", slug="finding")


@pytest.fixture
def poster(db: None) -> Product:
    """Priced in another currency than the shop's."""
    return Product.objects.create(
        sku="poster", title="Poster", kind=Product.Kind.PHYSICAL, unit_price=Decimal("9.90"), currency="EUR"
    )


@pytest.fixture
def funnel(db: None) -> Funnel:
    return Funnel.objects.create(name="Spring launch", slug="spring")


@pytest.fixture
def lead(db: None) -> Contact:
    data = contact_input("ada@example.com").model_dump()
    return Contact.objects.create(source="shop", **data)
