from django.test import Client, RequestFactory

from config.health import healthz


def test_the_process_is_up_without_asking_the_database(client: Client) -> None:
    """Without its `db` fixture pytest-django refuses every query."""
    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-store" in response["Cache-Control"]


def test_only_reading_is_allowed() -> None:
    assert healthz(RequestFactory().post("/healthz")).status_code == 405
