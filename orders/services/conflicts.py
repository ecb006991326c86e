from collections.abc import Sequence

from django.db.models import F, Q

from orders.models import Contact, Order, OrderItem, Product, Refund, Transaction


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
