"""Two calls with one `Idempotency-Key` at once, on two connections."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread
from threading import Event as ThreadEvent
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpResponse

from api import idempotency
from api.keys import create_key
from api.models import ApiKey, IdempotencyRecord
from notifications.models import Event
from orders import signals
from orders.models import Contact
from tests.api.problems import assert_problem
from tests.calling import Caller
from tests.orders.shop import Outcome, race

pytestmark = pytest.mark.django_db(transaction=True)

ADA = {"source": "shop", "email": "ada@example.com", "first_name": "Ada", "last_name": "Byron"}
RUNNING = "The first call with this Idempotency-Key is still running."


@pytest.fixture
def key(transactional_db: None) -> str:
    return create_key(name="Shop", scopes=["storefront"])[1]


def post(key: str, path: str = "/contacts", body: Any = ADA) -> HttpResponse:
    return Caller(key)("POST", path, body, headers={"Idempotency-Key": "k1"})


def answers(outcomes: list[Outcome]) -> tuple[HttpResponse, HttpResponse]:
    assert [(outcome.error, outcome.waited) for outcome in outcomes] == [(None, False)] * 2
    return outcomes[0].value, outcomes[1].value


@pytest.mark.parametrize(
    ("path", "body"),
    [("/contacts", ADA), ("/contacts", {**ADA, "last_name": "Lovelace"}), ("/orders/1001/thank-you", b"")],
)
def test_while_the_first_is_running_the_second_is_told_to_come_again(key: str, path: str, body: Any) -> None:
    outcomes = race(lambda: post(key), lambda: post(key, path, body), at=signals.contact_created)

    first, second = answers(outcomes)
    assert first.status_code == 201
    assert_problem(second, 409, RUNNING)
    assert second["Retry-After"] == "1"
    assert "Retry-After" not in first
    again = post(key)
    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (201, first.content, "true")
    assert (Contact.objects.count(), Event.objects.count()) == (1, 1)


def test_another_api_key_does_not_wait(key: str) -> None:
    other = create_key(name="Other", scopes=["storefront"])[1]

    outcomes = race(
        lambda: post(key), lambda: post(other, body={**ADA, "email": "b@example.com"}), at=signals.contact_created
    )

    first, second = answers(outcomes)
    assert (first.status_code, second.status_code) == (201, 201)
    assert IdempotencyRecord.objects.count() == 2


def test_a_first_call_that_is_undone_leaves_its_key_free(key: str) -> None:
    outcomes = race(lambda: post(key), lambda: post(key), at=signals.contact_created, undo_first=True)

    first, second = answers(outcomes)
    assert first.status_code == 500
    assert_problem(second, 409, RUNNING)
    assert not Contact.objects.exists()
    assert not Event.objects.exists()
    assert not IdempotencyRecord.objects.exists()
    assert post(key).status_code == 201


def test_of_many_at_once_one_takes_effect(key: str) -> None:
    callers = 8
    barrier = Barrier(callers)

    def call(_: int) -> HttpResponse:
        try:
            barrier.wait(30)
            return post(key)
        finally:
            connection.close()

    with ThreadPoolExecutor(callers) as pool:
        responses = list(pool.map(call, range(callers)))

    first = [
        response for response in responses if response.status_code == 201 and "Idempotent-Replayed" not in response
    ]
    assert len(first) == 1
    for response in responses:
        if response.status_code == 409:
            assert (json.loads(response.content)["detail"], response["Retry-After"]) == (RUNNING, "1")
        else:
            assert (response.status_code, response.content) == (201, first[0].content)
    assert Counter(Event.objects.values_list("type", flat=True)) == {"contact.created": 1}
    assert (Contact.objects.count(), IdempotencyRecord.objects.count()) == (1, 1)


def test_repeats_of_a_call_that_has_ended_do_not_stand_in_each_others_way(key: str) -> None:
    """One of them holds the lock; the other one needs it no more."""
    first = post(key)
    holding, go_on = ThreadEvent(), ThreadEvent()

    def hold() -> None:
        with transaction.atomic():
            assert idempotency._lock(ApiKey.objects.get(), "k1")
            holding.set()
            go_on.wait(30)
        connection.close()

    holder = Thread(target=hold)
    holder.start()
    assert holding.wait(10)
    again = post(key)
    go_on.set()
    holder.join(30)
    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (201, first.content, "true")
