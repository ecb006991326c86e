"""Which answers are compressed: pages, JSON, lists as CSV; neither files nor parts of them, and nothing twice."""

import gzip
import json
import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory
from pytest_django import DjangoDbBlocker

from api.keys import create_key
from benchmarks.pages import administrator
from channels_app.services import create_channel
from config.compression import CompressionMiddleware
from notifications.models import Delivery
from tests.config.serving import Server, collect_static_files, serving
from tests.demo.local.launching import free_port
from tests.notifications.deliveries import make_delivery
from tests.programs import environment_of_programs
from tests.waiting import wait_until

TEXT = "Tidings tells others what happens. " * 40
GZIP = {"Accept-Encoding": "gzip, deflate, br"}


def answer(response: HttpResponseBase, method: str = "GET", accepts: str | None = "gzip") -> Any:
    """What becomes of a response on its way out."""
    headers = {} if accepts is None else {"Accept-Encoding": accepts}
    request = RequestFactory().generic(method, "/", headers=headers)
    return CompressionMiddleware(lambda _request: response)(request)


@pytest.mark.parametrize(
    "content_type",
    ["text/html; charset=utf-8", "application/json", "application/problem+json", "text/csv", "text/plain; version=1"],
)
def test_texts_are_compressed_and_say_so(content_type: str) -> None:
    response = answer(HttpResponse(TEXT, content_type=content_type))
    assert response["Content-Encoding"] == "gzip"
    assert response["Vary"] == "Accept-Encoding"
    assert response["Content-Length"] == str(len(response.content))
    assert len(response.content) < len(TEXT) / 4
    assert gzip.decompress(response.content).decode() == TEXT


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse(TEXT, content_type="image/png"),
        HttpResponse(TEXT, content_type="application/octet-stream"),
        HttpResponse(TEXT[:199]),
        HttpResponse(TEXT, status=206),
        HttpResponse(TEXT, headers={"Content-Range": "bytes 0-9/100"}),
        HttpResponse(TEXT, headers={"Content-Encoding": "br"}),
        FileResponse([TEXT.encode()], content_type="text/css"),
        HttpResponse(status=304),
    ],
    ids=["picture", "bytes", "short", "part", "range", "compressed", "file", "not modified"],
)
def test_what_is_left_as_it_is(response: HttpResponseBase) -> None:
    before = response.headers.get("Content-Encoding")
    assert answer(response).headers.get("Content-Encoding") == before
    assert "Vary" not in response.headers


