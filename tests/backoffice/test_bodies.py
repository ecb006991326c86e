"""Whatever a request says of its body, and however long it is: a refusal, never an error of ours, and nothing kept."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from config.content_type import readable
from config.web.limits import LONGEST_BODY

NO_CHARSETS = [
    *("rot13", "hex", "base64", "zip", "idna", "punycode", "undefined", "unicode_escape", "utf-7", "utf-16", "utf-32"),
    *("", '""', "nonsense", "../x", "é", "\0", "a" * 5000, '"rot13"', "ROT13", "mbcs"),
]
PARAMETERS = [
    *(f"charset={name}" for name in NO_CHARSETS),
    *(
        "charset",
        "charset*=nonsense''x",
        "charset*=idna''%ff",
        "q*=nonsense''x",
        "q*=idna''%ff",
        "=",
        ";;;",
        "a=b;charset=hex",
    ),
]
PATHS = [
    *("/", "/admin/", "/admin/login/", "/admin/password_reset/", "/admin/nowhere/", "/nowhere/", "/static/nothing.css"),
    *("/healthz", "/healthz/deliveries", "/readyz", "/metrics", "/demo/receiver/", "/favicon.ico"),
    *("/api/v1/contacts", "/api/v1/nowhere", "/api/v1/openapi.json", "/api/v1/docs", "/api/v2/contacts"),
]


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
def test_a_charset_that_is_none_is_no_error_of_ours(client: Client, path: str) -> None:
    for media_type in ("text/html", "application/x-www-form-urlencoded", "multipart/form-data", "application/json"):
        for method in ("GET", "POST"):
            plain = client.generic(method, f"{path}?next=%C3%A9", b"username=%C3%A9", media_type)
            for parameter in PARAMETERS:
                content_type = f"{media_type}; {parameter}"
                said = client.generic(method, f"{path}?next=%C3%A9", b"username=%C3%A9", content_type)
                assert said.status_code < 500 or said.status_code == plain.status_code == 503
                assert said.status_code == plain.status_code, (method, content_type)


@pytest.mark.django_db
def test_a_form_in_another_charset_is_refused_and_in_none_read_as_utf_8(client: Client) -> None:
    User.objects.create_superuser("zoë", password="swordfish")
    for charset, status in (("utf-8", 302), ("rot13", 302), ('"utf-16"', 302), ("iso-8859-1", 400)):
        content_type = f"application/x-www-form-urlencoded; charset={charset}"
        form = b"username=zo%C3%AB&password=swordfish"
        answer = client.generic("POST", reverse("admin:login"), form, content_type)
        assert answer.status_code == status, charset


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("text/html", "text/html"),
        ("text/html; charset=utf-8", "text/html"),
        ("text/html;charset=ISO-8859-15 ; a=b", "text/html; charset=ISO-8859-15"),
        ("text/html; charset=iso-8859-99", "text/html"),
        ('multipart/form-data; charset=rot13; boundary="a;b c"', 'multipart/form-data; boundary="a;b c"'),
        ("Multipart/Form-Data;boundary=abc;x*=idna''%ff", "Multipart/Form-Data; boundary=abc"),
        ("text/html; boundary=abc", "text/html"),
    ],
)
def test_what_is_kept_of_a_content_type(said: str, kept: str) -> None:
    assert readable(said, "/admin/") == kept


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Callable[[], list[str]]:
    """What was written where temporary files go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    return lambda: [path.name for path in tmp_path.iterdir()]


@pytest.mark.django_db
@pytest.mark.parametrize("size", [0, 1, 100_000, LONGEST_BODY - 10_000])
def test_a_file_is_refused_and_not_kept(client: Client, files: Callable[[], list[str]], size: int) -> None:
    User.objects.create_superuser("ada", password="swordfish")
    file = SimpleUploadedFile("a.png", b"a" * size)
    for path in (reverse("admin:login"), reverse("admin:password_reset")):
        answer = client.post(path, {"username": "ada", "password": "swordfish", "email": "a@example.com", "file": file})
        assert answer.status_code == 400
        assert "<h1>Files are not taken</h1>" in answer.content.decode()
    assert "sessionid" not in client.cookies
    assert files() == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content_type", "body", "title"),
    [
        ("multipart/form-data", b"a", "The form cannot be read"),
        ("multipart/form-data; boundary=", b"a", "The form cannot be read"),
        ("application/x-www-form-urlencoded", b"&".join(b"%x=1" % n for n in range(1500)), "The form cannot be read"),
        ("application/x-www-form-urlencoded", b"a=" + b"b" * (LONGEST_BODY - 1), "This is too much at once"),
        ("multipart/form-data; boundary=abc", b"b" * (LONGEST_BODY + 1), "This is too much at once"),
        ("application/octet-stream", b"b" * (LONGEST_BODY + 1), "This is too much at once"),
    ],
)
def test_a_form_that_cannot_be_taken_says_so(client: Client, content_type: str, body: bytes, title: str) -> None:
    for path in ("/admin/login/", "/admin/password_reset/"):
        answer = client.post(path, body, content_type=content_type)
        assert answer.status_code == (413 if "much" in title else 400)
        assert f"<h1>{title}</h1>" in answer.content.decode()


@pytest.mark.django_db
def test_every_path_is_bounded(client: Client) -> None:
    for path in PATHS:
        answer = client.post(path, b"b" * (LONGEST_BODY + 1), content_type="text/plain")
        assert answer.status_code == 413, path


@pytest.mark.django_db
def test_a_body_as_long_as_it_may_be_is_read(client: Client) -> None:
    body = b"username=ada&password="
    answer = client.post(
        "/admin/login/", body + b"b" * (LONGEST_BODY - len(body)), content_type="application/x-www-form-urlencoded"
    )
    assert answer.status_code == 200
    assert "Please enter the correct username and password" in answer.content.decode()


@pytest.mark.parametrize("length", ["-1", "abc", "1e9", "9" * 30, "²", ""])
@pytest.mark.django_db
def test_a_length_that_is_none_is_no_error_of_ours(client: Client, length: str) -> None:
    answer = client.post("/admin/login/", b"a=b", content_type="text/plain", CONTENT_LENGTH=length)
    assert answer.status_code in {200, 400, 413}
