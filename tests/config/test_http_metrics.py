"""HTTP requests are counted by the pattern of their address: there are as many series as the code has routes."""

import pytest
from django.test import Client

from config import http_metrics
from config.http_metrics import REQUEST_SECONDS, REQUESTS
from tests.calling import Caller


def counted() -> dict[tuple[str, str, str], float]:
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for metric in REQUESTS.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }


def timed() -> float:
    return sum(
        sample.value
        for metric in REQUEST_SECONDS.collect()
        for sample in metric.samples
        if sample.name.endswith("_count")
    )


@pytest.mark.django_db
def test_by_method_route_and_status(client: Client):
    before, times = counted(), timed()
    call = Caller()
    client.get("/healthz")
    client.post("/healthz")
    for number in range(3):
        call("GET", f"/orders/{number}")
        client.get(f"/admin/orders/order/{number}/")
    client.get("/no/such/page")
    client.get("/static/no-such-file.css")
    client.generic("BREW", "/healthz")
    now = counted()
    assert {key: value - before.get(key, 0) for key, value in now.items() if value != before.get(key, 0)} == {
        ("GET", "/healthz", "200"): 1,
        ("POST", "/healthz", "405"): 1,
        ("GET", "/api/v1/orders/<number>", "401"): 3,
        ("GET", "/admin/orders/order/<path:object_id>/", "302"): 3,
        ("GET", "unmatched", "404"): 1,
        ("GET", "static", "404"): 1,
        ("_OTHER", "/healthz", "405"): 1,
    }
    assert timed() - times == 11


@pytest.mark.django_db
def test_what_breaks_in_a_view_or_is_refused_before_one_is_counted(client: Client, monkeypatch):
    before = counted()
    monkeypatch.setattr("notifications.monitoring.look", lambda: 1 / 0)
    client.raise_request_exception = False
    assert client.get("/healthz/deliveries").status_code == 500
    assert client.post("/admin/login/", b"x" * 600_000, "text/plain").status_code == 413
    now = counted()
    assert {key: value - before.get(key, 0) for key, value in now.items() if value != before.get(key, 0)} == {
        ("GET", "/healthz/deliveries", "500"): 1,
        ("POST", "unmatched", "413"): 1,
    }


def test_a_fault_in_counting_costs_no_answer(client: Client, monkeypatch):
    monkeypatch.setattr(http_metrics, "REQUESTS", None)
    assert client.get("/healthz").status_code == 200
