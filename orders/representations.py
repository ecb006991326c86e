"""The JSON objects of API answers and event bodies, member for member, with what each member means.

`OrderOut.model_validate(order)` makes the object of a row. Amounts are strings with as many decimals as the currency
has, times RFC 3339 in UTC with six digits and `Z`. A member that does not apply is null, never absent.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.db import models
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from orders.currencies import money_text
from orders.models import Order, OrderItem, Subscription


def time_text(moment: datetime) -> str:
    """RFC 3339 in UTC with six digits and `Z`. `moment` is aware."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _time_as_text(value: Any) -> Any:
    return time_text(value) if isinstance(value, datetime) else value


MoneyText = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]{1,4})?$", examples=["49.00"])]
TimeText = Annotated[
    str,
    BeforeValidator(_time_as_text),
    Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-23T18:36:00.123456Z"]),
]
SourceName = Annotated[Literal["admin", "shop", "funnel"], Field(description="Where it comes from.", examples=["shop"])]
ProductKind = Annotated[
    Literal["physical", "digital", "subscription"],
    Field(description="What sort of product it is.", examples=["digital"]),
]
Interval = Annotated[Literal["week", "month", "year"], Field(examples=["month"])]
CurrencyCode = Annotated[str, Field(description="ISO 4217.", examples=["USD"])]
SkuText = Annotated[str, Field(description="The product's name in calls.", examples=["course"])]
TitleText = Annotated[str, Field(description="The product's name for people.", examples=["Watercolours for beginners"])]
CreatedAt = Annotated[TimeText, Field(description="When it was recorded.")]
TransactionId = Annotated[str, Field(description="The transaction's id.", examples=["txn_01kaskf4zze4t9a1t8cdhyjvb5"])]


class _Copied(BaseModel):
    """Validated from a row as it is: its members are attributes of the row with the same names."""

    model_config = ConfigDict(from_attributes=True)


class _Priced(_Copied):
    """Copied, with amounts as text that has as many decimals as the row's currency."""

    @model_validator(mode="before")
    @classmethod
    def _read(cls, row: Any) -> Any:
        return _copied(row, cls.model_fields) if isinstance(row, models.Model) else row


def _copied(row: Any, names: Iterable[str], **others: Any) -> dict[str, Any]:
    """The attributes of these names, but for the `others`, which are given."""
    copied = {name: getattr(row, name) for name in names if name not in others}
    return others | {
        name: money_text(value, row.currency) if isinstance(value, Decimal) else value for name, value in copied.items()
    }


class PhoneOut(BaseModel):
    """A telephone number."""

    country: Annotated[str, Field(description='ISO 3166-1 alpha-2, or "" if unknown.', examples=["GB"])]
    number: Annotated[str, Field(description="The number as it was given.", examples=["+44 20 7946 0000"])]


class AddressOut(BaseModel):
    """A postal address; what is unknown is ""."""

    first_name: Annotated[str, Field(description="First name of whoever lives there.", examples=["Ada"])]
    last_name: Annotated[str, Field(description="Last name of whoever lives there.", examples=["Byron"])]
    line1: Annotated[str, Field(description="Street and number.", examples=["12 St James's Square"])]
    line2: Annotated[str, Field(description="What else the street needs.", examples=["Second floor"])]
    city: Annotated[str, Field(description="City.", examples=["London"])]
    state: Annotated[str, Field(description="State or province.", examples=[""])]
    zip_code: Annotated[str, Field(description="ZIP or postal code.", examples=["SW1Y 4JH"])]
    country: Annotated[str, Field(description="ISO 3166-1 alpha-2.", examples=["GB"])]


class ContactOut(_Copied):
    """A person: a lead until the first approved purchase, then a customer."""

    id: Annotated[str, Field(description="The contact's id.", examples=["con_01kaskf4zze4t9a1t8cdhyjvb5"])]
    first_name: Annotated[str, Field(description="First name.", examples=["Ada"])]
    last_name: Annotated[str, Field(description="Last name.", examples=["Byron"])]
    email: Annotated[str, Field(description="As it was first given.", examples=["ada@example.com"])]
    phone: Annotated[PhoneOut | None, Field(description="Telephone number, if known.")]
    status: Annotated[
        Literal["lead", "customer"],
        Field(description="A customer has made an approved purchase.", examples=["customer"]),
    ]
    source: SourceName
    tags: Annotated[list[str], Field(description="Labels, in the order in which they came.", examples=[["newsletter"]])]
    billing_address: Annotated[AddressOut | None, Field(description="Where invoices go, if known.")]
    shipping_address: Annotated[AddressOut | None, Field(description="Where parcels go, if known.")]
    created_at: CreatedAt


