"""`Idempotency-Key` on the calls of version 1. Two at once: `test_idempotency_races`."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings as django_settings
from django.db import connection
from django.db.models import F
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from api.keys import create_key
from api.models import ApiKey, IdempotencyRecord
from api.tasks import purge_idempotency_records
from channels_app.models import Channel
from channels_app.services import create_channel
from config.celery import app
from notifications import doorbell, retention
from notifications.models import Delivery, Event
from orders.models import Contact, Order, Product
from tests.api.problems import assert_fields, assert_problem
from tests.calling import Caller
from tests.notifications.deliveries import make_delivery

ADA = {"source": "shop", "email": "ada@example.com", "first_name": "Ada", "last_name": "Byron"}
OTHER = "This Idempotency-Key belongs to a call with another path or body."


@pytest.fixture
def call(db: None) -> Caller:
    return Caller(create_key(name="Tests", scopes=["storefront", "manage"])[1])


@pytest.fixture
def mug(db: None) -> Product:
    return Product.objects.create(sku="mug", title="Mug", kind="physical", unit_price=Decimal("12.50"), currency="USD")


def post(call: Caller, path: str, body: Any = b"", key: str = "k1") -> HttpResponse:
    return call("POST", path, body, headers={"Idempotency-Key": key})


def seen(response: HttpResponse) -> tuple[int, bytes, str]:
    return response.status_code, response.content, response["Content-Type"]


def let_a_day_pass() -> None:
    IdempotencyRecord.objects.update(created_at=F("created_at") - timedelta(hours=24))


def test_the_same_call_again_gets_the_first_answer_and_does_nothing(call: Caller) -> None:
    first = post(call, "/contacts", ADA)
    again = post(call, "/contacts", ADA)

    assert first.status_code == 201
    assert "Idempotent-Replayed" not in first
    assert seen(again) == seen(first)
    assert again["Idempotent-Replayed"] == "true"
    assert again["Content-Length"] == str(len(again.content))
    assert Contact.objects.count() == 1
    assert list(Event.objects.values_list("type", flat=True)) == ["contact.created"]


def test_without_a_key_every_call_counts(call: Caller) -> None:
    assert [call("POST", "/contacts", ADA).status_code for _ in range(2)] == [201, 200]
    assert list(Event.objects.values_list("type", flat=True)) == ["contact.created"] * 2
    assert not IdempotencyRecord.objects.exists()


def test_another_key_is_another_call(call: Caller) -> None:
    assert post(call, "/contacts", ADA).status_code == 201

    second = post(call, "/contacts", ADA, key="k2")

    assert (second.status_code, json.loads(second.content)["reactivated"]) == (200, True)
    assert seen(post(call, "/contacts", ADA, key="k2")) == seen(second)
    assert Event.objects.count() == 2


def test_a_key_belongs_to_the_api_key_that_sent_it(call: Caller) -> None:
    other = Caller(create_key(name="Other", scopes=["storefront"])[1])
    assert post(call, "/contacts", ADA).status_code == 201

    response = post(other, "/contacts", ADA)

    assert (response.status_code, "Idempotent-Replayed" in response) == (200, False)
    assert Event.objects.count() == 2


@pytest.mark.parametrize("body", [{**ADA, "first_name": "Augusta"}, {**ADA, "tags": []}, {}, b"{nonsense", b""])
def test_another_body_is_409(call: Caller, body: Any) -> None:
    assert post(call, "/contacts", ADA).status_code == 201

    response = post(call, "/contacts", body)

    assert_problem(response, 409, OTHER)
    assert "Retry-After" not in response
    assert Contact.objects.get().first_name == "Ada"
    assert Event.objects.count() == 1


def test_another_path_is_409(call: Caller, mug: Product) -> None:
    order = {"source": "shop", "contact": ADA, "items": [{"sku": "mug", "quantity": 1}]}
    numbers = [json.loads(call("POST", "/orders", order).content)["number"] for _ in range(2)]
    purchase = {"status": "approved", "amount": "12.50", "gateway": "stripe", "reference": "r1"}
    assert post(call, f"/orders/{numbers[0]}/transactions", purchase).status_code == 201

    assert_problem(post(call, f"/orders/{numbers[1]}/transactions", purchase), 409, OTHER)
    assert Order.objects.get(number=numbers[1]).status == "open"


def test_the_order_of_members_and_white_space_mean_nothing(call: Caller) -> None:
    first = post(call, "/contacts", ADA)

    again = post(call, "/contacts", json.dumps(dict(reversed(ADA.items())), indent=2).encode())

    assert seen(again) == seen(first)
    assert again["Idempotent-Replayed"] == "true"


def test_an_answer_without_a_body_is_kept_too(call: Caller, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.api.throwaway"
    first, again = (post(call, "/forget/x") for _ in range(2))

    assert (first.status_code, first.content) == (204, b"")
    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (204, b"", "true")


def test_an_accepted_retry_is_made_once(call: Caller) -> None:
    channel = create_channel(name="Warehouse", kind="postback", url="https://example.com/hook")
    delivery = make_delivery(channel, status="failed", next_attempt_at=None, finished_at=timezone.now())

    first, again = (post(call, f"/deliveries/{delivery.pk}/retry") for _ in range(2))

    assert first.status_code == 202
    assert seen(again) == seen(first)
    assert call("POST", f"/deliveries/{delivery.pk}/retry").status_code == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{nonsense", 400),
        ({**ADA, "email": "nobody"}, 422),
        ({**ADA, "source": "funnel", "funnel": "unknown"}, 422),
    ],
)
def test_a_refusal_is_not_kept_and_leaves_the_key_free(call: Caller, body: Any, status: int) -> None:
    for _ in range(2):
        refused = post(call, "/contacts", body)
        assert (refused.status_code, "Idempotent-Replayed" in refused) == (status, False)
    assert not IdempotencyRecord.objects.exists()
    assert not Event.objects.exists()

    assert post(call, "/contacts", ADA).status_code == 201


def test_nothing_of_a_call_that_is_not_answered_with_2xx_stays(call: Caller, settings: Any) -> None:
    """Even where a room refuses after it has written."""
    settings.ROOT_URLCONF = "tests.api.throwaway"

    assert post(call, "/write-then-refuse/conflict").status_code == 409
    assert post(call, "/write-then-refuse/bug").status_code == 500
    assert list(ApiKey.objects.values_list("name", flat=True)) == ["Tests"]
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tbed", "é", "\x7f"])
def test_a_key_that_is_not_printable_ascii_of_some_length_is_422(call: Caller, key: str) -> None:
    response = post(call, "/contacts", ADA, key=key)

    assert_fields(response, {"Idempotency-Key": "Give 1 to 255 characters of printable ASCII."})
    assert not Contact.objects.exists()


def test_a_key_may_have_255_characters_of_any_kind_that_prints(call: Caller) -> None:
    key = "".join(map(chr, range(33, 127))).ljust(255, "~")

    assert post(call, "/contacts", ADA, key=key).status_code == 201
    assert post(call, "/contacts", ADA, key=key)["Idempotent-Replayed"] == "true"


def test_only_a_post_takes_the_key(call: Caller) -> None:
    headers = {"Idempotency-Key": "k" * 300}

    assert call("PATCH", "/event-types/order.completed", {"enabled": True}, headers=headers).status_code == 200
    assert call("GET", "/channels", headers=headers).status_code == 200
    assert not IdempotencyRecord.objects.exists()


def test_a_caller_is_let_in_before_its_key_is_looked_at(call: Caller) -> None:
    assert post(call, "/contacts", ADA).status_code == 201
    manager = Caller(create_key(name="Script", scopes=["manage"])[1])

    assert post(Caller(), "/contacts", ADA, key="é").status_code == 401
    assert post(manager, "/contacts", ADA, key="é").status_code == 403


def test_a_secret_that_is_shown_once_is_replayed_and_not_kept_in_the_clear(call: Caller) -> None:
    body = {"name": "Warehouse", "kind": "postback", "url": "https://example.com/hook"}
    first = post(call, "/channels", body)
    secret = json.loads(first.content)["secret"]

    assert seen(post(call, "/channels", body)) == seen(first)
    assert Channel.objects.count() == 1
    [kept] = IdempotencyRecord.objects.values_list("encrypted_answer", flat=True)
    assert secret.startswith("whsec_")
    assert secret not in kept
    assert "Warehouse" not in kept


def test_a_lost_encryption_key_is_409_and_the_fact_stays_one(call: Caller, settings: Any) -> None:
    assert post(call, "/contacts", ADA).status_code == 201
    settings.SECRETS_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    assert_problem(
        post(call, "/contacts", ADA),
        409,
        "A call with this Idempotency-Key took effect, but its answer can no longer be read.",
    )
    assert Event.objects.count() == 1


def test_after_a_day_the_key_is_free(call: Caller) -> None:
    assert post(call, "/contacts", ADA).status_code == 201
    let_a_day_pass()

    second = post(call, "/contacts", {**ADA, "last_name": "Lovelace"})

    assert (second.status_code, "Idempotent-Replayed" in second) == (200, False)
    assert seen(post(call, "/contacts", {**ADA, "last_name": "Lovelace"})) == seen(second)
    assert IdempotencyRecord.objects.count() == 1


def test_an_answer_is_kept_for_the_whole_day(call: Caller) -> None:
    assert post(call, "/contacts", ADA).status_code == 201
    IdempotencyRecord.objects.update(created_at=F("created_at") - timedelta(hours=23, minutes=59))

    assert purge_idempotency_records() == 0
    assert post(call, "/contacts", ADA)["Idempotent-Replayed"] == "true"


def test_the_purge_deletes_what_is_older_than_a_day_in_batches(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for key in ("k1", "k2", "k4", "k5", "k6"):
        post(call, "/contacts", ADA, key=key)
    let_a_day_pass()
    post(call, "/contacts", ADA, key="k3")

    with CaptureQueriesContext(connection) as queries:
        assert purge_idempotency_records() == 5
    assert [query["sql"].split()[0] for query in queries if "DELETE" in query["sql"]] == ["DELETE"] * 3
    assert list(IdempotencyRecord.objects.values_list("key", flat=True)) == ["k3"]


def test_beat_purges_each_hour(call: Caller) -> None:
    entry = django_settings.CELERY_BEAT_SCHEDULE["purge-idempotency-records"]
    assert entry["schedule"] == 3600.0
    post(call, "/contacts", ADA)
    let_a_day_pass()

    app.loader.import_default_modules()
    assert app.tasks[entry["task"]]() == 1


def test_the_doorbell_rings_once_and_after_the_commit(
    call: Caller, mug: Product, django_capture_on_commit_callbacks: Any
) -> None:
    number = json.loads(
        call("POST", "/orders", {"source": "shop", "contact": ADA, "items": [{"sku": "mug", "quantity": 1}]}).content
    )["number"]
    purchase = {"status": "approved", "amount": "12.50", "gateway": "stripe", "reference": "r1"}
    channel = json.loads(
        call("POST", "/channels", {"name": "W", "kind": "postback", "url": "https://example.com/"}).content
    )["id"]
    for key in ("transaction.approved", "customer.created", "order.completed"):
        call("PATCH", f"/event-types/{key}", {"enabled": True})
        assert call("POST", f"/event-types/{key}/channels", {"channel": channel}).status_code == 201

    with django_capture_on_commit_callbacks() as first:
        assert post(call, f"/orders/{number}/transactions", purchase).status_code == 201
    with django_capture_on_commit_callbacks() as again:
        assert post(call, f"/orders/{number}/transactions", purchase).status_code == 201

    assert Delivery.objects.count() == 3
    assert [callback for callback in first if callback is doorbell.ring] == [doorbell.ring]
    assert again == []
