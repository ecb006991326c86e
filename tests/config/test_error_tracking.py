"""What Sentry is told of errors, and what it never is."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, connection, transaction
from django.test import Client

from api.keys import create_key
from config.celery import app
from config.error_tracking import ErrorTracker
from notifications.models import Delivery
from orders.models import Contact
from tests.config.serving import serving
from tests.config.workers import wait_until_it_takes_tasks
from tests.notifications.deliveries import make_delivery
from tests.notifications.worker.conftest import channel, receiver, start
from tests.servers.sentry import Sentry
from tests.waiting import wait_until

__all__ = ["channel", "receiver", "start"]
SECRETS = ("swordfish", "ada@example.com", "Lovelace", "tidings_")


@pytest.fixture
def sentry() -> Iterator[Sentry]:
    with Sentry() as sentry:
        yield sentry


@contextmanager
def tracked(sentry: Sentry) -> Iterator[ErrorTracker]:
    """As the settings do where there is a `SENTRY_DSN`: for our own lines, and for those of libraries."""
    tracker = ErrorTracker(sentry.dsn, release="tidings@1")
    processors = structlog.get_config()["processors"]
    (stderr,) = (each for each in logging.getLogger().handlers if each.get_name() == "stderr")
    foreign: Any = stderr.formatter
    kept = foreign.foreign_pre_chain
    processors.insert(-2, tracker)
    foreign.foreign_pre_chain = [*kept[:-1], tracker, kept[-1]]
    try:
        yield tracker
    finally:
        processors.remove(tracker)
        foreign.foreign_pre_chain = kept
        tracker._client.close(timeout=0.1 if sentry.hangs else 20)


def types(event: dict[str, Any]) -> list[str]:
    return [each["type"] for each in event["exception"]["values"]]


def break_with_secrets() -> None:
    """A chain, with values in variables, in messages and in a note."""
    password = "swordfish"
    try:
        raise KeyError(f"ada@example.com {password}")
    except KeyError as error:
        broken = ValueError("Lovelace")
        broken.add_note("swordfish")
        raise broken from error


def test_an_error_is_told_by_its_kind_and_place_and_without_values(sentry):
    log = structlog.get_logger("config.tests")
    with tracked(sentry), structlog.contextvars.bound_contextvars(request_id="req_1", ip="192.0.2.7"):
        try:
            break_with_secrets()
        except ValueError:
            log.exception("it_broke", route="/orders", user_id=7, email="ada@example.com", path="/swordfish")
    (event,) = sentry.events
    assert types(event) == ["KeyError", "ValueError"]
    frame = event["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert (frame["function"], frame["module"]) == ("break_with_secrets", __name__)
    assert set(frame) <= {"filename", "abs_path", "module", "function", "lineno", "in_app"}
    assert (event["message"], event["logger"], event["level"]) == ("it_broke", "config.tests", "error")
    assert event["tags"] == {"request_id": "req_1", "route": "/orders"}
    assert (event["user"], event["release"]) == ({"id": "7"}, "tidings@1")
    for secret in (*SECRETS, "192.0.2.7"):
        assert secret not in sentry.told, secret


def test_what_django_says_of_a_statement_is_left_out(sentry, db):
    Contact.objects.create(source="shop", email="ada@example.com", first_name="Lovelace", idna_key="ada@example.com")
    with tracked(sentry):
        try:
            with transaction.atomic():
                Contact.objects.create(source="shop", email="ada@example.com", idna_key="ada@example.com")
        except IntegrityError as error:
            assert "ada@example.com" in str(error)
            structlog.get_logger("config.tests").error("it_broke", exc_info=error)
    (event,) = sentry.events
    assert types(event) == ["UniqueViolation", "IntegrityError"]
    for secret in SECRETS:
        assert secret not in sentry.told, secret


def test_a_task_that_fails_is_told_with_its_name(sentry):
    @app.task(name="tests.breaks", shared=False)
    def breaks(password: str) -> None:
        break_with_secrets()

    try:
        with tracked(sentry):
            breaks.apply(args=["swordfish"])
    finally:
        app.tasks.unregister("tests.breaks")
    (event,) = sentry.events
    assert types(event) == ["KeyError", "ValueError"]
    assert event["tags"] == {"task": "tests.breaks"}
    for secret in SECRETS:
        assert secret not in sentry.told, secret


def test_warnings_and_the_words_of_libraries_are_not_told_and_our_own_are(sentry):
    with tracked(sentry):
        structlog.get_logger("config.tests").warning("only_a_warning", exc_info=ValueError("swordfish"))
        logging.getLogger("library").error("Cannot connect to redis://:%s@127.0.0.1", "swordfish")
        structlog.get_logger("config.tests").error("in_flight_abandoned", password="swordfish")
    (event,) = sentry.events
    assert event["message"] == "in_flight_abandoned"
    assert "swordfish" not in sentry.told


@pytest.mark.parametrize("dsn", ["swordfish", "http://127.0.0.1/1", "https://swordfish@", "ftp://swordfish@a/1"])
def test_a_dsn_that_is_none_is_refused_and_not_quoted(dsn):
    with pytest.raises(ImproperlyConfigured, match=r"^SENTRY_DSN must be like ") as refused:
        ErrorTracker(dsn, release="tidings@1")
    assert "swordfish" not in str(refused.value)


def test_a_fault_of_a_page_is_told_once(sentry, db, monkeypatch):
    def fail(*_: Any) -> None:
        break_with_secrets()

    monkeypatch.setattr("backoffice.site.TidingsAdminSite.each_context", fail)
    with tracked(sentry):
        client = Client(raise_request_exception=False)
        answer = client.post("/admin/login/?q=swordfish", {"password": "swordfish"}, headers={"Cookie": "a=swordfish"})
    assert answer.status_code == 500
    (failed,) = sentry.events
    assert types(failed) == ["KeyError", "ValueError"]
    assert failed["tags"] == {"request_id": answer["X-Request-ID"], "method": "POST", "route": "/admin/login/"}
    for secret in SECRETS:
        assert secret not in sentry.told, secret


@contextmanager
def without_table(name: str) -> Iterator[None]:
    """Whatever asks for the table meanwhile breaks."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {name} RENAME TO {name}_away")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {name}_away RENAME TO {name}")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_errors_of_web_and_api_are_told_without_values(subprocess_environment, sentry):
    key = create_key(name="Shop", scopes=["storefront"])[1]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "Cookie": "sessionid=swordfish"}
    body = {"source": "shop", "email": "ada@example.com", "first_name": "Lovelace"}
    with serving({**subprocess_environment, "SENTRY_DSN": sentry.dsn}) as server:
        with without_table("orders_contact"):
            answer = server.request("POST", "/api/v1/contacts", json.dumps(body).encode(), headers)
        assert answer[0] == 500
        with without_table("django_session"):
            page = server.request("GET", "/admin/?q=swordfish", headers=headers)
        assert page[0] == 500
        wait_until(lambda: {"/api/v1/contacts", "/admin/"} <= {each["tags"].get("route") for each in told(sentry)})
    routes = {each["tags"].get("route") for each in told(sentry) if "UndefinedTable" in types(each)}
    assert routes >= {"/api/v1/contacts", "/admin/"}
    for secret in SECRETS:
        assert secret not in sentry.told, secret


