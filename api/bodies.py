"""What a storefront may send: the body of each call."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, WrapValidator

from orders.inputs import (
    ONE_LINE,
    ZERO,
    AddressInput,
    Answers,
    ContactInput,
    Currency,
    DeclineCode,
    Email,
    Explanation,
    GatewayName,
    GatewayReference,
    Input,
    ItemInput,
    Money,
    PublicId,
    Slug,
)
from orders.text import Text

Sender = Annotated[Literal["shop", "funnel"], Field(description="Who calls.", examples=["shop"])]
FunnelSlug = Annotated[
    Slug | None,
    Field(
        description="The funnel's slug: required with the source funnel, refused with shop.",
        examples=["spring-launch"],
    ),
]
NamedOrder = Annotated[str, Text(40, 1), ONE_LINE]


class ContactCall(ContactInput):
    """A contact sent by a shop or by a funnel, which then names itself by its slug."""

    source: Sender
    funnel: FunnelSlug = None


class ThankYouCall(Input):
    """This call takes no members: the body may be left out."""


class KnownContact(Input):
    """A contact that exists."""

    id: Annotated[PublicId, Field(description="The contact's id.", examples=["con_01kaskf4zze4t9a1t8cdhyjvb5"])]


class SentContact(ContactInput):
    """A contact sent along with an order; source and funnel, if given, are the order's."""

    source: Annotated[Sender | None, Field(description="The order's, if given.", examples=["shop"])] = None
    funnel: Annotated[Slug | None, Field(description="The order's, if given.", examples=["spring-launch"])] = None


def _known_or_sent(value: Any, _: Callable[[Any], Any]) -> KnownContact | SentContact:
    """Decide by the member `id`, so that an error names the member and not the kind of contact tried."""
    kind = KnownContact if isinstance(value, dict) and "id" in value else SentContact
    return kind.model_validate(value)


class OrderCall(Input):
    """An order as a shop or a funnel opens it."""

    source: Sender
    contact: Annotated[
        KnownContact | SentContact,
        WrapValidator(_known_or_sent),
        Field(
            description="The buyer: a known contact, or one to be created or reactivated.",
            examples=[{"email": "ada@example.com", "first_name": "Ada", "last_name": "Byron"}],
        ),
    ]
    items: Annotated[
        list[ItemInput],
        Field(min_length=1, max_length=100, description="The lines.", examples=[[{"sku": "course", "quantity": 1}]]),
    ]
    currency: Annotated[
        Currency | None, Field(description="ISO 4217; the shop's own unless given.", examples=["USD"])
    ] = None
    shipping: Annotated[Money, Field(description="What shipping costs; 0 unless given.", examples=["4.90"])] = ZERO
    tax: Annotated[Money, Field(description="Taxes; 0 unless given.", examples=["0.00"])] = ZERO
    funnel: FunnelSlug = None
    shipping_address: Annotated[AddressInput | None, Field(description="Where this order goes.")] = None


class TransactionCall(Input):
    """A purchase as the payment gateway reported it. An approved one adds its items to the order."""

    status: Annotated[
        Literal["approved", "declined"], Field(description="What the gateway said.", examples=["approved"])
    ]
    amount: Annotated[
        Money,
        Field(description="How much, in the order's currency; it is not compared with the total.", examples=["53.90"]),
    ]
    gateway: GatewayName
    reference: GatewayReference
    decline_code: Annotated[
        DeclineCode | None,
        Field(
            description="The gateway's code of the reason, of a declined purchase only.",
            examples=["insufficient_funds"],
        ),
    ] = None
    decline_message: Annotated[
        Explanation | None,
        Field(
            description="The reason in words, of a declined purchase only.",
            examples=["The card has insufficient funds."],
        ),
    ] = None
    is_upsell: Annotated[
        bool, Field(strict=True, description="It pays for an upsell; false unless given.", examples=[False])
    ] = False
    items: Annotated[
        list[ItemInput],
        Field(max_length=100, description="Further lines that it pays.", examples=[[{"sku": "mug", "quantity": 2}]]),
    ] = []


class RefundCall(Input):
    """Money given back. `transaction` may be left out while the order has exactly one approved purchase."""

    kind: Annotated[
        Literal["refund", "void"],
        Field(description="A part of a purchase or its rest, or the whole of it.", examples=["refund"]),
    ]
    amount: Annotated[Money | None, Field(description="How much; a void may leave it out.", examples=["10.00"])] = None
    reason: Annotated[Explanation, Field(description="Why.", examples=["Broken on arrival"])] = ""
    transaction: Annotated[
        PublicId | None, Field(description="The purchase's id.", examples=["txn_01kaskf4zze4t9a1t8cdhyjvb5"])
    ] = None


class CancelCall(Input):
    """Why a subscription ends, if somebody said so."""

    reason: Annotated[Explanation, Field(description="Why.", examples=["Too expensive"])] = ""


class SurveyCall(Input):
    """Answers, and who gave them: exactly one of `email` and `order`."""

    source: Sender
    email: Annotated[Email | None, Field(description="Who answered, known or not.", examples=["ada@example.com"])] = (
        None
    )
    order: Annotated[
        NamedOrder | None,
        Field(description="The number of the order whose buyer answered; its source is taken.", examples=["1001"]),
    ] = None
    answers: Answers
