"""`PUBLIC_URL=https://host/tidings`: everything is below that path, whether the proxy in front cuts it or not."""

import http.client
import json
import re
import threading
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse, set_script_prefix
from pytest_django import DjangoDbBlocker, Settings

from api.keys import create_key
from backoffice.accounts.reset_mail import ResetMail
from benchmarks.fill import fill
from benchmarks.pages import administrator
from channels_app.models import Channel
from channels_app.services import create_channel
from config import sub_path
from demo.channels import point_channels_here
from notifications.public_links import bare, public_link
from tests.api.test_settings import PRODUCTION, load
from tests.browser.pages import PUBLIC, find_pages
from tests.config.serving import Server, collect_static_files, serving
from tests.programs import environment_of_programs

BELOW = "/tidings"
PUBLIC_URL = f"https://localhost{BELOW}"
# As the proxy sends it.
PROXIED = {"Host": "localhost", "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}
# The proxy passes the path on as it is, or without what is before Tidings.
either_proxy = pytest.mark.parametrize("cut", [False, True], ids=["path kept", "path cut"])


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://host", ""),
        ("https://host/tidings", "/tidings"),
        ("https://host/tidings/", "/tidings"),
        ("https://host/a/b_c/d-1.2~", "/a/b_c/d-1.2~"),
        ("https://host/apiary", "/apiary"),
        ("https://host/shop/admin", "/shop/admin"),
    ],
)
def test_paths_that_can_be_used(url: str, expected: str, tmp_path: Path) -> None:
    loaded = load(tmp_path, **PRODUCTION, PUBLIC_URL=url)
    assert (loaded["SUB_PATH"], loaded["FORCE_SCRIPT_NAME"]) == (expected, expected or None)
    assert loaded["STATIC_URL"] == f"{expected}/static/"
    assert loaded["PUBLIC_URL"] == url.rstrip("/")
    assert loaded["CSRF_TRUSTED_ORIGINS"] == ["https://host"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://host/tidings?a=b", "nothing can come after"),
        ("https://host/tidings#top", "nothing can come after"),
        ("https://host//tidings", "takes letters"),
        ("https://host/a/../b", "takes letters"),
        ("https://host/a%2Fb", "takes letters"),
        ("https://host/ключ", "takes letters"),
        ("https://host/a b", "takes letters"),
        *((f"https://host/{ours}", "take another path") for ours in sub_path._OURS),
        ("https://host/api/v1", "take another path"),
    ],
)
def test_paths_that_cannot_are_refused_at_start(url: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^PUBLIC_URL .*{why}"):
        load(tmp_path, **PRODUCTION, PUBLIC_URL=url)


def test_whatever_is_mounted_at_the_top_is_refused_as_a_sub_path() -> None:
    from config.urls import build_urls

    mounted = {str(pattern.pattern).split("/")[0] for pattern in build_urls(demo=True)} | {"static"}
    assert mounted - {""} == set(sub_path._OURS)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/tidings/admin/", "/admin/"),
        ("/admin/", "/admin/"),
        ("/tidings/", "/"),
        ("/tidings", "/"),
        ("/tidingsx/admin/", "/tidingsx/admin/"),
        ("/x/tidings/admin/", "/x/tidings/admin/"),
        ("/tidings/tidings/", "/tidings/"),
    ],
)
def test_the_path_is_cut_once_and_only_where_it_is_one(path: str, expected: str, settings: Settings) -> None:
    settings.SUB_PATH = BELOW
    assert sub_path.without(path) == expected
    settings.SUB_PATH = ""
    assert sub_path.without(path) == path


@pytest.fixture
def below(settings: Settings) -> Iterator[None]:
    """This process as one that serves below the path."""
    settings.SUB_PATH = settings.FORCE_SCRIPT_NAME = BELOW
    settings.PUBLIC_URL = PUBLIC_URL
    set_script_prefix(f"{BELOW}/")
    yield
    set_script_prefix("/")


