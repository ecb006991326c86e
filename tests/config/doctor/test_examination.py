"""No check keeps another from being done, none takes for ever, and none tells a secret."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django import Settings

from config.doctor import checks, examination
from config.doctor.examination import Check, Status, examine, fault, ok, unknown, warning
from config.doctor.report import tell
from config.environment import NAMES
from notifications.delivery.maintenance import beat
from notifications.models import Heartbeat
from tests.api.test_settings import PRODUCTION

ROOT = Path(__file__).resolve().parents[3]


def found(*checks: Check, seconds: float = 20) -> list[tuple[str, str, str]]:
    return [(each.check, str(each.status), each.says) for each in examine(checks, database="database", seconds=seconds)]


def breaks() -> list:
    raise ValueError("no such thing\nat all")


def test_a_check_that_breaks_does_not_keep_the_next_from_being_done() -> None:
    assert found(Check("first", breaks), Check("second", lambda: [ok("Well.")])) == [
        ("first", "unknown", "The check itself failed: ValueError: no such thing at all"),
        ("second", "ok", "Well."),
    ]


def test_a_check_that_hangs_is_left_behind() -> None:
    go_on = threading.Event()
    try:
        told = found(
            Check("silent", lambda: [ok(f"{go_on.wait()}")], when_silent=Status.FAULT),
            Check("of no weight", lambda: [ok(f"{go_on.wait()}")]),
            seconds=0.2,
        )
    finally:
        go_on.set()
    assert told == [
        ("silent", "fault", "There is no answer within 0.2 s."),
        ("of no weight", "unknown", "There is no answer within 0.2 s."),
    ]


def test_without_a_database_nothing_is_asked_of_it() -> None:
    assert found(
        Check("database", lambda: [fault("Gone.", "Start it.")]),
        Check("size", breaks, needs_database=True),
        Check("disk", lambda: [ok("Well.")]),
    ) == [
        ("database", "fault", "Gone."),
        ("size", "unknown", "Cannot be seen while the database is not reached."),
        ("disk", "ok", "Well."),
    ]


def test_with_a_warning_of_the_database_it_is_asked() -> None:
    told = found(
        Check("database", lambda: [warning("In clear.", "Encrypt.")]),
        Check("size", lambda: [ok("Small.")], needs_database=True),
    )
    assert told[1] == ("size", "ok", "Small.")


def test_secrets_are_kept_out_of_whatever_is_said(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.EMAIL_HOST_PASSWORD = "correct/horse battery"
    settings.REDIS_URL = "redis://:of%20the%20broker@127.0.0.1:1/0"
    settings.METRICS_TOKEN = "token-of-the-metrics"
    monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", "of-the-database")
    said = " ".join(
        [
            *("correct/horse battery", "correct%2Fhorse%20battery", "of%20the%20broker", "token-of-the-metrics"),
            *("of-the-database", settings.SECRET_KEY, *settings.SECRETS_ENCRYPTION_KEYS),
        ]
    )
    (finding,) = examine([Check("leaks", lambda: [fault(said, said)])], database="")
    assert set(f"{finding.says} {finding.do}".split()) == {"********"}


@pytest.mark.parametrize(
    ("findings", "worst", "code"),
    [
        ([], "ok", 0),
        ([ok("Well.")], "ok", 0),
        ([ok("Well."), unknown("Who knows.")], "unknown", 0),
        ([warning("Odd.", "Look."), unknown("Who knows.")], "warning", 0),
        ([warning("Odd.", "Look."), fault("Bad.", "Mend it."), ok("Well.")], "fault", 1),
    ],
)
def test_a_fault_alone_is_an_exit_status_of_one(findings: list, worst: str, code: int) -> None:
    written: list[str] = []
    assert tell(findings, written.append, as_json=True) == code
    assert json.loads("".join(written))["status"] == worst


def test_a_line_has_the_status_the_check_the_sentence_and_what_to_do() -> None:
    written: list[str] = []
    tell(examine([Check("mail", lambda: [fault("No.", "Mend it.")])], database=""), written.append, as_json=False)
    assert written == ["fault    mail           No. Mend it."]


@pytest.mark.django_db(transaction=True)
def test_the_command_looks_at_all_of_it_and_finds_no_fault_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in Heartbeat.Name:
        beat(name, at_most_every=0)
    monkeypatch.setattr(examination, "SECONDS", 60.0)  # a machine may be busy with other tests
    written = StringIO()
    call_command("doctor", "--json", stdout=written)
    told = json.loads(written.getvalue())
    assert {each["check"] for each in told["checks"]} == {check.name for check in checks.all_checks()}
    assert [each for each in told["checks"] if each["status"] == "fault"] == []
    assert [each for each in told["checks"] if "itself failed" in each["says"]] == []


@pytest.mark.django_db(transaction=True)
def test_the_command_ends_with_one_where_nothing_delivers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "SECONDS", 60.0)
    with pytest.raises(SystemExit) as ended:
        call_command("doctor")
    assert ended.value.code == 1
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("fault")]
    assert [line.split()[1] for line in told] == ["worker", "beat"]


@contextmanager
def silent_server() -> Iterator[int]:
    """A port at which connections are taken, and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        yield int(listener.getsockname()[1])


def doctor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    others = {name: value for name, value in os.environ.items() if name not in {*NAMES, "DJANGO_SETTINGS_MODULE"}}
    return subprocess.run(
        [sys.executable, "manage.py", "doctor", *arguments],
        cwd=ROOT,
        env={**others, **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.mark.slow
def test_where_every_server_is_silent_it_still_says_so_of_each_and_ends(tmp_path: Path) -> None:
    password = "not-to-be-seen-anywhere"
    with silent_server() as database, silent_server() as broker, silent_server() as mail:
        answer = doctor(
            "--json",
            **PRODUCTION,
            DATA_DIR=str(tmp_path),
            DATABASE_URL=f"postgres://tidings:{password}@127.0.0.1:{database}/tidings",
            REDIS_URL=f"redis://:{password}@127.0.0.1:{broker}/0",
            EMAIL_URL=f"smtp://tidings:{password}@127.0.0.1:{mail}",
        )
    assert (answer.returncode, answer.stderr) == (1, "")
    assert password not in answer.stdout
    told = json.loads(answer.stdout)["checks"]
    silent = {"database", "broker", "mail"}
    assert {each["check"] for each in told if each["status"] == "fault"} - {"static files"} == silent
    of_the_database = {check.name for check in checks.all_checks() if check.needs_database}
    assert {each["check"] for each in told if each["status"] == "unknown"} >= of_the_database


@pytest.mark.slow
def test_settings_that_are_refused_are_told_as_a_fault(tmp_path: Path) -> None:
    answer = doctor("--json", **PRODUCTION, DATA_DIR=str(tmp_path), TRUSTED_PROXY_COUNT="some")
    assert (answer.returncode, answer.stderr) == (1, "")
    assert json.loads(answer.stdout) == {
        "status": "fault",
        "checks": [
            {
                "status": "fault",
                "check": "settings",
                "says": "TRUSTED_PROXY_COUNT must be a number, not 'some'.",
                "do": "Until then nothing starts, and nothing else can be seen.",
            }
        ],
    }
    in_lines = doctor(**PRODUCTION, DATA_DIR=str(tmp_path), TRUSTED_PROXY_COUNT="some")
    assert in_lines.returncode == 1
    assert in_lines.stdout.startswith("fault    settings       TRUSTED_PROXY_COUNT must be a number")
