"""`python -m tests.faults.prepare`: fills an empty database, and prints a key of the API on the last line."""

from decimal import Decimal

import django
from django.core.management import call_command


def prepare() -> str:
    from api.keys import create_key
    from orders.models import Funnel, Product

    call_command("migrate", interactive=False, verbosity=0)
    Product.objects.create(sku="mug", title="Mug", kind="physical", unit_price=Decimal("12.50"), currency="USD")
    Funnel.objects.create(name="Spring launch", slug="spring")
    return create_key(name="Faults", scopes=["storefront", "manage"])[1]


if __name__ == "__main__":
    django.setup()
    print(prepare())
