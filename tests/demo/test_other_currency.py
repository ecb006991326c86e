from io import StringIO

import pytest
from django.core.management import call_command

from orders.models import Order


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("currency", ["JPY", "KWD"])
def test_the_demo_tells_its_story_in_a_currency_of_other_decimals(settings, currency):
    settings.DEFAULT_CURRENCY = currency
    call_command("load_demo", stdout=StringIO())
    assert set(Order.objects.values_list("currency", flat=True)) == {currency}
