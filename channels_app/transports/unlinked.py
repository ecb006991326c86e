"""Texts in which mail and chat programs see no addresses, so that nothing but our own links can be followed.

Buyers type their names, postal addresses and answers, and gateways the reasons of declines: what looks like an address
in them would become a link in a message of ours, which staff trust. It is parted by zero width non-joiners, so that it
reads as before. Where a program makes a link of it all the same, that leads nowhere: no domain has one there (RFC 5892,
A.1).
"""

import re
from collections.abc import Collection
from dataclasses import replace

from channels_app.transports.base import Notice, Section

APART = "\N{ZERO WIDTH NON-JOINER}"
_PARTED = re.compile(
    r"""
      (?<=[a-z0-9+.-]):(?=\S)(?<!\d\d:)                                # http: mailto: tel:
    | (?<=\S)[.\u3002\uff0e\uff61](?=(?:xn--)?[^\W\d_]{2})              # before what may be a top-level domain
    | (?<=www)\.(?=\S) | (?<=www\d)\.(?=\S)
    | (?<=\d)\.(?=\d{1,3}\.\d) | (?<=\d\.\d)\.(?=\d) | (?<=\d\.\d\d)\.(?=\d) | (?<=\d\.\d\d\d)\.(?=\d)
    | (?<=\S)[@\uff20](?=\S)
    | \\(?=\\)                                                          # the name of a server for Windows
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Whole words of this kind may be a contact's own address, which people copy. No other reading makes a link of one.
_PLAIN_EMAIL = re.compile(r"(?!www)[\w+-]+(?:\.[\w+-]+)*@[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
_WORD = re.compile(r"[^\s(),;:]+")


def without_addresses(notice: Notice) -> Notice:
    """The notice, in whose texts nothing is an address but those of `addresses`; its links are as they are."""
    if notice.addresses is None:
        return notice
    kept = {email for email in notice.addresses if _PLAIN_EMAIL.fullmatch(email)}

    def part(text: str) -> str:
        return _part(text, kept)

    return replace(
        notice,
        title=part(notice.title),
        paragraphs=tuple(map(part, notice.paragraphs)),
        sections=tuple(
            Section(part(section.title), tuple((part(label), part(value)) for label, value in section.facts))
            for section in notice.sections
        ),
    )


def _part(text: str, kept: Collection[str]) -> str:
    spans = [word.span() for word in _WORD.finditer(text) if word[0].rstrip(".") in kept] if kept else []

    def parted(found: re.Match[str]) -> str:
        if any(begin <= found.start() < end for begin, end in spans):
            return found[0]
        return f"{APART}{found[0]}{APART}"

    return _PARTED.sub(parted, text)
