"""Creating quotes, and selling them as orders."""

from collections.abc import Sequence
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from orders.errors import Conflict
from orders.inputs import ZERO, ItemInput
from orders.models import Order, OrderItem, Quote, QuoteItem, Source
from orders.services.amounts import refuse_decimals
from orders.services.lookups import find_contact
from orders.services.ordering import charge_items, price_items, save_order


def create_quote(
    *,
    contact: str,
    items: Sequence[ItemInput],
    currency: str | None = None,
    shipping: Decimal = ZERO,
    tax: Decimal = ZERO,
) -> Quote:
    """Offer a known contact (its id) these items, at the prices given or else the products' own of today.

    Raises `ValidationError` on `contact`, and on amounts and items as `create_order` does.
    """
    currency = currency or settings.DEFAULT_CURRENCY
    refuse_decimals(currency, shipping=shipping, tax=tax)
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
            QuoteItem(
                quote=quote,
                product=line.product,
                title=line.title,
                kind=line.kind,
                interval=line.interval,
                quantity=line.quantity,
                unit_price=line.unit_price,
            )
            for line in lines
        )
    return quote


def sell_quote(*, quote_id: int) -> Order:
    """Open the order that the contact agreed to: of the admin, with origin quote, and with what the quote offered.

    Raises `Quote.DoesNotExist`, and `Conflict` for a quote that is sold. Nothing is announced: an order announces
    itself when it is paid.
    """
    with transaction.atomic():
        quote = Quote.objects.select_for_update(no_key=True).get(pk=quote_id)
        if quote.order is not None:
            raise Conflict(f"The quote is sold: it became order {quote.order.number}.")
        order = Order(
            contact_id=quote.contact_id,
            source=Source.ADMIN,
            origin=Order.Origin.QUOTE,
            currency=quote.currency,
            shipping=quote.shipping,
            tax=quote.tax,
        )
        order = save_order(order=order, lines=[_as_offered(line) for line in quote.items.select_related("product")])
        quote.sell(order)
        quote.save()
    return order


def _as_offered(line: QuoteItem) -> OrderItem:
    """Whatever became of the product since."""
    product = line.product
    sold_as = line if line.title else product
    return OrderItem(
        product=product,
        sku=product.sku,
        title=sold_as.title,
        kind=sold_as.kind,
        interval=sold_as.interval,
        quantity=line.quantity,
        unit_price=line.unit_price,
        total=line.total,
    )
