import gzip
import json
from io import BytesIO
from typing import Any

import pytest
from django.test import Client, RequestFactory

from tests.api.problems import assert_fields, assert_problem
from tests.calling import Caller

NOTHING = "There is nothing here."
LIMIT = 256 * 1024


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["", "/", "/nowhere", "/orders/", "/orders/1001/", "/orders/1001/nothing", "/docs/"])
@pytest.mark.parametrize("debug", [False, True])
def test_an_unknown_path_is_404(stranger: Caller, settings: Any, method: str, path: str, debug: bool) -> None:
    settings.DEBUG = debug
    assert_problem(stranger(method, path), 404, NOTHING)


def test_paths_outside_of_the_api_are_left_alone(stranger: Caller) -> None:
    for path in ("/api/v10/nowhere", "/nowhere"):
        response = stranger.client.get(path)
        assert response.status_code == 404
        assert response["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/products", ""])
def test_no_answer_is_kept_by_caches(stranger: Caller, path: str) -> None:
    assert stranger("GET", path)["Cache-Control"] == "no-store"


def test_a_host_that_is_not_served_is_told_so_and_not_kept(stranger: Caller) -> None:
    response = stranger("GET", "/products", headers={"Host": "elsewhere.example"})
    assert (response.status_code, response["Cache-Control"]) == (400, "no-store")


def test_an_unknown_or_malformed_id_is_404(call: Caller) -> None:
    for path in ("/orders/9", "/orders/a%00b", "/orders/a%0Ab", "/keys/999", "/keys/abc", f"/keys/{'9' * 30}"):
        assert_problem(call("GET", path), 404, NOTHING)


def test_another_method_is_405_and_says_which_are_allowed(stranger: Caller) -> None:
    response = stranger("DELETE", "/orders/1001")
    assert_problem(response, 405, "This path does not take the method DELETE.")
    assert response["Allow"] == "GET, HEAD, OPTIONS"

    assert stranger("GET", "/orders/1001/thank-you")["Allow"] == "OPTIONS, POST"
    assert_problem(stranger("POST", "/openapi.json"), 405, "This path does not take the method POST.")


def test_options_answers_what_is_allowed(stranger: Caller) -> None:
    response = stranger("OPTIONS", "/orders")

    assert (response.status_code, response.content) == (204, b"")
    assert response["Allow"] == "OPTIONS, POST"
    assert "Content-Type" not in response
    assert "Content-Length" not in response


def test_head_is_get_without_the_body(call: Caller) -> None:
    got, headed = call("GET", "/orders/1001"), call("HEAD", "/orders/1001")

    assert (headed.status_code, headed.content) == (200, b"")
    assert headed["Content-Length"] == str(len(got.content))
    missing = call("HEAD", "/nowhere")
    assert (missing.status_code, missing.content) == (404, b"")
    assert missing["Content-Type"] == "application/problem+json"


def test_a_host_that_is_not_ours_is_400(stranger: Caller) -> None:
    response = stranger("GET", "/orders/1001", headers={"Host": "evil.example"})

    assert_problem(response, 400, "The request cannot be read.")


def test_too_many_parameters_are_400(call: Caller) -> None:
    assert_problem(call("GET", "/keys?" + "&".join(["a=b"] * 1001)), 400, "The request cannot be read.")


@pytest.mark.parametrize(
    ("how", "status", "detail"),
    [
        ("order", 409, "This order is refunded."),
        ("delivery", 409, "This delivery is in flight."),
        ("busy", 429, "Later."),
        ("bug", 500, "Something went wrong on our side. It has been recorded."),
    ],
)
def test_what_a_room_raises_becomes_a_problem(call: Caller, how: str, status: int, detail: str) -> None:
    assert_problem(call("POST", f"/refuse/{how}"), status, detail)


