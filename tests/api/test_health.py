from datetime import timedelta

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import Settings

from api.health import healthz
from channels_app.services import create_channel
from notifications import alert_raising
from notifications.delivery.claim import claim
from notifications.delivery.maintenance import beat
from notifications.models import ChannelHealth, Heartbeat
from tests.notifications.deliveries import make_delivery


def test_the_process_is_up_without_asking_the_database(client: Client) -> None:
    """Without its `db` fixture pytest-django refuses every query."""
    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-store" in response["Cache-Control"]


def test_only_reading_is_allowed() -> None:
    assert healthz(RequestFactory().post("/healthz")).status_code == 405


@pytest.mark.django_db
def test_ready_without_broker_worker_or_beat_since_orders_are_taken_without_them(
    client: Client, settings: Settings
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    make_delivery(
        create_channel(name="Warehouse", kind="postback", url="https://example.com/"),
        next_attempt_at=timezone.now() - timedelta(days=1),
    )
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "problems": []})
    assert client.get("/healthz/deliveries").status_code == 503


@pytest.mark.django_db
def test_not_ready_while_a_migration_is_missing(client: Client) -> None:
    """As after a new version was started before `manage.py migrate`."""
    MigrationRecorder.Migration.objects.filter(app="orders", name="0001_initial").delete()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        503,
        {
            "status": "unavailable",
            "problems": ["Migrations are not applied: orders.0001_initial. Run manage.py migrate."],
        },
    )


