"""Creating orders, and their items and sums."""

from collections.abc import Sequence
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from orders import signals
from orders.currencies import too_precise, too_precise_value
from orders.inputs import ZERO, AddressInput, ContactInput, ItemInput
from orders.models import HIGHEST_TOTAL, Contact, Funnel, Order, OrderItem, Product, Source, Transaction
from orders.services.amounts import refuse_decimals
from orders.services.contacts import save_new_contact, save_sent_contact
from orders.services.lookups import find_contact, find_funnel, read_again


def create_order(
    *,
    source: str,
    contact: ContactInput | str,
    items: Sequence[ItemInput],
    currency: str | None = None,
    shipping: Decimal = ZERO,
    tax: Decimal = ZERO,
    funnel: str | None = None,
    shipping_address: AddressInput | None = None,
) -> Order:
    """Open an order of a known contact (its id) or of one sent along, which is then announced.

    From a shop or a funnel a contact sent along is created or reactivated; from staff (source admin) it must be
    new. Raises `ValidationError` on `funnel`, `contact.id`, `contact.email`, `contact.tags` (too many), `shipping`
    or `tax` (more decimals than the currency has), `items[i].sku` (unknown) or `items[i].unit_price` (too many
    decimals, or to be given where the product is priced in another currency than the order).
    """
    currency = currency or settings.DEFAULT_CURRENCY
    refuse_decimals(currency, shipping=shipping, tax=tax)
    with transaction.atomic():
        from_funnel = find_funnel(source=source, slug=funnel)
        lines = price_items(items=items, currency=currency)
        created = False
        if isinstance(contact, str):
            buyer = find_contact(contact, field="contact.id")
        else:
            buyer, created = _save_contact(source=source, data=contact, funnel=from_funnel)
        order = Order(
            contact=buyer,
            source=source,
            origin=source,
            funnel=from_funnel,
            currency=currency,
            shipping=shipping,
            tax=tax,
            shipping_address=shipping_address.model_dump() if shipping_address else None,
        )
        order = save_order(order=order, lines=lines)
        if not isinstance(contact, str):
            signals.contact_created.send(sender=Contact, contact=order.contact, source=source, reactivated=not created)
    return order


def save_order(*, order: Order, lines: Sequence[OrderItem]) -> Order:
    """Save a new order with its lines, without announcing anything. In a transaction only."""
    charge_items(order=order, lines=lines)
    order.save()
    save_items(order=order, lines=lines)
    return read_again(order)


def price_items(*, items: Sequence[ItemInput], currency: str) -> list[OrderItem]:
    """Lines, not saved yet, with title, kind, interval and price as the products have them; see `create_order`."""
    products = Product.objects.in_bulk([item.sku for item in items], field_name="sku")
    lines: list[OrderItem] = []
    refused: dict[str, list[str]] = {}
    for position, item in enumerate(items):
        product = products.get(item.sku)
        if product is None:
            refused[f"items[{position}].sku"] = ["There is no product with this sku."]
            continue
        if item.unit_price is None and product.currency != currency:
            refused[f"items[{position}].unit_price"] = [
                f"Give the price in {currency}: the product is priced in {product.currency}."
            ]
            continue
        given = item.unit_price is not None
        unit_price = item.unit_price if item.unit_price is not None else product.unit_price
        refusal = too_precise(unit_price, currency) if given else too_precise_value(unit_price, currency)
        if refusal:
            refused[f"items[{position}].unit_price"] = [refusal]
            continue
        lines.append(
            OrderItem(
                product=product,
                sku=product.sku,
                title=product.title,
                kind=product.kind,
                interval=product.interval,
                quantity=item.quantity,
                unit_price=unit_price,
                total=unit_price * item.quantity,
            )
        )
    if refused:
        raise ValidationError(refused)
    return lines


def charge_items(*, order: Order, lines: Sequence[OrderItem]) -> None:
    """Add what the lines cost to the order, which is not saved."""
    order.charge(sum((line.total for line in lines), ZERO))
    if order.total > HIGHEST_TOTAL:
        raise ValidationError({"items": ["The order's total would be larger than can be recorded."]})


def save_items(
    *, order: Order, lines: Sequence[OrderItem], paid_by: Transaction | None = None, is_upsell: bool = False
) -> None:
    """Store new lines of an order; `paid_by` is the purchase that pays them, None for unpaid ones."""
    for line in lines:
        line.order, line.paid_by, line.is_upsell = order, paid_by, is_upsell
    OrderItem.objects.bulk_create(lines)


def _save_contact(*, source: str, data: ContactInput, funnel: Funnel | None) -> tuple[Contact, bool]:
    """Returns the contact of an order, and whether it is new."""
    try:
        if source == Source.ADMIN:
            return save_new_contact(data=data), True
        return save_sent_contact(source=source, data=data, funnel=funnel)
    except ValidationError as refusal:
        raise ValidationError(
            {f"contact.{field}": messages for field, messages in refusal.message_dict.items()}
        ) from None
