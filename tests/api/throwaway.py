"""An API of the same make as version 1, with operations that only these tests need."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import path
from ninja import Field, Router, Schema, Status
from ninja.errors import HttpError
from ninja.pagination import paginate
from pydantic import ConfigDict

from api.auth import ScopedKey
from api.build import build_api
from api.keys import create_key
from api.models import ApiKey
from notifications.errors import Conflict as NotificationsConflict
from orders.errors import Conflict as OrdersConflict

EVENT_TYPES = [f"type.{number}" for number in range(10)]


class Strict(Schema):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Item(Strict):
    sku: str = Field(min_length=1, max_length=8)
    quantity: int = Field(ge=1, le=9999)


class KnownContact(Strict):
    kind: Literal["known"]
    id: str


class NewContact(Strict):
    kind: Literal["new"]
    email: str
    first_name: str


class Order(Strict):
    source: Literal["shop", "funnel"]
    items: list[Item] = Field(min_length=1, max_length=100)
    contact: Annotated[KnownContact | NewContact, Field(discriminator="kind")] | None = None
    note: int | list[str] | None = None
    due: datetime | None = None
    answers: dict[str, Any] = {}


class Pause(Strict):
    reason: str


class Key(Schema):
    id: int
    name: str


class StoredSession(Schema):
    session_key: str


storefront = Router()
manage = Router()


@storefront.post("/orders", response={201: dict[str, Any]})
def create_order(request: HttpRequest, payload: Order) -> Status[dict[str, Any]]:
    return Status(201, payload.model_dump())


@storefront.get("/orders/{number}")
def read_order(request: HttpRequest, number: str) -> dict[str, Any]:
    if number != "1001":
        raise ApiKey.DoesNotExist
    noon_in_lima = datetime(2026, 11, 23, 12, 0, tzinfo=timezone(timedelta(hours=-5)))
    return {"total": Decimal("100"), "created_at": noon_in_lima, "completed_at": None}


@storefront.post("/orders/{number}/thank-you")
def thank(request: HttpRequest, number: str) -> dict[str, str]:
    return {"number": number}


@storefront.put("/orders/{number}/tracking")
def track(request: HttpRequest, number: str) -> None:
    raise ValidationError({"items[0].sku": ["There is no such product.", "It is gone."], "__all__": ["Not so."]})


@storefront.get("/keys/{key_id}", response=Key)
def read_key(request: HttpRequest, key_id: int) -> ApiKey:
    return ApiKey.objects.get(pk=key_id)


@manage.post("/refuse/{how}")
def refuse(request: HttpRequest, how: str) -> None:
    match how:
        case "order":
            raise OrdersConflict("This order is refunded.")
        case "delivery":
            raise NotificationsConflict("This delivery is in flight.")
        case "sentence":
            raise ValidationError("Not so.")
        case "busy":
            raise HttpError(429, "Later.")
        case _:
            raise RuntimeError("the password is swordfish")


@manage.post("/forget/{what}", response={204: None})
def forget(request: HttpRequest, what: str) -> Status[None]:
    return Status(204, None)


@manage.post("/write-then-refuse/{how}")
def write_then_refuse(request: HttpRequest, how: str) -> None:
    create_key(name="Half done", scopes=["manage"])
    refuse(request, how="order" if how == "conflict" else "bug")


@manage.post("/channels/{channel_id}/pause")
def pause(request: HttpRequest, channel_id: str, payload: Pause | None = None) -> dict[str, str | None]:
    return {"reason": payload.reason if payload else None}


@manage.get("/keys", response=list[Key])
@paginate
def list_keys(request: HttpRequest, name: str | None = None) -> QuerySet[ApiKey]:
    keys = ApiKey.objects.order_by("name")
    return keys.filter(name=name) if name is not None else keys


@manage.get("/sessions", response=list[StoredSession])
@paginate
def list_sessions(request: HttpRequest) -> QuerySet[Session]:
    return Session.objects.all()


@manage.get("/event-types", response=list[str])
@paginate
def list_event_types(request: HttpRequest) -> list[str]:
    return EVENT_TYPES


api = build_api(title="Throw-away", version="9", namespace="throwaway")
api.add_router("", storefront, auth=ScopedKey("storefront"), tags=["Storefront"])
api.add_router("", manage, auth=ScopedKey("manage"), tags=["Manage"])

urlpatterns = [path("api/v1/", api.urls)]