class FunnelOut(_Copied):
    """The sales funnel that an order comes from."""

    id: Annotated[str, BeforeValidator(str), Field(description="The funnel's id.", examples=["7"])]
    name: Annotated[str, Field(description="The funnel's name for people.", examples=["Spring launch"])]
    slug: Annotated[str, Field(description="The funnel's name in calls.", examples=["spring-launch"])]


class ProductOut(_Copied):
    """Something sold."""

    sku: SkuText
    title: TitleText
    kind: ProductKind


class ListedProductOut(ProductOut, _Priced):
    """Something sold, and for how much."""

    unit_price: Annotated[MoneyText, Field(description="The price of one piece, or of one interval.")]
    currency: CurrencyCode
    interval: Annotated[
        Interval | None, Field(description="How often a subscription is paid; null for the rest.", examples=["month"])
    ]


class OrderItemOut(BaseModel):
    """One line of an order, with title, kind and price as they were when it was sold."""

    sku: SkuText
    title: TitleText
    kind: ProductKind
    quantity: Annotated[int, Field(description="How many.", examples=[1])]
    unit_price: Annotated[MoneyText, Field(description="The price of one.")]
    total: Annotated[MoneyText, Field(description="`unit_price` × `quantity`.")]
    is_upsell: Annotated[bool, Field(description="It was added by an upsell.", examples=[False])]
    paid: Annotated[
        bool,
        Field(
            description="It belongs to an approved purchase: the one that it was sent with or, of an item that the "
            "order was opened with, the first that is no upsell. What is not paid starts no subscription, is held by "
            "nobody and causes no product conflict. It stays true when the money is given back.",
            examples=[True],
        ),
    ]


class SubscriptionBriefOut(BaseModel):
    """A subscription that an order started."""

    id: Annotated[str, Field(description="The subscription's id.", examples=["sub_01kaskf4zze4t9a1t8cdhyjvb5"])]
    sku: SkuText
    status: Annotated[Literal["active", "canceled"], Field(description="Canceled is final.", examples=["active"])]


class TrackingOut(BaseModel):
    """Where the parcel is."""

    carrier: Annotated[str, Field(description="Who carries it.", examples=["UPS"])]
    number: Annotated[str, Field(description="The carrier's number of the parcel.", examples=["1Z999AA10123456784"])]
    url: Annotated[
        str | None, Field(description="Where to follow it.", examples=["https://www.ups.com/track?tracknum=1Z999"])
    ]
    updated_at: Annotated[TimeText, Field(description="When it last changed.")]


class OrderOut(_Priced):
    """An order with its contact and items."""

    number: Annotated[str, Field(description="The order's name in calls.", examples=["1001"])]
    source: SourceName
    origin: Annotated[
        Literal["admin", "quote", "shop", "funnel"],
        Field(description="As `source`, but for a quote that the admin sold.", examples=["shop"]),
    ]
    status: Annotated[
        Literal["open", "paid", "completed", "refunded"],
        Field(
            description="open: no approved purchase; paid: a funnel's order, approved and not closed yet; completed; "
            "refunded: all that was paid is given back, which is final.",
            examples=["completed"],
        ),
    ]
    currency: CurrencyCode
    subtotal: Annotated[MoneyText, Field(description="The sum of the items.")]
    shipping: Annotated[MoneyText, Field(description="What shipping costs.", examples=["4.90"])]
    tax: Annotated[MoneyText, Field(description="Taxes.", examples=["0.00"])]
    total: Annotated[MoneyText, Field(description="`subtotal` + `shipping` + `tax`.", examples=["53.90"])]
    paid_total: Annotated[MoneyText, Field(description="The sum of the approved purchases.", examples=["53.90"])]
    refunded_total: Annotated[MoneyText, Field(description="The sum of refunds and voids.", examples=["0.00"])]
    funnel: Annotated[FunnelOut | None, Field(description="The funnel that it comes from; null from elsewhere.")]
    contact: Annotated[ContactOut, Field(description="The buyer.")]
    items: Annotated[list[OrderItemOut], Field(description="The lines, in the order in which they came.")]
    subscriptions: Annotated[
        list[SubscriptionBriefOut], Field(description="The subscriptions that its approved purchases started.")
    ]
    shipping_address: Annotated[AddressOut | None, Field(description="Where this order goes, if it was given.")]
    tracking: Annotated[TrackingOut | None, Field(description="Where the parcel is, if known.")]
    created_at: CreatedAt
    completed_at: Annotated[
        TimeText | None,
        Field(description="When it closed successfully; null if it did not.", examples=["2026-11-23T18:36:00.123456Z"]),
    ]

    @model_validator(mode="before")
    @classmethod
    def _read(cls, order: Any) -> Any:
        if not isinstance(order, Order):
            return order
        return _copied(
            order,
            cls.model_fields,
            items=[_item(item, order.currency) for item in order.items.all()],
            subscriptions=[
                {"id": subscription.id, "sku": subscription.item.sku, "status": subscription.status}
                for subscription in sorted(order.subscriptions.all(), key=lambda each: each.item_id)
            ],
            tracking=order.tracking and {**order.tracking, "url": order.tracking_url},
        )


