from collections.abc import Sequence
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from orders.errors import Conflict
from orders.inputs import ZERO, ItemInput
from orders.models import Order, Quote, QuoteItem, Source
from orders.services.ordering import charge_items, price_items, save_order
from orders.services.reading import find_contact


def create_quote(
    *,
    contact: str,
    items: Sequence[ItemInput],
    currency: str | None = None,
    shipping: Decimal = ZERO,
    tax: Decimal = ZERO,
) -> Quote:
    """Offer a known contact (its id) these items, at the prices given or else the products' own of today.

    Raises `ValidationError` on `contact`, `items[i].sku` or `items[i].unit_price` (see `create_order`).
    """
    currency = currency or settings.DEFAULT_CURRENCY
    with transaction.atomic():
        buyer = find_contact(contact, field="contact")
        lines = price_items(items=items, currency=currency)
        order = Order(currency=currency, shipping=shipping, tax=tax)
        charge_items(order=order, lines=lines)
        quote = Quote.objects.create(
            contact=buyer,
            currency=currency,
            subtotal=order.subtotal,
            shipping=shipping,
            tax=tax,
            total=order.total,
        )
        QuoteItem.objects.bulk_create(
            QuoteItem(quote=quote, product=line.product, quantity=line.quantity, unit_price=line.unit_price)
            for line in lines
        )
    return quote


def sell_quote(*, quote_id: int) -> Order:
    """Open the order that the contact agreed to: of the admin, with origin quote, at the prices of the quote.

    Raises `Quote.DoesNotExist`, and `Conflict` for a quote that is sold. Nothing is announced: an order announces
    itself when it is paid.
    """
    with transaction.atomic():
        quote = Quote.objects.select_for_update(no_key=True).get(pk=quote_id)
        if quote.order is not None:
            raise Conflict(f"The quote is sold: it became order {quote.order.number}.")
        items = [
            ItemInput(sku=line.product.sku, quantity=line.quantity, unit_price=line.unit_price)
            for line in quote.items.select_related("product")
        ]
        order = Order(
            contact_id=quote.contact_id,
            source=Source.ADMIN,
            origin=Order.Origin.QUOTE,
            currency=quote.currency,
            shipping=quote.shipping,
            tax=quote.tax,
        )
        order = save_order(order=order, lines=price_items(items=items, currency=quote.currency))
        quote.sell(order)
        quote.save()
    return order
