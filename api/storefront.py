"""The calls of shops and funnels."""

from typing import Annotated

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Path, Router
from ninja.pagination import paginate
from ninja.responses import Status
from pydantic import Field

from api.bodies import (
    CancelCall,
    ContactCall,
    KnownContact,
    OrderCall,
    RefundCall,
    SentContact,
    SurveyCall,
    ThankYouCall,
    TransactionCall,
)
from orders import services
from orders.inputs import TrackingInput
from orders.models import Product
from orders.representations import (
    ContactOut,
    ListedProductOut,
    OrderOut,
    RefundOut,
    ResponseOut,
    SubscriptionOut,
    TransactionOut,
)

router = Router(tags=["Storefront"])

OrderNumber = Annotated[str, Path(description="The order's number.", examples=["1001"])]
SubscriptionId = Annotated[str, Path(description="The subscription's id.", examples=["sub_01kaskf4zze4t9a1t8cdhyjvb5"])]
SurveySlug = Annotated[str, Path(description="The survey's slug.", examples=["how-did-you-find-us"])]


class ContactAnswer(ContactOut):
    """A contact, and whether it was known before."""

    reactivated: Annotated[bool, Field(description="The e-mail address was known before.", examples=[False])]


@router.get("/products", response=list[ListedProductOut])
@paginate
def list_products(request: HttpRequest) -> QuerySet[Product]:
    """What is sold, newest first."""
    return Product.objects.all()


@router.post("/contacts", response={201: ContactAnswer, 200: ContactAnswer})
def send_contact(request: HttpRequest, call: ContactCall) -> Status[ContactAnswer]:
    """Create a contact (201), or reactivate the one with this e-mail (200)."""
    contact, created = services.create_contact(source=call.source, data=call, funnel=call.funnel)
    answer = ContactAnswer(**ContactOut.model_validate(contact).model_dump(), reactivated=not created)
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
    return Status(201, OrderOut.model_validate(order))


@router.get("/orders/{number}", response=OrderOut)
def read_order(request: HttpRequest, number: OrderNumber) -> OrderOut:
    """The order as it is now."""
    return OrderOut.model_validate(services.get_order(number=number))


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
    return Status(201 if created else 200, TransactionOut.model_validate(purchase))


@router.post("/orders/{number}/thank-you", response=OrderOut)
def thank_buyer(request: HttpRequest, number: OrderNumber, call: ThankYouCall | None = None) -> OrderOut:
    """The buyer of a paid funnel order sees the thank-you page, which completes the order."""
    return OrderOut.model_validate(services.reach_thank_you(number=number))


@router.post("/orders/{number}/refunds", response={201: RefundOut})
def give_refund(request: HttpRequest, number: OrderNumber, call: RefundCall) -> Status[RefundOut]:
    """Give back a part of a purchase or its rest, or void the whole of it."""
    refund = services.apply_refund(
        number=number, kind=call.kind, amount=call.amount, reason=call.reason, transaction=call.transaction
    )
    return Status(201, RefundOut.model_validate(refund))


@router.put("/orders/{number}/tracking", response=OrderOut)
def track_order(request: HttpRequest, number: OrderNumber, call: TrackingInput) -> OrderOut:
    """Say where the parcel is, in place of what was known before. The same again changes nothing."""
    return OrderOut.model_validate(services.set_tracking(number=number, tracking=call))


@router.post("/subscriptions/{subscription_id}/cancel", response=SubscriptionOut)
def cancel_subscription(
    request: HttpRequest, subscription_id: SubscriptionId, call: CancelCall | None = None
) -> SubscriptionOut:
    """End a subscription now and for good; the body may be left out. One that is canceled stays as it is."""
    reason = call.reason if call else ""
    return SubscriptionOut.model_validate(services.cancel_subscription(subscription_id=subscription_id, reason=reason))


@router.post("/surveys/{slug}/responses", response={201: ResponseOut})
def send_response(request: HttpRequest, slug: SurveySlug, call: SurveyCall) -> Status[ResponseOut]:
    """Send the answers of somebody who finished a survey. Nobody becomes a contact by it."""
    response = services.complete_survey(
        slug=slug, source=call.source, answers=call.answers, email=call.email, order=call.order
    )
    return Status(201, ResponseOut.model_validate(response))


def _refuse_another_sender(call: OrderCall, contact: SentContact) -> None:
    refused = {
        f"contact.{field}": [f"The contact comes with the order: leave {field} out, or give the order's."]
        for field in ("source", "funnel")
        if getattr(contact, field) not in (None, getattr(call, field))
    }
    if refused:
        raise ValidationError(refused)