def test_a_rule_of_a_service_names_its_fields(call: Caller) -> None:
    response = call("PUT", "/orders/1001/tracking")

    assert response.status_code == 422
    assert json.loads(response.content)["errors"] == [
        {"field": "items[0].sku", "message": "There is no such product."},
        {"field": "items[0].sku", "message": "It is gone."},
        {"field": "", "message": "Not so."},
    ]
    assert_fields(call("POST", "/refuse/sentence"), {"": "Not so."})


@pytest.mark.parametrize("debug", [False, True])
def test_our_own_bug_is_logged_and_not_told(call: Caller, settings: Any, caplog: Any, debug: bool) -> None:
    settings.DEBUG = debug
    response = call("POST", "/refuse/bug")

    assert_problem(response, 500, "Something went wrong on our side. It has been recorded.")
    [record] = [record for record in caplog.records if record.name == "django.request" and record.exc_info]
    assert "swordfish" in str(record.exc_info[1])


def test_a_body_of_the_limit_is_read_and_one_byte_more_is_not(call: Caller) -> None:
    order = {"source": "shop", "items": [{"sku": "A", "quantity": 1}]}
    content = json.dumps(order).encode()
    fits = content + b" " * (LIMIT - len(content))

    assert call("POST", "/orders", fits).status_code == 201
    assert_problem(call("POST", "/orders", fits + b" "), 413, f"A body has at most {LIMIT} bytes.")


def test_a_body_that_is_too_large_is_not_read(stranger: Caller) -> None:
    class Unread(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise AssertionError("the body was read")

        readline = read

    for method, path in (("POST", "/orders"), ("DELETE", "/nowhere")):
        response = stranger(method, path, **{"wsgi.input": Unread(), "CONTENT_LENGTH": str(10**9)})  # type: ignore[arg-type]
        assert_problem(response, 413, f"A body has at most {LIMIT} bytes.")


def test_a_length_that_is_not_a_number_is_400(stranger: Caller) -> None:
    for length in ("-1", "x", "1,1", "٣"):
        response = stranger("POST", "/orders", CONTENT_LENGTH=length)
        assert_problem(response, 400, "Content-Length is not a number.")


ORDER = {"source": "shop", "items": [{"sku": "A", "quantity": 1}]}


def chunked(body: Any) -> dict[str, Any]:
    """As a server hands over a body that came in chunks: without a length, and ending where it ends."""
    return {
        "headers": {"Transfer-Encoding": "chunked"},
        "wsgi.input": body if isinstance(body, BytesIO) else BytesIO(body),
        "wsgi.input_terminated": True,
        "CONTENT_LENGTH": "",
        "CONTENT_TYPE": "application/json",
    }


def test_chunks_are_read_up_to_the_limit(call: Caller) -> None:
    content = json.dumps(ORDER).encode()
    fits = content + b" " * (LIMIT - len(content))

    assert call("POST", "/orders", **chunked(content)).status_code == 201
    assert call("POST", "/orders", **chunked(fits)).status_code == 201
    for rest in (b" ", b" " * 10**6):
        body = BytesIO(fits + rest)
        assert_problem(call("POST", "/orders", **chunked(body)), 413, f"A body has at most {LIMIT} bytes.")
        assert body.tell() == LIMIT + 1
    assert_problem(call("POST", "/orders", **chunked(b"{")), 400, "The body is not JSON: line 1, column 2.")
    assert_problem(
        call("POST", "/orders", **{**chunked(content), "CONTENT_TYPE": "text/plain"}),
        415,
        "The body must be of Content-Type application/json.",
    )
    # An empty body is none, and a repetition under a key is known by its body.
    assert_fields(call("POST", "/orders", **chunked(b"")), {"": "A JSON body is required."})
    first, again = (call("POST", "/orders", **{**chunked(content), "HTTP_IDEMPOTENCY_KEY": "chunks"}) for _ in range(2))
    assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")


def test_chunks_that_break_off_are_400(call: Caller) -> None:
    class Broken(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise RuntimeError("Invalid chunk size")

    assert_problem(call("POST", "/orders", **chunked(Broken())), 400, "The request cannot be read.")


def test_what_is_encoded_otherwise_is_refused(call: Caller) -> None:
    unknown_end = {**chunked(b"{}"), "wsgi.input_terminated": False}
    detail = "The server in front of this one does not tell where chunks end: send a Content-Length."
    assert_problem(call("POST", "/orders", **unknown_end), 411, detail)
    both = {**chunked(b"{}"), "headers": {"Transfer-Encoding": "gzip, chunked"}}
    detail = "The body must be sent without a Transfer-Encoding but chunked."
    assert_problem(call("POST", "/orders", **both), 415, detail)
    for encoding in ("gzip", "br", "x-own, deflate"):
        response = call("POST", "/orders", gzip.compress(b"{}"), headers={"Content-Encoding": encoding})
        assert_problem(response, 415, "The body must be sent without a Content-Encoding.")
        assert response["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/orders"), ("PUT", "/orders/1/tracking")])
