"""What the doctor says of mode, address and proxies, by the settings as an operator gives them."""

from pathlib import Path

import pytest
from django.core import checks
from pytest_django import Settings

from tests.api.test_settings import PRODUCTION, load
from tests.config.doctor.looking import Line, look

_READ = ("DEBUG", "DEMO", "PUBLIC_URL", "ALLOWED_HOSTS", "TRUSTED_PROXY_COUNT")


@pytest.fixture
def given(settings: Settings, tmp_path: Path):
    """`given("address", PUBLIC_URL=...)`: what is found with these variables in production."""

    def look_with(check: str, **environment: str) -> list[Line]:
        loaded = load(tmp_path, **{**PRODUCTION, **environment})
        for name in _READ:
            setattr(settings, name, loaded[name])
        return look(check)

    return look_with


@pytest.mark.parametrize(
    ("environment", "status", "begins"),
    [
        ({}, "ok", "Production."),
        ({"DEBUG": "1"}, "warning", "DEBUG is on"),
        ({"DEBUG": "1", "PUBLIC_URL": "http://localhost:8000"}, "warning", "DEBUG is on"),
        ({"DEBUG": "1", "PUBLIC_URL": "https://notify.example.com"}, "fault", "DEBUG is on"),
        ({"DEMO": "1"}, "ok", "DEMO is on, and nobody"),
        ({"DEMO": "1", "PUBLIC_URL": "http://127.0.0.1:8000"}, "ok", "DEMO is on, and nobody"),
        ({"DEMO": "1", "PUBLIC_URL": "https://notify.example.com"}, "fault", "DEMO is on, with a login"),
    ],
)
def test_debug_and_demo_are_faults_where_others_come_in(environment, status, begins, given) -> None:
    ((found, says, _),) = given("mode", **environment)
    assert (found, says[: len(begins)]) == (status, begins)


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"PUBLIC_URL": "https://notify.example.com"}, [("ok", "People come to https://notify.example.com")]),
        ({}, [("warning", "PUBLIC_URL is not set")]),
        (
            {"PUBLIC_URL": "https://notify.example.com", "ALLOWED_HOSTS": "localhost"},
            [("fault", "ALLOWED_HOSTS lacks notify.example.com")],
        ),
        (
            {"PUBLIC_URL": "https://notify.example.com", "ALLOWED_HOSTS": ".example.com"},
            [("ok", "People come to https://notify.example.com")],
        ),
        ({"PUBLIC_URL": "http://notify.example.com"}, [("warning", "PUBLIC_URL is not https")]),
        ({"PUBLIC_URL": "http://127.0.0.1:8000"}, [("ok", "People come to http://127.0.0.1:8000")]),
        (
            {"PUBLIC_URL": "http://notify.example.com", "ALLOWED_HOSTS": "*"},
            [("warning", "PUBLIC_URL is not https"), ("warning", "ALLOWED_HOSTS takes any")],
        ),
    ],
)
def test_address_and_hosts_go_together(environment, told, given) -> None:
    found = given("address", **environment)
    assert [(status, says[: len(begins)]) for (status, says, _), (_, begins) in zip(found, told, strict=True)] == told


@pytest.mark.parametrize(
    ("environment", "status", "begins"),
    [
        ({}, "ok", "None is trusted"),
        ({"PUBLIC_URL": "https://notify.example.com"}, "warning", "PUBLIC_URL is https, so a proxy"),
        ({"PUBLIC_URL": "https://notify.example.com", "TRUSTED_PROXY_COUNT": "2"}, "unknown", "2 trusted."),
        ({"PUBLIC_URL": "http://notify.example.com", "TRUSTED_PROXY_COUNT": "1"}, "warning", "TRUSTED_PROXY_COUNT is"),
        ({"TRUSTED_PROXY_COUNT": "1"}, "warning", "TRUSTED_PROXY_COUNT is"),
    ],
)
def test_proxies_go_with_the_address(environment, status, begins, given) -> None:
    ((found, says, _),) = given("proxies", **environment)
    assert (found, says[: len(begins)]) == (status, begins)


def test_what_system_checks_say_is_told_but_for_mail_which_has_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    assert look("settings") == [("ok", "manage.py check has nothing to say.", "")]
    said = [
        checks.Warning("Odd.", hint="Look.", id="tests.W001"),
        checks.Error("Bad.", id="tests.E001"),
        checks.Warning("Mail.", id="channels_app.W001"),
        checks.Warning("Silenced.", id="tests.W002"),
    ]
    settings.SILENCED_SYSTEM_CHECKS = ["tests.W002"]
    monkeypatch.setattr(checks, "run_checks", lambda **_: said)
    assert look("settings") == [("warning", "Odd. (tests.W001)", "Look."), ("fault", "Bad. (tests.E001)", "")]