@pytest.mark.django_db
def test_ready_on_a_database_that_newer_code_has_migrated(client: Client) -> None:
    MigrationRecorder.Migration.objects.create(app="orders", name="9999_of_a_later_version")
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
def test_not_ready_on_a_replica(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["problems"] == ["The database (DATABASE_URL) can only be read, as a replica can."]


@pytest.mark.django_db
def test_the_check_of_the_whole_says_what_is_missing(client: Client) -> None:
    answer = client.get("/healthz/deliveries")
    assert answer.status_code == 503
    whole = answer.json()
    assert whole["problems"] == [
        "No worker has claimed for as long as this database exists. Is a worker running?",
        "No beat has run for as long as this database exists. Is beat running?",
    ]
    assert (whole["database"], whole["broker"], whole["oldest_due"]) == (True, True, None)


@pytest.mark.django_db
def test_the_whole_is_well_once_worker_and_beat_were_seen(client: Client) -> None:
    for name in Heartbeat.Name:
        beat(name, at_most_every=0)
    answer = client.get("/healthz/deliveries")
    assert (answer.status_code, answer.json()["status"], answer.json()["problems"]) == (200, "ok", [])


@pytest.mark.django_db
def test_the_whole_is_not_well_without_a_broker(client: Client, settings: Settings) -> None:
    for name in Heartbeat.Name:
        beat(name, at_most_every=0)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/healthz/deliveries")
    assert answer.status_code == 503
    assert answer.json()["problems"] == ["The broker (REDIS_URL) cannot be reached."]


@pytest.mark.django_db
class TestMetrics:
    def test_the_queue_is_told_from_loopback(self, client: Client) -> None:
        beat(Heartbeat.Name.WORKER, at_most_every=0)
        channel = create_channel(name="Warehouse", kind="postback", url="https://example.com/")
        for _ in range(3):
            make_delivery(channel)
        claim(slots=1, slowed_slots=1)
        other = create_channel(name="Mailing", kind="postback", url="https://example.com/")
        ChannelHealth.objects.create(channel=other, failures_in_row=5)
        alert_raising.channel_failing(channel_id=other.pk)
        answer = client.get("/metrics")
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/plain; version=")
        lines = answer.content.decode().splitlines()
        assert 'tidings_up{component="database"} 1.0' in lines
        assert 'tidings_up{component="broker"} 1.0' in lines
        assert "tidings_deliveries_due 2.0" in lines
        assert "tidings_deliveries_in_flight 1.0" in lines
        assert "tidings_channels_failing 1.0" in lines
        assert "tidings_alerts_waiting 1.0" in lines
        assert not any(line.startswith("tidings_beat_age_seconds") for line in lines)

    def test_what_waits_is_told_by_channel_and_reason(self, client: Client) -> None:
        """Also of a failing channel: 24 that wait are 24, and not none."""
        failing = create_channel(name="Mailing", kind="postback", url="https://example.com/")
        ChannelHealth.objects.create(channel=failing, failures_in_row=5)
        for _ in range(24):
            make_delivery(failing, next_attempt_at=timezone.now() - timedelta(seconds=458))
        create_channel(name="Idle", kind="postback", url="https://example.com/")
        told = dict(line.rsplit(" ", 1) for line in client.get("/metrics").content.decode().splitlines())
        labels = f'{{channel="{failing.pk}",name="Mailing",reason="back_off"}}'
        assert told["tidings_deliveries_due"] == told[f"tidings_channel_deliveries_due{labels}"] == "24.0"
        assert 458 <= float(told["tidings_oldest_due_seconds"]) < 600
        assert 458 <= float(told[f"tidings_channel_oldest_due_seconds{labels}"]) < 600
        assert told["tidings_oldest_sendable_seconds"] == told["tidings_deliveries_sendable"] == "0.0"
        assert not any("Idle" in name for name in told)
        (waits,) = client.get("/healthz/deliveries").json()["waiting"]
        assert (waits["channel"], waits["reason"]) == ({"id": failing.pk, "name": "Mailing"}, "back_off")

    @pytest.mark.parametrize(
        ("token", "given", "status"),
        [("", "Bearer ", 403), ("t0ken", "", 403), ("t0ken", "Bearer other", 403), ("t0ken", "Bearer t0ken", 200)],
    )
    def test_others_need_the_token(
        self, client: Client, settings: Settings, token: str, given: str, status: int
    ) -> None:
        settings.METRICS_TOKEN = token
        answer = client.get("/metrics", headers={"Authorization": given}, REMOTE_ADDR="192.0.2.1")
        assert answer.status_code == status
        assert (b"tidings_up" in answer.content) == (status == 200)

    @pytest.mark.parametrize(("given", "status"), [("", 403), ("Bearer other", 403), ("Bearer t0ken", 200)])
    def test_so_does_loopback_once_there_is_one(
        self, client: Client, settings: Settings, given: str, status: int
    ) -> None:
        """A proxy on this machine that names nobody looks like loopback."""
        settings.METRICS_TOKEN = "t0ken"
        answer = client.get("/metrics", headers={"Authorization": given} if given else {})
        assert answer.status_code == status
        assert (b"tidings_up" in answer.content) == (status == 200)

    @pytest.mark.parametrize(
        "header",
        [
            *(
                "Forwarded",
                "X-Forwarded",
                "X-Forwarded-For",
                "X-Forwarded-Host",
                "X-Forwarded-Proto",
                "Via",
                "X-Real-IP",
            ),
            *(
                "X-Forwarded-Server",
                "X-Client-IP",
                "X-Cluster-Client-IP",
                "True-Client-IP",
                "CF-Connecting-IP",
                "CF-Ray",
            ),
            *("Fastly-Client-IP", "Fly-Client-IP", "X-Original-Forwarded-For", "X-Envoy-External-Address", "Client-IP"),
            *(
                "X-ProxyUser-Ip",
                "WL-Proxy-Client-IP",
                "Proxy-Client-IP",
                "X-Remote-Addr",
                "X-Amzn-Trace-Id",
                "X-Scheme",
            ),
            *(
                "X-Azure-ClientIP",
                "X-Originating-IP",
                "x-forwarded-port",
                "Forwarded-For",
                "X-Remote-IP",
                "Proxy-Connection",
            ),
        ],
    )
    def test_any_sign_of_a_proxy_counts(self, client: Client, header: str) -> None:
        for value in ("127.0.0.1", ""):
            assert client.get("/metrics", headers={header: value}).status_code == 403

    def test_what_programs_send_for_themselves_is_no_sign(self, client: Client) -> None:
        asked = {"User-Agent": "Prometheus/3.7", "Accept": "text/plain", "Accept-Encoding": "gzip"}
        asked |= {"X-Prometheus-Scrape-Timeout-Seconds": "10", "Connection": "close", "Cache-Control": "no-cache"}
        assert client.get("/metrics", headers=asked).status_code == 200

    def test_a_proxy_on_this_machine_is_not_loopback(self, client: Client) -> None:
        assert client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 403
