"""Refunds and voids."""

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.db.transaction import atomic

from orders import signals
from orders.currencies import money_text
from orders.models import Order, Refund, Transaction
from orders.services.amounts import refuse_decimals
from orders.services.lookups import lock_order, read_again


def apply_refund(
    *, number: str, kind: str, amount: Decimal | None = None, reason: str = "", transaction: str | None = None
) -> Refund:
    """Give back a part of a purchase or its rest (`refund`), or the whole of it (`void`), and announce it.

    0 < `amount` ≤ what is left of the purchase; a void takes the whole and may leave `amount` out. `transaction`,
    the purchase's id, may be left out while the order has exactly one approved purchase. The order is refunded
    once all that was paid is given back; where nothing was to be paid, once every approved purchase is voided.

    Raises `ValidationError` on `transaction`, `amount` (too many decimals included) or `kind`.
    """
    with atomic():
        order = lock_order(number=number)
        refuse_decimals(order.currency, amount=amount)
        approved = Transaction.objects.filter(order=order, status=Transaction.Status.APPROVED)
        purchase = _find_purchase(approved, transaction)
        given_back = _check_void(purchase, amount) if kind == Refund.Kind.VOID else _check_refund(purchase, amount)
        refund = Refund.objects.create(
            order=order,
            transaction=purchase,
            kind=kind,
            amount=given_back,
            currency=purchase.currency,
            reason=reason,
        )
        purchase.refunded_total += given_back
        purchase.save()
        order.give_back(given_back, wholly=_nothing_is_left(order, approved, given_back))
        order.save()

        refund.order = purchase.order = read_again(order)
        signals.refund_applied.send(sender=Refund, refund=refund, transaction=purchase, order=refund.order)
    return refund


def _find_purchase(approved: QuerySet[Transaction], transaction: str | None) -> Transaction:
    found = list(approved[:2]) if transaction is None else list(approved.filter(pk=transaction))
    if len(found) == 1:
        return found[0]
    if transaction is not None:
        message = "The order has no approved purchase with this id."
    elif found:
        message = "The order has several approved purchases: say which one."
    else:
        message = "The order has no approved purchase."
    raise ValidationError({"transaction": [message]})


def _check_refund(purchase: Transaction, amount: Decimal | None) -> Decimal:
    if amount is None:
        raise ValidationError({"amount": ["A refund needs an amount."]})
    left = purchase.amount - purchase.refunded_total
    if not left:
        raise ValidationError({"amount": [_nothing_left(purchase)]})
    if not 0 < amount <= left:
        most = money_text(left, purchase.currency)
        raise ValidationError({"amount": [f"Give an amount above 0 and up to {most}, which is left of the purchase."]})
    return amount


def _nothing_left(purchase: Transaction) -> str:
    if purchase.amount:
        return "Nothing is left of this purchase: all of it was given back."
    if purchase.refunds.exists():
        return "This purchase of nothing was voided."
    return "Nothing was paid with this purchase, so nothing can be given back. It can be voided."


def _check_void(purchase: Transaction, amount: Decimal | None) -> Decimal:
    # A purchase of 0.00 has nothing to be given back, but it can be voided once, too.
    if purchase.refunded_total > 0 or purchase.refunds.filter(kind=Refund.Kind.VOID).exists():
        raise ValidationError({"kind": ["A purchase of which something was given back cannot be voided."]})
    if amount is not None and amount != purchase.amount:
        whole = money_text(purchase.amount, purchase.currency)
        raise ValidationError({"amount": [f"A void gives back the whole purchase, {whole}."]})
    return purchase.amount


def _nothing_is_left(order: Order, approved: QuerySet[Transaction], given_back: Decimal) -> bool:
    if order.paid_total > 0:
        return order.refunded_total + given_back == order.paid_total
    return not approved.exclude(refunds__kind=Refund.Kind.VOID).exists()