@pytest.mark.parametrize(
    ("accepts", "is_compressed"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("gzip ; q=0.001", True),
        ("x-gzip", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, br", False),
        ("identity", False),
        ("gzipped", False),
        ("", False),
        (None, False),
    ],
)
def test_the_client_is_asked(accepts: str | None, is_compressed: bool) -> None:
    response = answer(HttpResponse(TEXT), accepts=accepts)
    assert ("Content-Encoding" in response.headers) is is_compressed
    assert response["Vary"] == "Accept-Encoding"  # whatever it was: a cache is to ask again


def test_pages_that_answer_a_form_are_left_since_they_may_show_a_secret() -> None:
    assert "Content-Encoding" not in answer(HttpResponse(TEXT), method="POST").headers
    assert "Content-Encoding" in answer(HttpResponse(TEXT, content_type="application/json"), method="POST").headers


def test_the_same_page_has_another_length_each_time() -> None:
    assert len({len(answer(HttpResponse(TEXT)).content) for _ in range(200)}) > 20


def test_a_strong_tag_becomes_a_weak_one() -> None:
    assert answer(HttpResponse(TEXT, headers={"ETag": '"abc"'}))["ETag"] == 'W/"abc"'


def test_a_stream_is_compressed_as_it_comes() -> None:
    """No more is read ahead than zlib keeps back."""
    read: list[int] = []

    def lines() -> Iterator[bytes]:
        for number in range(1000):
            read.append(number)
            yield os.urandom(1000).hex().encode()

    response = answer(StreamingHttpResponse(lines(), content_type="text/csv"))
    assert response["Content-Encoding"] == "gzip"
    assert "Content-Length" not in response.headers
    decompressor, seen = zlib.decompressobj(16 + zlib.MAX_WBITS), 0
    for piece in response:
        seen += len(decompressor.decompress(piece))
        assert len(read) * 2000 - seen < 200_000
    assert (seen, decompressor.eof) == (2_000_000, True)


@pytest.mark.django_db
def test_a_refusal_under_the_api_that_is_rewritten_is_what_it_says(client: Client) -> None:
    """Django's own page for an unknown path is replaced by a problem."""
    key = {"Authorization": f"Bearer {create_key(name='Shop', scopes=['storefront'])[1]}"}
    response = client.get("/api/v1/nothing/" + "x" * 300, headers={**GZIP, **key})
    assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")
    content = response.content
    assert int(response["Content-Length"]) == len(content)
    if response.headers.get("Content-Encoding") == "gzip":
        content = gzip.decompress(content)
    assert json.loads(content)["status"] == 404


@pytest.mark.django_db
def test_pages_lists_and_documents_are_compressed() -> None:
    client = administrator()
    channel = create_channel(name="Warehouse", kind="postback", url="https://example.com/")
    for _ in range(20):
        make_delivery(channel)
    for path in ("/admin/", "/admin/orders/order/", "/api/v1/openapi.json", "/api/v1/docs", "/metrics"):
        response = client.get(path, headers=GZIP, REMOTE_ADDR="127.0.0.1", follow=True)
        plain = client.get(path, follow=True)
        assert (response.status_code, response["Content-Encoding"]) == (200, "gzip"), path
        assert "Accept-Encoding" in response["Vary"]
        assert len(gzip.decompress(response.content)) > 1.5 * len(response.content)
        assert "Content-Encoding" not in plain.headers
        assert "Accept-Encoding" in plain["Vary"]
    export = client.get("/admin/notifications/delivery/csv/", headers=GZIP)
    assert export["Content-Encoding"] == "gzip"
    lines = gzip.decompress(b"".join(export)).decode().splitlines()
    assert len(lines) == 1 + Delivery.objects.count() == 21


@pytest.fixture(scope="module")
def with_files(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Server]:
    """The web process with its static files."""
    with environment_of_programs(django_db_blocker, "the server that compresses") as environment:
        collect_static_files(environment)
        with serving(environment) as server:
            yield server


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_over_the_wire_a_page_is_compressed_and_a_part_of_a_file_is_a_part_of_it(with_files: Server) -> None:
    status, headers, content = with_files.request("GET", "/admin/login/", headers=GZIP)
    assert (status, headers["Content-Encoding"], headers["Content-Length"]) == (200, "gzip", str(len(content)))
    page = gzip.decompress(content).decode()
    status, headers, content = with_files.request("HEAD", "/admin/login/", headers=GZIP)
    assert (status, content) == (200, b"")

    style = min(re.findall(r'href="(/static/[^"]+\.css)"', page))
    plain = with_files.request("GET", style)[2]
    status, headers, content = with_files.request("GET", style, headers=GZIP)
    assert (headers["Content-Encoding"], gzip.decompress(content)) == ("gzip", plain)
    # What is sent of a part is a part of what is sent of the whole.
    whole = content
    status, headers, content = with_files.request("GET", style, headers={**GZIP, "Range": "bytes=10-29"})
    assert (status, headers["Content-Range"]) == (206, f"bytes 10-29/{len(whole)}")
    assert content == whole[10:30]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_nginx_that_compresses_too_does_not_do_it_twice(with_files: Server, tmp_path: Path) -> None:
    nginx = shutil.which("nginx")
    if nginx is None:
        pytest.skip("nginx is not installed (apt-get install nginx).")
    port = free_port()
    kept = "".join(
        f"{kind}_temp_path {tmp_path}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.getuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(
        f"{user} daemon off; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {kept} gzip on; gzip_types *; gzip_proxied any; gzip_min_length 1; server {{\n"
        f"listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{with_files.port}; }} }} }}\n"
    )
    with subprocess.Popen([nginx, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-e", "stderr"]) as process:
        proxy = Server(None, port)  # type: ignore[arg-type]
        try:
            wait_until(lambda: _is_up(proxy))
            for path, begins in (("/admin/login/", b"<!DOCTYPE html>"), ("/api/v1/openapi.json", b"{")):
                status, headers, content = proxy.request("GET", path, headers=GZIP)
                assert (status, headers["Content-Encoding"]) == (200, "gzip")
                assert gzip.decompress(content).lstrip().startswith(begins)
        finally:
            process.terminate()


def _is_up(server: Server) -> bool:
    try:
        return server.request("GET", "/healthz")[0] == 200
    except OSError:
        return False
