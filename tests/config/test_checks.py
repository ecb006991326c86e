"""What `manage.py check --deploy` says of an installation."""

import pytest
from django.core.checks import Tags, run_checks
from django.test import override_settings

WELL = {
    "PUBLIC_URL": "https://notify.example.com",
    "TRUSTED_PROXY_COUNT": 1,
    "SECRET_KEY": "a key of this installation alone, with more than fifty characters in it",
    "DEBUG": False,
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
    "SECURE_HSTS_SECONDS": 3600,
}


def warnings(**settings: object) -> set[str]:
    with override_settings(**{**WELL, **settings}):
        found = run_checks(tags=[Tags.security], include_deployment_checks=True)
    return {str(each.id) for each in found if not each.is_silenced()}


def test_nothing_is_said_of_a_well_kept_installation() -> None:
    assert warnings() == set()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"PUBLIC_URL": ""}, "config.W001"),
        ({"TRUSTED_PROXY_COUNT": 0}, "config.W002"),
        ({"SECURE_HSTS_SECONDS": 0}, "security.W004"),
        ({"SECRET_KEY": "short"}, "security.W009"),
        ({"SESSION_COOKIE_SECURE": False}, "security.W012"),
        ({"CSRF_COOKIE_SECURE": False}, "security.W016"),
        ({"DEBUG": True}, "security.W018"),
    ],
)
def test_what_is_amiss_is_said(settings: dict[str, object], said: str) -> None:
    assert warnings(**settings) == {said}


def test_http_without_a_proxy_needs_no_count() -> None:
    assert warnings(PUBLIC_URL="http://notify.example.com", TRUSTED_PROXY_COUNT=0) == set()