def test_a_body_that_is_not_json_is_415(call: Caller, method: str, path: str, content_type: str) -> None:
    response = call(method, path, b"{}", content_type)

    assert_problem(response, 415, "The body must be of Content-Type application/json.")


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=utf-8", 'application/json;charset="UTF-8"; profile=x'],
)
def test_json_may_have_parameters(call: Caller, content_type: str) -> None:
    order = {"source": "shop", "items": [{"sku": "é", "quantity": 1}]}
    response = call("POST", "/orders", json.dumps(order, ensure_ascii=False).encode(), content_type)

    assert response.status_code == 201
    assert json.loads(response.content)["items"][0]["sku"] == "é"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/openapi.json", "200 OK"), ("POST", "/orders", "401 Unauthorized")]
)
def test_a_charset_means_nothing_to_json(throwaway: None, method: str, path: str, status: str) -> None:
    """Through the server's door, since Django reads the charset before any middleware."""
    from config.wsgi import application  # here, since it looks for the static files that a fixture replaces

    for parameter in ("charset=rot13", "charset=utf-16", "charset*=nonsense''x", "charset"):
        request = RequestFactory().generic(method, f"/api/v1{path}?name=%C3%A9", b"{}", "application/json")
        environ = {**request.environ, "CONTENT_TYPE": f"application/json; {parameter}"}
        statuses: list[str] = []

        answer = b"".join(application(environ, lambda status, headers, heard=statuses: heard.append(status)))

        assert statuses == [status], (parameter, answer)


def test_a_post_without_a_body_needs_no_content_type(call: Caller) -> None:
    for content_type in ("", "application/x-www-form-urlencoded", "application/json"):
        response = call("POST", "/orders/1001/thank-you", b"", content_type)
        assert (response.status_code, json.loads(response.content)) == (200, {"number": "1001"})


def test_a_body_may_be_optional(call: Caller) -> None:
    assert json.loads(call("POST", "/channels/chn_1/pause").content) == {"reason": None}
    assert json.loads(call("POST", "/channels/chn_1/pause", {"reason": " Rest "}).content) == {"reason": "Rest"}
    assert_fields(call("POST", "/channels/chn_1/pause", {}), {"reason": "This member is required."})
    assert_problem(call("POST", "/channels/chn_1/pause", b" "), 400, "The body is not JSON: line 1, column 2.")


def test_a_cookie_opens_nothing_and_is_not_asked_for_a_token(throwaway: None) -> None:
    """The API takes no cookies, so it needs no CSRF token: an unknown path is 404 there too, not 403."""
    client = Client(enforce_csrf_checks=True)

    assert_problem(client.post("/api/v1/", b"{}", "application/json"), 404, NOTHING)  # type: ignore[arg-type]
    assert client.post("/api/v1/orders", b"{}", "application/json").status_code == 401


def test_times_and_money_have_one_form(call: Caller) -> None:
    assert json.loads(call("GET", "/orders/1001").content) == {
        "total": "100.00",
        "created_at": "2026-11-23T17:00:00.000000Z",
        "completed_at": None,
    }
