"""A URL with a password that is not encoded is refused, in words that have nothing of it."""

import traceback

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.connection_urls import refuse_unencoded

# Pieces that no sentence has by chance.
A, B = "qzxA7", "wvkB9"


@pytest.mark.parametrize(
    "url",
    [
        *(f"smtp+tls://ada:{A}{character}{B}@mail.example.com:587" for character in "/?#[]"),
        *(f"smtp://ada:{character}{B}@mail.example.com" for character in "/?#[]%"),
        *(f"redis://:{A}{character}@127.0.0.1:6379/0" for character in "/?#[]%"),
        f"smtp+tls://ada:{A}%zz{B}@mail.example.com:587",
        f"smtp+tls://ada:{A}%2@mail.example.com:587",
        f"smtp+tls://ada@example.com:{A}/{B}@mail.example.com:587",  # a user name with an @
        f"smtp+tls://ada:{A}@{B}/x@mail.example.com:587",  # looks like a host named B
        f"smtp+tls://ada:{A}@{B}?x@mail.example.com:587",
        f"smtp+tls://ada:587/{B}@mail.example.com",  # looks like a host named ada with a port
        f"smtp+tls://ada:587?{B}@mail.example.com",
        f"smtp+tls://ada:587#{B}@mail.example.com",
        f"smtp+tls://{A}/{B}:x@mail.example.com",  # the user name
        f"smtp+tls://{A}/{B}@mail.example.com",
        f"postgres://ada:{A}/{B}@db.example.com:5432/tidings?sslmode=require",
        f"postgres://ada:{A}#{B}@db1.example.com:5432,db2.example.com:5433/tidings",
        f"postgres://db.example.com/tidings?user=ada&password={A}#{B}",
        f"postgres://?password={A}@{B}",
        f"rediss://{A}:x]{B}[@cache.example.com/0",
        f"http://ada:{A}[{B}]@proxy.example.com:3128",
        f"http://ada:{A}\u2100{B}@proxy.example.com:3128",  # NFKC makes a/c of it
        f"http://ada:{A}\n{B}@proxy.example.com:3128",
        f"http://ada:{A}\t{B}@proxy.example.com:3128",
        f"http://ada:{A}%e4{B}@proxy.example.com:3128",  # Latin-1
        f"http://proxy.example.com:{A}",
        f"http://ada:{A}@proxy.example.com:{B}",
        f"http://ada:{A}@proxy.example.com:99999",
        f"http://ada:{A}@[{B}]:3128",
        f"postgres://ada:{A}@db1.example.com:5432,db2.example.com:{B}/tidings",
    ],
)
def test_what_is_not_encoded_is_refused_without_a_piece_of_it(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_URL ") as refused:
        refuse_unencoded("EMAIL_URL", url)
    told = "".join(traceback.format_exception(refused.value))
    assert A not in told and B not in told
    assert "/ as %2F, ? as %3F, # as %23, @ as %40" in str(refused.value)
    assert (refused.value.__cause__, refused.value.__context__) == (None, None)


@pytest.mark.parametrize(
    "url",
    [
        "smtp+tls://ada:p%2Fa%3Fs%23s%40w%5Bo%5Dr%25d@mail.example.com:587",
        "smtp+tls://ada:p%C3%A4ssword@mail.example.com:587",
        "smtp+tls://ada:pässword@mail.example.com:587",
        "smtp+tls://ada@example.com:secret@mail.example.com:587",
        "smtp+tls://ada:se:cr=et&+!$*'()~;, @mail.example.com:587",
        "smtp://mail.example.com",
        "smtp://mail.example.com:/",
        "smtp://[::1]:25",
        "smtp://ada:secret@[2001:db8::1]:25?timeout=3",
        " smtp://mail.example.com:25\n",
        "consolemail://",
        "filemail:///var/mail/a@b",
        "postgres:///tidings",
        "postgres://tidings@/tidings?host=/tmp/x&sslmode=require",
        "postgres://%2Fvar%2Frun%2Fpostgresql:5433/tidings",
        "postgres://ada:secret@db1.example.com:5432,[2001:db8::1]:5433,db3.example.com/tidings",
        "redis://:secret@127.0.0.1:6379/0",
        "redis://ada:secret@127.0.0.1:6379?db=2",
        "unix:///run/valkey/a@b.sock?db=2",
        "unix://ada:secret@/run/valkey/valkey.sock?db=2",
        "http://ada:secret@proxy.example.com:3128/",
        "nonsense",
        "",
    ],
)
def test_what_can_be_read_passes(url: str) -> None:
    refuse_unencoded("EMAIL_URL", url)