def _item(item: OrderItem, currency: str) -> dict[str, Any]:
    unit_price, total = (money_text(amount, currency) for amount in (item.unit_price, item.total))
    return _copied(item, OrderItemOut.model_fields, unit_price=unit_price, total=total, paid=item.is_paid)


class TransactionOut(_Priced):
    """A purchase as the payment gateway reported it."""

    id: TransactionId
    kind: Annotated[Literal["purchase"], Field(description="Always a purchase.", examples=["purchase"])]
    status: Annotated[
        Literal["approved", "declined"], Field(description="What the gateway said.", examples=["approved"])
    ]
    amount: Annotated[MoneyText, Field(description="How much.")]
    currency: CurrencyCode
    gateway: Annotated[str, Field(description="The payment gateway.", examples=["stripe"])]
    reference: Annotated[str, Field(description="The gateway's own id.", examples=["ch_3PqR7s2eZvKYlo2C"])]
    is_upsell: Annotated[bool, Field(description="It paid for an upsell.", examples=[False])]
    decline_code: Annotated[
        str | None, Field(description="The gateway's code of the reason.", examples=["insufficient_funds"])
    ]
    decline_message: Annotated[
        str | None, Field(description="The reason in words.", examples=["The card has insufficient funds."])
    ]
    created_at: CreatedAt


class RefundOut(_Priced):
    """Money given back: a part or the rest of a purchase (refund), or the whole of it (void)."""

    id: Annotated[str, Field(description="The refund's id.", examples=["ref_01kaskf4zze4t9a1t8cdhyjvb5"])]
    kind: Annotated[
        Literal["refund", "void"], Field(description="A void is always the whole purchase.", examples=["refund"])
    ]
    amount: Annotated[MoneyText, Field(description="How much.")]
    currency: CurrencyCode
    reason: Annotated[str, Field(description='Why, or "".', examples=["Broken on arrival"])]
    created_at: CreatedAt


class SubscribedProductOut(BaseModel):
    """What a subscription is to, by the name under which it was sold."""

    sku: SkuText
    title: TitleText


class SubscriptionOut(_Priced):
    """What a contact pays again and again, since the purchase of the item was approved."""

    id: Annotated[str, Field(description="The subscription's id.", examples=["sub_01kaskf4zze4t9a1t8cdhyjvb5"])]
    status: Annotated[Literal["active", "canceled"], Field(description="Canceled is final.", examples=["canceled"])]
    product: Annotated[SubscribedProductOut, Field(description="What is subscribed to.")]
    amount: Annotated[MoneyText, Field(description="What each interval costs: the item's price × quantity.")]
    currency: CurrencyCode
    interval: Annotated[Interval, Field(description="How often it is paid.")]
    source: SourceName
    started_at: Annotated[TimeText, Field(description="When its purchase was approved.")]
    canceled_at: Annotated[
        TimeText | None,
        Field(description="When it was canceled; null while it is active.", examples=["2026-11-23T18:36:00.123456Z"]),
    ]
    cancel_reason: Annotated[str | None, Field(description="Why, if somebody said so.", examples=["Too expensive"])]

    @model_validator(mode="before")
    @classmethod
    def _read(cls, subscription: Any) -> Any:
        """`product` by the name under which it was sold, which the product itself may have lost since."""
        if not isinstance(subscription, Subscription):
            return subscription
        item = subscription.item
        return _copied(subscription, cls.model_fields, product={"sku": item.sku, "title": item.title})


class SurveyOut(_Copied):
    """Questions that a shop or a funnel asks."""

    slug: Annotated[str, Field(description="The survey's name in calls.", examples=["how-did-you-find-us"])]
    title: Annotated[str, Field(description="The survey's name for people.", examples=["How did you find us?"])]


class ResponseOut(_Copied):
    """A survey that somebody finished."""

    id: Annotated[str, Field(description="The response's id.", examples=["rsp_01kaskf4zze4t9a1t8cdhyjvb5"])]
    email: Annotated[
        str | None,
        Field(description="Who answered; null where an order was named instead.", examples=["ada@example.com"]),
    ]
    answers: Annotated[
        dict[str, Any], Field(description="As they were sent.", examples=[{"channel": "A friend", "stars": 5}])
    ]
    completed_at: Annotated[TimeText, Field(description="When it was recorded.")]
