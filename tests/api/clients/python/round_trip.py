"""A funnel's order by the generated Python client. Run with the address and a key; prints what it was told."""

import json
import sys

from tidings_client import AuthenticatedClient
from tidings_client.api.channels import create_channel
from tidings_client.api.notifications import attach_channel, list_deliveries, list_events
from tidings_client.api.storefront import (
    give_refund,
    list_products,
    open_order,
    read_order,
    report_transaction,
    thank_buyer,
)
from tidings_client.models import (
    AttachmentRequest,
    ChannelKindChoice,
    ChannelRequest,
    DeliveryPage,
    EventPage,
    NewChannel,
    Order,
    OrderCompletedEvent,
    OrderContactRequest,
    OrderItemRequest,
    OrderRequest,
    Problem,
    ProductPage,
    Refund,
    RefundKindChoice,
    RefundRequest,
    Sender,
    Transaction,
    TransactionRequest,
    TransactionStatusChoice,
)
from tidings_client.types import Response


def told(answer: Response, kind: type):
    """What the client has read, which is to be of this type."""
    assert isinstance(answer.parsed, kind), (answer.status_code, answer.content)
    return answer.parsed


def main() -> None:
    api = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])
    products = {product.sku: product for product in told(list_products.sync_detailed(client=api), ProductPage).results}
    channel = told(
        create_channel.sync_detailed(
            client=api,
            body=ChannelRequest(name="Python", kind=ChannelKindChoice.POSTBACK, url="https://example.com/hook"),
        ),
        NewChannel,
    )
    attach_channel.sync_detailed("order.completed", client=api, body=AttachmentRequest(channel=channel.id))
    order = told(
        open_order.sync_detailed(
            client=api,
            body=OrderRequest(
                source=Sender.FUNNEL,
                funnel="spring-launch",
                contact=OrderContactRequest(email="python@example.com", first_name="Ada"),
                items=[OrderItemRequest(sku="course", quantity=1, unit_price=products["course"].unit_price)],
                shipping="0.07",
            ),
        ),
        Order,
    )

    def report(reference: str, status: TransactionStatusChoice, amount: str, **members: object) -> Transaction:
        purchase = TransactionRequest(
            status=status, amount=amount, gateway="stripe", reference=f"python-{reference}", **members
        )
        return told(report_transaction.sync_detailed(order.number, client=api, body=purchase), Transaction)

    declined = report("1", TransactionStatusChoice.DECLINED, order.total, decline_code="insufficient_funds")
    approved = report("2", TransactionStatusChoice.APPROVED, order.total)
    mugs = [OrderItemRequest(sku="mug", quantity=2)]
    report("3", TransactionStatusChoice.APPROVED, "29.00", is_upsell=True, items=mugs)
    thanked = told(thank_buyer.sync_detailed(order.number, client=api), Order)
    part = RefundRequest(kind=RefundKindChoice.REFUND, amount="0.07", transaction=approved.id)
    refund = told(give_refund.sync_detailed(order.number, client=api, body=part), Refund)
    final = told(read_order.sync_detailed(order.number, client=api), Order)
    missing = told(read_order.sync_detailed("0", client=api), Problem)
    events = told(list_events.sync_detailed(client=api, order=order.number), EventPage).results
    [completed] = [event.body for event in events if isinstance(event.body, OrderCompletedEvent)]
    deliveries = told(list_deliveries.sync_detailed(client=api, channel=channel.id), DeliveryPage).results
    print(
        json.dumps(
            {
                "number": final.number,
                "declined": declined.status,
                "thanked": thanked.status,
                "total": final.total,
                "paid_total": final.paid_total,
                "refund": refund.amount,
                "items": [[each.sku, each.quantity, each.is_upsell, each.paid] for each in final.items],
                "missing": missing.status,
                "completed": completed.data.order.total,
                "events": sorted(event.type_ for event in events),
                "deliveries": [delivery.event_type for delivery in deliveries],
            }
        )
    )


main()
