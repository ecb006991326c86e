import pytest

from channels_app.transports.rules import RecipientsRefused, check_headers, check_recipients, check_url


@pytest.mark.parametrize(
    ("given", "checked"),
    [
        ("https://example.org", "https://example.org"),
        ("https://example.org/hook?a=b&c=%20d", "https://example.org/hook?a=b&c=%20d"),
        ("HTTPS://Example.ORG:8443/Hook", "https://example.org:8443/Hook"),
        ("http://localhost:8000/", "http://localhost:8000/"),
        ("http://my_service/x", "http://my_service/x"),
        ("https://example.org:/x", "https://example.org/x"),
        ("https://example.org./x", "https://example.org/x"),
        ("https://example.org/x#part", "https://example.org/x"),
        ("https://bücher.example/x", "https://xn--bcher-kva.example/x"),
        ("https://example.org/größe?ä=ö", "https://example.org/gr%C3%B6%C3%9Fe?%C3%A4=%C3%B6"),
        ("https://192.0.2.7/x", "https://192.0.2.7/x"),
        ("https://[2001:DB8:0::1]:8443/x", "https://[2001:db8::1]:8443/x"),
        ("http://127。0。0。1/", "http://127.0.0.1/"),
        ("https://example.org/100%", "https://example.org/100%25"),
        ("https://example.org/%?%2=%zz", "https://example.org/%25?%252=%25zz"),
        ("https://example.org/%2f%e4?%5b", "https://example.org/%2F%E4?%5B"),
        ("https://example.org/%%41", "https://example.org/%25%41"),
        ("https://example.org/[0]?a[]={}|^`", "https://example.org/%5B0%5D?a%5B%5D=%7B%7D%7C%5E%60"),
        ("https://example.org/\"<>'", "https://example.org/%22%3C%3E'"),
        ("https://example.org/a/../b/./c/..", "https://example.org/b/"),
        ("https://example.org/../../x?../y", "https://example.org/x?../y"),
        ("https://example.org//x//y", "https://example.org/x//y"),
        ("https://example.org?a=b", "https://example.org/?a=b"),
        ("https://example.org/x?", "https://example.org/x"),
        ("https://example.org:443/x", "https://example.org/x"),
        ("http://example.org:80/x", "http://example.org/x"),
        ("http://example.org:443/x", "http://example.org:443/x"),
        ("https://example.org/" + "a" * 1980, "https://example.org/" + "a" * 1980),
    ],
)
def test_a_usable_url_is_normalised(given: str, checked: str) -> None:
    assert check_url(given) == checked
    assert check_url(checked) == checked


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "The URL must begin with https:// or http://."),
        ("example.org/hook", "The URL must begin with https:// or http://."),
        ("ftp://example.org/", "The URL must begin with https:// or http://."),
        ("file:///etc/passwd", "The URL must begin with https:// or http://."),
        ("javascript:alert(1)", "The URL must begin with https:// or http://."),
        ("https://", "The URL must name a host."),
        ("https:///hook", "The URL must name a host."),
        ("https://:8443/", "The URL must name a host."),
        ("https://me@example.org/", "The URL must not contain a user name or password; use a header instead."),
        ("https://me:secret@example.org/", "The URL must not contain a user name or password; use a header instead."),
        ("https://@example.org/", "The URL must not contain a user name or password; use a header instead."),
        ("https://example.org/a b", "The URL must not contain spaces, control characters or backslashes."),
        (" https://example.org/", "The URL must not contain spaces, control characters or backslashes."),
        ("https://example.org/\n", "The URL must not contain spaces, control characters or backslashes."),
        ("https://example.org/\x00", "The URL must not contain spaces, control characters or backslashes."),
        ("https://example.org\\@evil.example/", "The URL must not contain spaces, control characters or backslashes."),
        ("https://example.org/\u200b", "The URL must not contain spaces, control characters or backslashes."),
        ("https://example.org/\ud800", "The URL must not contain spaces, control characters or backslashes."),
        ("https://example.org:0/", "The port must be between 1 and 65535."),
        ("https://example.org:65536/", "The URL cannot be read: Port out of range 0-65535."),
        ("https://example.org:x/", "The URL cannot be read: Port could not be cast to integer value as 'x'."),
        ("https://[::1/", "The URL cannot be read: Invalid IPv6 URL."),
        ("https://[fe80::1%25eth0]/", "fe80::1%25eth0 is not an IPv6 address."),
        ("https://exa%6dple.org/", "exa%6dple.org is not a valid host name."),
        ("https://-example.org/", "-example.org is not a valid host name."),
        ("https://example..org/", "example..org is not a valid host name."),
        (f"https://{'a' * 64}.org/", f"{'a' * 64}.org is not a valid host name."),
        ("https://127.1/", "127.1 is not an IPv4 address."),
        ("https://2130706433/", "2130706433 is not an IPv4 address."),
        ("https://0x7f.0.0.1/", "0x7f.0.0.1 is not an IPv4 address."),
        ("https://127.0.0.0x1/", "127.0.0.0x1 is not an IPv4 address."),
        ("https://0177.0.0.1/", "0177.0.0.1 is not an IPv4 address."),
        ("https://example.org/" + "a" * 1981, "The URL must be at most 2000 characters long."),
        ("https://example.org/" + "ä" * 400, "The URL must be at most 2000 characters long."),
    ],
)
def test_an_unusable_url_is_refused_with_a_sentence(url: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        check_url(url)

    assert str(refused.value) == sentence


def test_headers_are_kept_in_order_with_trimmed_values() -> None:
    given = {"X-Tenant": " acme ", "Authorization": "Bearer ~token!", "accept": "", "X-Long": "v" * 1024}

    assert list(check_headers(given).items()) == [
        ("X-Tenant", "acme"),
        ("Authorization", "Bearer ~token!"),
        ("accept", ""),
        ("X-Long", "v" * 1024),
    ]


def test_twenty_headers_are_possible_and_twenty_one_are_not() -> None:
    headers = {f"X-{number}": "v" for number in range(21)}

    with pytest.raises(ValueError, match=r"^At most 20 headers are possible, not 21\.$"):
        check_headers(headers)
    del headers["X-20"]
    assert check_headers(headers) == headers


@pytest.mark.parametrize(
    "name",
    [
        *("host", "Host", "HOST", "Content-Type", "content-length", "Content-Anything", "Transfer-Encoding"),
        *("connection", "User-Agent", "webhook-id", "Webhook-Signature", "WEBHOOK-anything"),
    ],
)
def test_headers_that_are_ours_are_refused(name: str) -> None:
    with pytest.raises(ValueError) as refused:
        check_headers({name: "v"})

    assert str(refused.value) == f"The header {name} is set by Tidings and cannot be given."


@pytest.mark.parametrize("name", ["", "X Y", "X:Y", "X\nY", "Größe", "X\x00", "(X)", "X/Y"])
def test_a_header_name_is_a_token(name: str) -> None:
    with pytest.raises(ValueError, match=r" is not a valid header name\.$"):
        check_headers({name: "v"})


@pytest.mark.parametrize("value", ["a\nb", "a\r\nX: b", "a\tb", "\x00", "\x7f", "größe", "a\n"])
def test_a_header_value_is_printable_ascii(value: str) -> None:
    with pytest.raises(ValueError, match=r"^The value of X-A must consist of printable ASCII characters\.$"):
        check_headers({"X-A": value})


def test_a_header_value_has_at_most_1024_characters() -> None:
    with pytest.raises(ValueError, match=r"^The value of X-A must be at most 1024 characters long\.$"):
        check_headers({"X-A": "v" * 1025})


def test_a_header_cannot_come_twice_in_different_case() -> None:
    with pytest.raises(ValueError, match=r"^The header x-tenant is given twice\.$"):
        check_headers({"X-Tenant": "a", "x-tenant": "b"})


def test_the_name_of_a_header_has_a_length() -> None:
    assert check_headers({"a" * 100: "1"}) == {"a" * 100: "1"}
    with pytest.raises(ValueError, match=r"^The name of a header must be at most 100 characters long\.$"):
        check_headers({"a" * 101: "1"})


def test_a_hundred_recipients_are_told_of_and_five_hundred_looked_at() -> None:
    with pytest.raises(RecipientsRefused) as refused:
        check_recipients(["nobody"] * 500)
    assert list(refused.value.by_index) == list(range(100))
    assert check_recipients(["ada@example.com"] * 500) == ["ada@example.com"]
    with pytest.raises(ValueError, match=r"^At most 50 recipients are possible, not 501\.$"):
        check_recipients(["ada@example.com"] * 501)
