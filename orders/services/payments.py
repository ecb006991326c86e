"""Purchases as the gateway reports them, and the digital products that a buyer holds already."""

from collections.abc import Sequence
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, Q

from orders import signals
from orders.currencies import money_text
from orders.errors import Conflict
from orders.inputs import ItemInput
from orders.models import Contact, Order, OrderItem, Product, Refund, Transaction
from orders.services.amounts import refuse_decimals
from orders.services.lookups import lock_order, read_again
from orders.services.ordering import charge_items, price_items, save_items
from orders.services.subscriptions import start_subscriptions


def record_transaction(
    *,
    number: str,
    status: str,
    amount: Decimal,
    gateway: str,
    reference: str,
    decline_code: str | None = None,
    decline_message: str | None = None,
    is_upsell: bool = False,
    items: Sequence[ItemInput] = (),
) -> tuple[Transaction, bool]:
    """Record what the gateway said of a purchase (`approved` or `declined`). Returns it, and whether it is new.

    An approved purchase adds and pays its `items`; the first that is no upsell also pays those that the order was
    opened with. It starts the subscriptions among all that it pays, turns a lead into a customer, and completes the
    order unless a funnel is to do so. For each digital product that it pays and that the contact holds already it
    announces a conflict; nothing is blocked. A declined purchase changes nothing; its items are ignored.

    The same order, status and amount under the same gateway and reference is a repeat: the stored transaction,
    and nothing happens. Raises `Conflict` for any other use of a reference and for a refunded order,
    `ValidationError` on `amount` for too many decimals, on `items[i]...` (see `create_order`) or on the reason of a
    decline that is none.
    """
    if status == Transaction.Status.APPROVED:
        _refuse_reasons(decline_code=decline_code, decline_message=decline_message)
    with transaction.atomic():
        order = lock_order(number=number)
        refuse_decimals(order.currency, amount=amount)
        stored = _find(gateway, reference)
        if stored is not None:
            return _same_again(stored, order, status, amount), False
        if order.status == Order.Status.REFUNDED:
            raise Conflict("The order is refunded and takes no more purchases.")
        purchase = Transaction(
            order=order,
            status=status,
            amount=amount,
            currency=order.currency,
            gateway=gateway,
            reference=reference,
            is_upsell=is_upsell,
            decline_code=decline_code or None,
            decline_message=decline_message or None,
        )
        try:
            with transaction.atomic():
                purchase.save(force_insert=True)
        except IntegrityError:
            # Another order recorded this reference since we looked; on this order, its lock held others back.
            stored = _find(gateway, reference)
            if stored is None:
                raise
            return _same_again(stored, order, status, amount), False
        if status == Transaction.Status.APPROVED:
            _settle(order, purchase, items)
        else:
            purchase.order = read_again(order)
            signals.transaction_declined.send(sender=Transaction, transaction=purchase, order=purchase.order)
    return purchase, True


def _settle(order: Order, purchase: Transaction, items: Sequence[ItemInput]) -> None:
    """All that an approved purchase brings about, and its announcements."""
    lines = price_items(items=items, currency=order.currency)
    charge_items(order=order, lines=lines)
    first = order.status == Order.Status.OPEN
    order.take_payment(purchase.amount)
    completes = first and order.origin != Order.Origin.FUNNEL
    if completes:
        order.complete()
    order.save()
    if not purchase.is_upsell:
        # What the order was opened with belongs to no purchase until then: an upsell, or a down-sell after a
        # declined cart, pays only its own items.
        OrderItem.objects.filter(order=order, paid_by=None).update(paid_by=purchase)
    save_items(order=order, lines=lines, paid_by=purchase, is_upsell=purchase.is_upsell)
    paid = list(OrderItem.objects.filter(paid_by=purchase).select_related("product"))
    start_subscriptions(purchase, paid)
    conflicts = find_conflicts(purchase, paid)
    # Of two first purchases at once, the second waits here for the first and then finds no lead.
    turned = Contact.objects.filter(pk=order.contact_id, status=Contact.Status.LEAD).update(
        status=Contact.Status.CUSTOMER
    )

    order = purchase.order = read_again(order)
    signals.transaction_approved.send(sender=Transaction, transaction=purchase, order=order)
    if turned:
        signals.customer_created.send(sender=Contact, contact=order.contact, order=order)
    for product, previous in conflicts:
        previous_order = order if previous == order else read_again(previous)
        signals.product_conflict.send(
            sender=Product, contact=order.contact, order=order, product=product, previous_order=previous_order
        )
    if completes:
        signals.order_completed.send(sender=Order, order=order)


def _refuse_reasons(**reasons: str | None) -> None:
    given = [field for field, value in reasons.items() if value]
    if given:
        raise ValidationError({field: ["Only a declined purchase has this."] for field in given})


def _find(gateway: str, reference: str) -> Transaction | None:
    found = Transaction.objects.select_related("order")
    return found.filter(gateway=gateway, reference=reference).first()


def _same_again(stored: Transaction, order: Order, status: str, amount: Decimal) -> Transaction:
    if (stored.order_id, stored.status, stored.amount) != (order.pk, status, amount):
        money = f"{money_text(stored.amount, stored.currency)} {stored.currency}"
        raise Conflict(
            f"This gateway and reference stand for a purchase of {money} that was {stored.status} on order "
            f"{stored.order.number}. Each attempt needs a reference of its own."
        )
    return stored


def find_conflicts(purchase: Transaction, paid: Sequence[OrderItem]) -> list[tuple[Product, Order]]:
    """The digital products among `paid`, the lines that `purchase` pays, that the contact holds already.

    A contact holds what an earlier approved purchase paid, of the same order or of another, unless that purchase was
    wholly refunded or voided. With each product comes the latest such order, the one that was opened last; the
    products come in the order of their lines. In the transaction of the purchase only, with the order's lock held.
    """
    bought = {item.product_id: item.product for item in paid if item.kind == Product.Kind.DIGITAL}
    if not bought:
        return []
    # Of two purchases of a contact at once, the second waits here, and then sees what the first one paid.
    contact = Contact.objects.select_for_update(no_key=True).get(pk=purchase.order.contact_id)
    given_back = Q(paid_by__amount__gt=0, paid_by__refunded_total=F("paid_by__amount"))
    voids = Refund.objects.filter(kind=Refund.Kind.VOID, order__contact=contact)
    held = (
        OrderItem.objects.filter(
            order__contact=contact, product__in=bought, kind=Product.Kind.DIGITAL, paid_by__isnull=False
        )
        .exclude(paid_by=purchase)
        .exclude(given_back)
        .exclude(paid_by__in=voids.values("transaction"))
        .select_related("order")
        .order_by("order_id")
    )
    latest = {item.product_id: item.order for item in held}
    return [(product, latest[key]) for key, product in bought.items() if key in latest]
