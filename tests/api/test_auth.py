import logging
from typing import Any

import pytest

from api.keys import create_key, revoke_key
from tests.api.problems import assert_problem
from tests.calling import Caller

REQUIRED = "An API key is required: Authorization: Bearer KEY."
UNKNOWN = "This API key is unknown or revoked."


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}, {"Authorization": "Basic dTpw"}])
def test_without_a_key_the_answer_is_401_with_a_challenge(stranger: Caller, headers: dict[str, str]) -> None:
    response = stranger("GET", "/orders/1001", headers=headers)

    assert_problem(response, 401, REQUIRED)
    assert response["WWW-Authenticate"] == 'Bearer realm="Tidings"'


@pytest.mark.parametrize("credentials", ["Bearer", "Bearer nonsense", "bearer tidings_x y", "Bearer é"])
def test_an_unknown_key_is_an_invalid_token(call: Caller, credentials: str) -> None:
    response = call("GET", "/orders/1001", headers={"Authorization": credentials})

    assert_problem(response, 401, UNKNOWN)
    assert response["WWW-Authenticate"] == 'Bearer realm="Tidings", error="invalid_token"'


def test_a_revoked_key_is_an_invalid_token(call: Caller) -> None:
    record, key = create_key(name="Old", scopes=["storefront"])
    old = Caller(key)
    assert old("GET", "/orders/1001").status_code == 200

    revoke_key(record)

    assert_problem(old("GET", "/orders/1001"), 401, UNKNOWN)


def test_a_key_without_the_scope_is_403(call: Caller) -> None:
    shop = Caller(create_key(name="Shop", scopes=["storefront"])[1])
    script = Caller(create_key(name="Script", scopes=["manage"])[1])

    refused = shop("GET", "/event-types")
    assert_problem(refused, 403, "This API key lacks the scope manage.")
    assert refused["WWW-Authenticate"] == 'Bearer realm="Tidings", error="insufficient_scope", scope="manage"'
    assert_problem(script("GET", "/orders/1001"), 403, "This API key lacks the scope storefront.")
    assert shop("GET", "/orders/1001").status_code == 200
    assert script("GET", "/event-types").status_code == 200


def test_the_scheme_is_read_without_case(call: Caller) -> None:
    assert call("GET", "/orders/1001", headers={"Authorization": f"bEARER  {call.key} "}).status_code == 200


@pytest.mark.django_db
def test_the_key_is_checked_before_the_body(stranger: Caller) -> None:
    assert_problem(stranger("POST", "/orders", b"{nonsense"), 401, REQUIRED)


def test_credentials_are_never_logged(stranger: Caller, settings: Any, caplog: Any) -> None:
    settings.DEBUG = True
    with caplog.at_level(logging.DEBUG):
        stranger("GET", "/orders/1001", headers={"Authorization": "Token swordfish"})

    assert "swordfish" not in caplog.text
