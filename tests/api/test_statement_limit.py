"""What the database takes too long over is stopped, for whoever asks through the web."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection, transaction
from django.test import Client

from api.keys import create_key
from config.database.limits import statements_limited, was_cancelled
from orders.models import Contact, Product
from tests.api.problems import assert_problem
from tests.calling import Caller

pytestmark = pytest.mark.django_db(transaction=True)

ONE = Decimal("1.00")
DETAIL = "This took too long and was stopped. Try again in a moment."


@pytest.fixture(autouse=True)
def short(settings: Any) -> None:
    settings.WEB_STATEMENT_SECONDS = 0.3


@contextmanager
def locked(table: str) -> Iterator[None]:
    """Whatever looks at the table waits."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
        other.rollback()


def limit_of() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        return str(cursor.fetchone()[0])


def test_a_page_says_so() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    with locked("orders_contact"):
        answer = client.get("/admin/orders/contact/")
        assert (answer.status_code, answer["Retry-After"]) == (503, "10")
        assert "<h1>This takes too long</h1>" in answer.content.decode()
    assert client.get("/admin/orders/contact/").status_code == 200


def test_so_it_does_where_no_view_is_at_work() -> None:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("ada"))
    with locked("django_session"):
        assert client.get("/admin/").status_code == 503


def test_the_api_answers_with_a_problem_and_nothing_is_written() -> None:
    call = Caller(create_key(name="Tests", scopes=["storefront", "manage"])[1])
    sent = {"source": "shop", "email": "ada@example.com"}
    for headers in ({}, {"Idempotency-Key": "once"}):
        with locked("orders_contact"):
            answer = call("POST", "/contacts", sent, headers=headers)
            assert_problem(answer, 503, DETAIL)
            assert answer["Retry-After"] == "10"
        with locked("orders_product"):
            assert_problem(call("GET", "/products"), 503, DETAIL)
    assert not Contact.objects.exists()
    assert call("POST", "/contacts", sent, headers={"Idempotency-Key": "once"}).status_code == 201
    assert call("GET", "/products").status_code == 200


def test_an_answer_that_is_read_while_it_is_sent_is_limited_to_its_end() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    lines = iter(client.get("/admin/notifications/delivery/csv/"))
    assert b"Delivery,Event" in next(lines)
    with locked("notifications_delivery"), pytest.raises(OperationalError) as refused:
        next(lines)
    assert was_cancelled(refused.value)
    assert limit_of() == "0"


def test_workers_and_commands_have_no_limit() -> None:
    Client().get("/healthz")
    assert limit_of() == "0"
    with transaction.atomic():
        assert limit_of() == "0"


def test_the_limit_is_of_each_statement_in_and_out_of_a_transaction_and_ends_with_it() -> None:
    with statements_limited(0.25):
        assert limit_of() == "250ms"
        with transaction.atomic():
            assert limit_of() == "250ms"
        for sleep in (False, True):
            with pytest.raises(OperationalError) as refused, connection.cursor() as cursor:
                if sleep:
                    with transaction.atomic():
                        cursor.execute("SELECT pg_sleep(20)")
                cursor.execute("SELECT pg_sleep(20)")
            assert was_cancelled(refused.value)
        product = Product.objects.create(
            sku="100%", title="%s", kind="digital", unit_price=Decimal("1.00"), currency="USD"
        )
        assert Product.objects.filter(pk=product.pk).update(title="a%") == 1
        assert list(Product.objects.filter(sku__contains="%").values_list("title", flat=True)) == ["a%"]
        made = Product.objects.bulk_create(
            [Product(sku=f"{n}", title="a", kind="digital", unit_price=ONE, currency="USD") for n in range(3)]
        )
        assert None not in {each.pk for each in made}
        assert Product.objects.filter(title="a").delete()[0] == 3
        with connection.cursor() as cursor:
            cursor.executemany("UPDATE orders_product SET title = %s WHERE sku = %s", [("b", "100%"), ("c", "none")])
            cursor.execute("SELECT title FROM orders_product")
            assert (cursor.fetchall(), cursor.rowcount, cursor.description[0].name) == ([("b",)], 1, "title")
    assert limit_of() == "0"


def test_what_is_no_limit_is_no_slowness() -> None:
    with pytest.raises(OperationalError) as refused, connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert not was_cancelled(refused.value)
    connection.close()
