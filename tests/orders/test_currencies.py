"""Amounts have the decimals of their currency, coming in and going out."""

from decimal import Decimal
from typing import Any

import pytest
from babel.numbers import get_currency_precision
from django.core.exceptions import ValidationError
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from notifications.display import money
from orders import services
from orders.currencies import CURRENCIES, decimals_of, money_text, too_precise
from orders.models import Contact, Order, Product, Quote, Refund, Transaction
from orders.representations import OrderOut, RefundOut, SubscriptionOut, TransactionOut
from tests.orders.shop import Announcements, counts, item, pay, place, refund, stored

# The Unicode CLDR, which Babel brings, counts the decimals that people write: these have more in ISO 4217.
WRITTEN_WITHOUT = {
    *("AFN", "ALL", "COP", "HUF", "IDR", "IQD", "IRR", "KPW", "LAK", "LBP", "MGA", "MMK", "SOS", "SYP", "YER"),
}


def test_the_decimals_are_those_of_iso_4217() -> None:
    assert {code for code in CURRENCIES if decimals_of(code) != get_currency_precision(code)} == WRITTEN_WITHOUT
    assert [decimals_of(code) for code in ("JPY", "USD", "KWD", "CLF", "IQD", "HUF")] == [0, 2, 3, 4, 3, 2]


@given(st.sampled_from(sorted(CURRENCIES)), st.integers(0, 10**16))
def test_what_is_written_has_as_many_decimals_as_the_currency(currency: str, units: int) -> None:
    places = decimals_of(currency)
    amount = Decimal(units).scaleb(-places)
    text = money_text(amount, currency)
    assert Decimal(text) == amount
    assert len(text.partition(".")[2]) == places
    assert too_precise(Decimal(text), currency) is None
    assert too_precise(Decimal(text + ("0" if places else ".0")), currency) is not None
    assert money(amount, currency).replace(",", "") == f"{text} {currency}"


@pytest.mark.parametrize(
    ("currency", "price", "total", "paid", "rest"),
    [
        ("JPY", "1500", "3000", "1000", "2000"),
        ("KWD", "1.125", "2.250", "0.125", "2.125"),
        ("CLF", "0.0001", "0.0002", "0.0001", "0.0001"),
    ],
)
@pytest.mark.django_db
def test_an_order_in_it(
    currency: str, price: str, total: str, paid: str, rest: str, lead: Contact, club: Product
) -> None:
    order = place(lead, item("club", 2, price), currency=currency)
    purchase = pay(order, total)
    given_back = refund(order, paid)
    shown = OrderOut.model_validate(stored(order))
    assert (shown.total, shown.paid_total, shown.refunded_total) == (total, total, paid)
    assert (shown.items[0].unit_price, shown.items[0].total) == (price, total)
    assert shown.shipping == money_text(Decimal(0), currency)
    assert TransactionOut.model_validate(Transaction.objects.get()).amount == total
    assert RefundOut.model_validate(given_back).amount == paid
    assert SubscriptionOut.model_validate(order.subscriptions.get()).amount == total
    with pytest.raises(ValidationError) as refusal:
        refund(order, total)
    assert refusal.value.message_dict == {
        "amount": [f"Give an amount above 0 and up to {rest}, which is left of the purchase."]
    }
    assert f"{total} {currency}" in str(Transaction.objects.get())
    assert str(Refund.objects.get()) == f"Refund of {paid} {currency}"
    assert purchase.currency == currency


@pytest.mark.parametrize(
    ("currency", "wrong", "sentence"),
    [
        ("JPY", "1.5", "Give an amount without decimals: JPY has none."),
        ("JPY", "1.00", "Give an amount without decimals: JPY has none."),
        ("USD", "1.234", "Give an amount with at most 2 decimals: USD has no more."),
        ("USD", "1.000", "Give an amount with at most 2 decimals: USD has no more."),
        ("KWD", "1.2345", "Give an amount with at most 3 decimals: KWD has no more."),
    ],
)
@pytest.mark.django_db
def test_more_decimals_are_refused_wherever_an_amount_is_given(
    currency: str, wrong: str, sentence: str, lead: Contact, mug: Product, announced: Announcements
) -> None:
    order = place(lead, item("mug", 1, "1"), currency=currency)
    pay(order, "1")
    before, amount = counts(), Decimal(wrong)
    announced.take()
    calls: list[tuple[str, Any]] = [
        ("shipping", lambda: place(lead, item("mug", 1, "1"), currency=currency, shipping=amount)),
        ("tax", lambda: place(lead, item("mug", 1, "1"), currency=currency, tax=amount)),
        ("items[0].unit_price", lambda: place(lead, item("mug", 1, wrong), currency=currency)),
        ("amount", lambda: pay(order, wrong, "r2")),
        ("items[0].unit_price", lambda: pay(order, "1", "r2", items=[item("mug", 1, wrong)])),
        ("amount", lambda: refund(order, wrong)),
        ("amount", lambda: refund(order, wrong, kind="void")),
        (
            "tax",
            lambda: services.create_quote(contact=lead.id, items=[item("mug", 1, "1")], currency=currency, tax=amount),
        ),
    ]
    for field, call in calls:
        with pytest.raises(ValidationError) as refusal:
            call()
        assert refusal.value.message_dict == {field: [sentence]}
    assert (counts(), announced.names) == (before, [])


@pytest.mark.django_db
def test_what_was_recorded_with_more_decimals_is_not_rounded(lead: Contact, mug: Product) -> None:
    """By a version that took two decimals of everything."""
    order = place(lead, item("mug", 1, "12"), currency="JPY")
    pay(order, "12")
    Order.objects.update(paid_total=Decimal("12.50"))
    Transaction.objects.update(amount=Decimal("12.50"))
    assert OrderOut.model_validate(stored(order)).paid_total == "12.5"
    assert RefundOut.model_validate(refund(order, kind="void")).amount == "12.5"
    Product.objects.filter(pk=mug.pk).update(currency="JPY")
    with pytest.raises(ValidationError) as refusal:
        place(lead, item("mug"), currency="JPY")
    assert list(refusal.value.message_dict) == ["items[0].unit_price"]


@pytest.mark.django_db
def test_amounts_are_kept_with_the_most_decimals_that_any_currency_has(lead: Contact, mug: Product) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, numeric_scale FROM information_schema.columns "
            "WHERE table_name LIKE 'orders_%%' AND data_type = 'numeric' AND numeric_scale <> 4"
        )
        assert cursor.fetchall() == []
    assert Quote.objects.count() == 0
