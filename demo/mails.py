"""A kept mail, taken apart for reading."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses, parseaddr
from urllib.parse import unquote

from django.urls import reverse

_SHOWN = ("From", "To", "Cc", "Subject", "Message-ID", "Date")
_HEAD = re.compile(r"<head(?:\s[^>]*)?>", re.IGNORECASE)


@dataclass(frozen=True)
class ReadableMail:
    """`headers` are those that people read, decoded; a part that the mail lacks is "". `source` is what was sent.

    `hidden_recipients` are those of whom the mail itself does not tell.
    """

    headers: tuple[tuple[str, str], ...]
    hidden_recipients: tuple[str, ...]
    text: str
    html: str
    source: str


def read_mail(raw: bytes, *, recipients: Sequence[str] = ()) -> ReadableMail:
    """Parse a mail. `recipients` are those of its envelope."""
    mail = message_from_bytes(raw, policy=policy.default)
    named = {address for _, address in getaddresses([str(mail[name]) for name in ("To", "Cc") if mail[name]])}
    return ReadableMail(
        headers=tuple((name, str(mail[name])) for name in _SHOWN if mail[name]),
        hidden_recipients=tuple(each for each in recipients if parseaddr(each)[1] not in named),
        text=_part(mail, "plain"),
        html=_part(mail, "html"),
        source=raw.decode("utf-8", errors="replace"),
    )


def opens_an_account(raw: bytes) -> bool:
    """Whether a link for a new password stands anywhere in the mail, however it is encoded and whatever it is about."""
    parts = [part.get_payload(decode=True) for part in message_from_bytes(raw).walk()]
    texts = [part.decode("utf-8", errors="replace") for part in [raw, *parts] if isinstance(part, bytes)]
    path = reverse("admin:password_reset")
    return any(re.search(rf"{re.escape(path)}[^/\s]+/[^/\s]+", html.unescape(unquote(text))) for text in texts)


def for_frame(page: str) -> str:
    """The HTML with its links led to windows of their own, which its sandbox does not open.

    A link followed within the frame would put one of our pages there, and those refuse to be framed.
    """
    base = '<base target="_blank">'
    return _HEAD.sub(lambda head: head[0] + base, page, count=1) if _HEAD.search(page) else base + page


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body(preferencelist=(kind,))
    content: str = part.get_content() if part else ""
    return content.replace("\r\n", "\n")