def in_another_thread(call: Any) -> Any:
    """What `call` returns in a thread that Django has told of no path, as those of a worker."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found[0]


def test_links_in_messages_are_the_same_from_every_thread(below: None) -> None:
    def link() -> str:
        return public_link(reverse("admin:index"))

    assert link() == in_another_thread(link) == f"{PUBLIC_URL}/admin/"
    assert bare("/tidingsx/") == "/tidingsx/"


@pytest.mark.django_db
def test_the_link_of_a_password_reset_leads_there(below: None, mailoutbox: list[Any]) -> None:
    User.objects.create_user("ada", "ada@example.com", "a-password-of-ada")
    assert ResetMail({"email": "ada@example.com"}).send()
    (link,) = re.findall(r"https://\S+", mailoutbox[0].body)
    assert re.fullmatch(rf"{PUBLIC_URL}/admin/password_reset/\w+/[\w-]+/", link)


@pytest.mark.django_db
def test_the_demos_channels_follow_the_path(below: None, settings: Settings) -> None:
    path = "/demo/receiver/warehouse/"
    channel = create_channel(name="Warehouse", kind="postback", url=f"http://127.0.0.1:8000{path}")
    other = create_channel(name="Other", kind="postback", url="http://127.0.0.1:9000/hook/")
    for public_url in ("http://127.0.0.1:8001/tidings", "http://127.0.0.1:8001/elsewhere", "http://127.0.0.1:8002"):
        settings.PUBLIC_URL = public_url
        assert (point_channels_here(), point_channels_here()) == (1, 0)
        assert Channel.objects.get(pk=channel.pk).readable_url == f"{public_url}{path}"
    assert Channel.objects.get(pk=other.pk).readable_url == "http://127.0.0.1:9000/hook/"


class Browser:
    """Asks as a browser does that has come in by the proxy; `cut` as above."""

    def __init__(self, server: Server, *, cut: bool) -> None:
        self._server = server
        self._cut = cut
        self.cookies: dict[str, str] = {}

    def __call__(
        self, method: str, url: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], str]:
        assert url.startswith(f"{BELOW}/"), f"{url} leads outside"
        path = url[len(BELOW) :] if self._cut else url
        sent = {**PROXIED, "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            sent |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://localhost"}
        client = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=30)
        try:
            client.request(method, path, urlencode(form) if form is not None else None, {**sent, **(headers or {})})
            answer = client.getresponse()
            content = answer.read().decode()
        finally:
            client.close()
        for header in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(header).items():
                assert morsel["path"] == BELOW, header
                assert morsel["secure"], header
                self.cookies[name] = morsel.value
        return answer.status, dict(answer.headers), content


@pytest.fixture(scope="module")
def below_a_path(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Server]:
    with environment_of_programs(django_db_blocker, "the server below a path") as environment:
        settings = {**environment, "PUBLIC_URL": PUBLIC_URL, "TRUSTED_PROXY_COUNT": "1"}
        collect_static_files(settings)
        with serving(settings) as server:
            yield server


@pytest.fixture
def filled(transactional_db: None) -> Browser:
    """Somebody who is logged in where there is something to see; the server is to be set."""
    fill(200)
    create_key(name="Shop", scopes=["storefront"])
    client = administrator()
    browser = Browser(Server(None, 0), cut=False)  # type: ignore[arg-type]
    browser.cookies["tidings_session"] = client.session.session_key or ""
    return browser


class _Attributes(HTMLParser):
    """All values of attributes of a page, and what stands in its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.values: list[str] = []
        self._in_script = False
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.values += [value for _, value in attributes if value]
        self._in_script = tag == "script"

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.values.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False


# An address of ours within an attribute: at its beginning, in a list of words, quoted in an expression, with our host.
_ADDRESS = re.compile(r"""(?:^|[\s"'`(=])(?:https?://localhost(?::\d+)?)?(/(?:[a-z_.]+)?(?:/[^\s"'`)]*)?)""")
_TOP = re.compile(r"/(?:admin|api|demo|static|healthz|readyz|metrics|favicon\.ico)(?:/|$)")


def outside(page: str) -> list[str]:
    """The addresses in a page that lead out of the sub-path."""
    found = []
    for value in _Attributes(page).values:
        whole = value.strip()
        if whole.startswith("/") and not whole.startswith(f"{BELOW}/"):
            found.append(whole)
        found += [path for path in _ADDRESS.findall(value) if _TOP.match(path)]
    return found


def test_what_leads_outside_is_seen() -> None:
    for page in (
        '<a href="/admin/">',
        '<a href="/">',
        '<form action=" /admin/x/">',
        """<div x-data="{url: '/admin/x/'}">""",
        '<a href="https://localhost/admin/">',
        '<script>fetch("/api/v1/")</script>',
        '<img srcset="/tidings/static/a.png 1x, /static/b.png 2x">',
    ):
        assert outside(page), page
    assert (
        outside('<a href="/tidings/admin/"><a href="https://example.com/admin/"><a href="?q=1"><a href="../x/">') == []
    )