def told(sentry: Sentry) -> list[dict[str, Any]]:
    return [event for event in sentry.events if "exception" in event]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_errors_of_workers_are_told_without_values(start, sentry):
    with without_table("notifications_channelhealth"):
        worker = start("worker", SENTRY_DSN=sentry.dsn)
        wait_until(lambda: told(sentry), timeout=60)
    wait_until_it_takes_tasks()
    assert worker.terminate() == 0
    event = told(sentry)[0]
    assert types(event) == ["UndefinedTable", "ProgrammingError"]
    assert event["message"] == "sweep_failed"


def test_a_sentry_that_hangs_gets_what_waits_and_holds_nobody_up():
    with Sentry(hangs=True) as sentry, tracked(sentry) as tracker:
        for number in range(150):
            structlog.get_logger("config.tests").error("it_broke", number=number)
        wait_until(lambda: sentry.envelopes)
        assert len(sentry.envelopes) == 1
        assert tracker._client.transport._worker.full()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_neither_pages_nor_deliveries_nor_ends_wait_for_a_sentry_that_hangs(
    subprocess_environment, start, receiver, channel
):
    key = {"Authorization": f"Bearer {create_key(name='Shop', scopes=['storefront'])[1]}"}
    with Sentry(hangs=True) as sentry:
        with serving({**subprocess_environment, "SENTRY_DSN": sentry.dsn}) as server:
            with without_table("orders_product"):
                for _ in range(5):
                    assert server.request("GET", "/api/v1/products", headers=key)[0] == 500
            assert server.request("GET", "/readyz")[0] == 200
            wait_until(lambda: sentry.envelopes)
        with without_table("notifications_channelhealth"):
            worker = start("worker", SENTRY_DSN=sentry.dsn)
            wait_until(lambda: "sweep_failed" in sentry.told, timeout=60)
        delivery = make_delivery(channel)
        wait_until(lambda: Delivery.objects.get(pk=delivery.pk).status == "succeeded", timeout=60)
        wait_until_it_takes_tasks()
        assert worker.terminate() == 0
