"""The calls of shops and funnels."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from ninja import Path, Router
from ninja.responses import Status
from pydantic import Field, WrapValidator

from orders import services
from orders.inputs import (
    ZERO,
    AddressInput,
    ContactInput,
    Currency,
    DeclineCode,
    Explanation,
    GatewayName,
    GatewayReference,
    Input,
    ItemInput,
    Money,
    PublicId,
    Slug,
)
from orders.representations import (
    ContactOut,
    OrderOut,
    RefundOut,
    TransactionOut,
    represent_contact,
    represent_order,
    represent_refund,
    represent_transaction,
)

router = Router(tags=["Storefront"])

Sender = Literal["shop", "funnel"]
OrderNumber = Annotated[str, Path(description="The order's number.")]


class ContactCall(ContactInput):
    """A contact sent by a shop or by a funnel, which then names itself by its slug."""

    source: Sender
    funnel: Slug | None = None


class KnownContact(Input):
    """A contact that exists."""

    id: PublicId


class SentContact(ContactInput):
    """A contact sent along with an order; source and funnel, if given, are the order's."""

    source: Sender | None = None
    funnel: Slug | None = None


def _known_or_sent(value: Any, _: Callable[[Any], Any]) -> KnownContact | SentContact:
    """Decide by the member `id`, so that an error names the member and not the kind of contact tried."""
    kind = KnownContact if isinstance(value, dict) and "id" in value else SentContact
    return kind.model_validate(value)


class OrderCall(Input):
    """An order as a shop or a funnel opens it."""

    source: Sender
    contact: Annotated[KnownContact | SentContact, WrapValidator(_known_or_sent)]
    items: Annotated[list[ItemInput], Field(min_length=1, max_length=100)]
    currency: Currency | None = None
    shipping: Money = ZERO
    tax: Money = ZERO
    funnel: Slug | None = None
    shipping_address: AddressInput | None = None


class TransactionCall(Input):
    """A purchase as the payment gateway reported it. An approved one adds its items to the order."""

    status: Literal["approved", "declined"]
    amount: Money
    gateway: GatewayName
    reference: GatewayReference
    decline_code: DeclineCode | None = None
    decline_message: Explanation | None = None
    is_upsell: Annotated[bool, Field(strict=True)] = False
    items: Annotated[list[ItemInput], Field(max_length=100)] = []


class RefundCall(Input):
    """Money given back. `transaction` may be left out while the order has exactly one approved purchase."""

    kind: Literal["refund", "void"]
    amount: Money | None = None
    reason: Explanation = ""
    transaction: PublicId | None = None


class ContactAnswer(ContactOut):
    """A contact, and whether it was known before."""

    reactivated: bool


@router.post("/contacts", response={201: ContactAnswer, 200: ContactAnswer})
def send_contact(request: HttpRequest, call: ContactCall) -> Status[ContactAnswer]:
    """Create a contact (201), or reactivate the one with this e-mail (200)."""
    contact, created = services.create_contact(source=call.source, data=call, funnel=call.funnel)
    answer = ContactAnswer(**represent_contact(contact).model_dump(), reactivated=not created)
    return Status(201 if created else 200, answer)


@router.post("/orders", response={201: OrderOut})
def open_order(request: HttpRequest, call: OrderCall) -> Status[OrderOut]:
    """Open an order of a known contact, or of one sent along, which is created or reactivated."""
    if isinstance(call.contact, SentContact):
        _refuse_another_sender(call, call.contact)
    order = services.create_order(
        source=call.source,
        contact=call.contact.id if isinstance(call.contact, KnownContact) else call.contact,
        items=call.items,
        currency=call.currency,
        shipping=call.shipping,
        tax=call.tax,
        funnel=call.funnel,
        shipping_address=call.shipping_address,
    )
    return Status(201, represent_order(order))


@router.get("/orders/{number}", response=OrderOut)
def read_order(request: HttpRequest, number: OrderNumber) -> OrderOut:
    """The order as it is now."""
    return represent_order(services.get_order(number=number))


@router.post("/orders/{number}/transactions", response={201: TransactionOut, 200: TransactionOut})
def report_transaction(request: HttpRequest, number: OrderNumber, call: TransactionCall) -> Status[TransactionOut]:
    """Report a purchase, approved or declined (201). The same one again is answered with the stored one (200)."""
    purchase, created = services.record_transaction(
        number=number,
        status=call.status,
        amount=call.amount,
        gateway=call.gateway,
        reference=call.reference,
        decline_code=call.decline_code,
        decline_message=call.decline_message,
        is_upsell=call.is_upsell,
        items=call.items,
    )
    return Status(201 if created else 200, represent_transaction(purchase))


@router.post("/orders/{number}/thank-you", response=OrderOut)
def thank_buyer(request: HttpRequest, number: OrderNumber) -> OrderOut:
    """The buyer of a paid funnel order sees the thank-you page, which completes the order."""
    return represent_order(services.reach_thank_you(number=number))


@router.post("/orders/{number}/refunds", response={201: RefundOut})
def give_refund(request: HttpRequest, number: OrderNumber, call: RefundCall) -> Status[RefundOut]:
    """Give back a part of a purchase or its rest, or void the whole of it."""
    refund = services.apply_refund(
        number=number, kind=call.kind, amount=call.amount, reason=call.reason, transaction=call.transaction
    )
    return Status(201, represent_refund(refund))


def _refuse_another_sender(call: OrderCall, contact: SentContact) -> None:
    refused = {
        f"contact.{field}": [f"The contact comes with the order: leave {field} out, or give the order's."]
        for field in ("source", "funnel")
        if getattr(contact, field) not in (None, getattr(call, field))
    }
    if refused:
        raise ValidationError(refused)