@pytest.mark.slow
def test_no_page_has_a_link_that_leads_outside(below_a_path: Server, filled: Browser) -> None:
    filled._server = below_a_path
    bad: dict[str, list[str]] = {}

    def read(path: str) -> str:
        url = f"{BELOW}{path}"
        for _ in range(3):
            status, headers, page = filled("GET", url)
            if status not in {301, 302}:
                break
            url = urljoin(f"https://localhost{url}", headers["Location"]).removeprefix("https://localhost")
        assert status == 200, (url, status)
        if found := outside(page):
            bad[path] = found
        return page.replace(f'"{BELOW}/', '"/')  # the list of pages knows them as they are without

    pages = find_pages(read)
    for path in {*pages.values(), "/demo/receiver/", "/demo/slack/", "/demo/outbox/", "/api/v1/docs"}:
        read(path)
    filled.cookies.clear()
    for path in PUBLIC.values():
        read(path)
    assert bad == {}
    assert len(pages) > 60


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@either_proxy
def test_a_person_comes_in_and_is_nowhere_led_outside(below_a_path: Server, cut: bool) -> None:
    ada = User.objects.create_superuser("ada", "ada@example.com")
    ada.password = PBKDF2PasswordHasher().encode("a-password-of-ada", "salt", 1)  # as the server reads it
    ada.save()
    ask = Browser(below_a_path, cut=cut)
    status, headers, _ = ask("GET", f"{BELOW}/")
    assert (status, headers["Location"]) == (302, f"{BELOW}/admin/")
    status, headers, _ = ask("GET", f"{BELOW}/admin/")
    assert (status, headers["Location"]) == (302, f"{BELOW}/admin/login/?next={BELOW}/admin/")
    status, _, page = ask("GET", headers["Location"])
    assert status == 200
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    form = {"csrfmiddlewaretoken": token[1], "username": "ada", "password": "a-password-of-ada"}
    status, headers, _ = ask("POST", f"{BELOW}/admin/login/", {**form, "next": f"{BELOW}/admin/orders/order/"})
    assert (status, headers.get("Location")) == (302, f"{BELOW}/admin/orders/order/")
    assert set(ask.cookies) >= {"tidings_session", "tidings_csrf"}
    status, _, page = ask("GET", f"{BELOW}/admin/")
    assert status == 200
    assert outside(page) == []
    static = re.findall(rf'"({BELOW}/static/[^"]+)"', page)
    assert static
    assert {ask("GET", path)[0] for path in static} == {200}
    assert ask("GET", f"{BELOW}/admin/orders/order")[1]["Location"] == f"{BELOW}/admin/orders/order/"  # the slash
    assert ask("GET", f"{BELOW}/favicon.ico")[1]["Location"].startswith(f"{BELOW}/static/")
    status, _, page = ask("GET", f"{BELOW}/admin/nothing/of/this/kind/")
    assert status == 404
    assert f'href="{BELOW}/admin/"' in page
    assert "Dashboard" in page  # the shell, since it is within the back office


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@either_proxy
def test_the_api_is_there_with_its_document_and_pages_of_lists(below_a_path: Server, cut: bool) -> None:
    ask = Browser(below_a_path, cut=cut)
    key = {"Authorization": f"Bearer {create_key(name='Shop', scopes=['storefront', 'manage'])[1]}"}
    for number in range(3):
        create_channel(name=f"Channel {number}", kind="postback", url="https://example.com/")
    status, _, body = ask("GET", f"{BELOW}/api/v1/channels?limit=2", headers=key)
    assert status == 200
    following = json.loads(body)["next"]
    assert following.startswith(f"{PUBLIC_URL}/api/v1/channels?")
    status, _, body = ask("GET", following.removeprefix("https://localhost"), headers=key)
    assert (status, len(json.loads(body)["results"])) == (200, 1)

    status, _, body = ask("GET", f"{BELOW}/api/v1/openapi.json")
    document = json.loads(body)
    assert [server["url"] for server in document["servers"]] == [BELOW, PUBLIC_URL]
    assert "/api/v1/channels" in document["paths"]
    assert all(path.startswith("/api/v1/") for path in document["paths"])
    for path in ("nothing", "channels/chn_nothing"):
        status, headers, _ = ask("GET", f"{BELOW}/api/v1/{path}", headers=key)
        assert (status, headers["Content-Type"]) == (404, "application/problem+json")
    page = ask("GET", f"{BELOW}/api/v1/docs")[2]
    assert f"{BELOW}/api/v1/openapi.json" in page


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_supervisors_ask_with_and_without_the_path(below_a_path: Server) -> None:
    for path in ("/healthz", "/readyz"):
        for before in ("", BELOW):
            assert below_a_path.request("GET", f"{before}{path}", headers=PROXIED)[0] == 200
