"""Receivers in the shape of Slack's incoming webhooks, and the page that renders what they received.

They answer as Slack does and keep the newest messages. A message is shown as HTML: the title, text, fields, context
and links of its blocks; anything else in it is left out. Mounted in demo mode only.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
https://docs.slack.dev/reference/block-kit/blocks
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from demo.models import SlackMessage, forget_oldest, storable
from demo.pages import list_context, on_purpose, staff_only, whole_body

KEPT = 1000
# The status and text that Slack answers where the webhook has been removed.
REMOVED = "removed"
REFUSALS = {REMOVED: (HTTPStatus.NOT_FOUND, "no_service")}
# Slack's own limit of blocks in a message, and of characters in a text.
MOST_BLOCKS, LONGEST_TEXT = 50, 3000
_ANGLES = re.compile(r"<([^<>\n]+)>")
_BOLD = re.compile(r"(?<![\w*])\*([^\s*](?:[^*\n]*[^\s*])?)\*(?![\w*])")


@csrf_exempt
@require_POST
def receive(request: HttpRequest, name: str) -> HttpResponse:
    """Take a message from any client and answer as Slack does; 413 above 256 KiB."""
    body = whole_body(request)
    status, text = (413, "too_large") if body is None else take_message(receiver=name, body=body)
    answer = HttpResponse(text, status=status, content_type="text/plain")
    return answer if body is None else on_purpose(answer)


@staff_only
@never_cache
@require_safe
def messages(request: HttpRequest) -> HttpResponse:
    """The messages that arrived, newest first."""
    context = list_context(request, SlackMessage.objects.all(), kept=KEPT)
    shown = [(message, blocks_of(message.body)) for message in context["page"]]
    return render(request, "demo/messages.html", {**context, "messages": shown})


def take_message(*, receiver: str, body: bytes) -> tuple[int, str]:
    """Keep what arrived and return the status code and text to answer with."""
    status, text = REFUSALS.get(receiver) or _judge(body)
    SlackMessage.objects.create(
        receiver=receiver, body=storable(body.decode(errors="replace")), answered=status, answer=text
    )
    forget_oldest(SlackMessage, kept=KEPT)
    return int(status), text


def _judge(body: bytes) -> tuple[HTTPStatus, str]:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        return HTTPStatus.BAD_REQUEST, "invalid_payload"
    if not any(payload.get(name) for name in ("text", "blocks", "attachments")):
        return HTTPStatus.BAD_REQUEST, "no_text"
    return HTTPStatus.OK, "ok"


@dataclass(frozen=True)
class Block:
    """A part of a message, each text as safe HTML."""

    kind: Literal["title", "text", "fields", "context", "divider", "links"]
    texts: tuple[SafeString, ...] = ()


def blocks_of(body: str) -> list[Block]:
    """The visible parts of a message: its blocks and those of its attachments, or its text where it has no block."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return []
    if not isinstance(message, dict):
        return []
    parts = [message, *_dicts(message.get("attachments"))]
    given = [block for part in parts for block in _dicts(part.get("blocks"))][:MOST_BLOCKS]
    shown = [block for each in given for block in _shown(each)]
    return shown or [Block("text", (text,)) for text in _texts({"type": "mrkdwn", "text": message.get("text")})]


def mrkdwn(text: str) -> SafeString:
    """Slack's markup as safe HTML: bold, links to http and https, mentions; line breaks stay as they are."""
    pieces = []
    end = 0
    for found in _ANGLES.finditer(text):
        pieces += [_with_bold(text[end : found.start()]), _in_angles(found[1])]
        end = found.end()
    return _joined([*pieces, _with_bold(text[end:])])


def _shown(block: dict[str, Any]) -> Iterator[Block]:
    match block.get("type"):
        case "header":
            yield from _one("title", block.get("text"))
        case "section":
            yield from _one("text", block.get("text"))
            yield from _one("fields", *_dicts(block.get("fields")))
        case "context":
            yield from _one("context", *_dicts(block.get("elements")))
        case "divider":
            yield Block("divider")
        case "actions":
            links = [_button(element) for element in _dicts(block.get("elements"))]
            if links:
                yield Block("links", tuple(links))


def _one(kind: Literal["title", "text", "fields", "context"], *objects: Any) -> Iterator[Block]:
    texts = tuple(text for each in objects for text in _texts(each))
    if texts:
        yield Block(kind, texts)


def _texts(given: Any) -> Iterator[SafeString]:
    """The text of a text object, if it is one."""
    text = given.get("text") if isinstance(given, dict) else None
    if isinstance(text, str) and text.strip():
        text = storable(text, LONGEST_TEXT)
        yield mrkdwn(text) if given.get("type") == "mrkdwn" else format_html("{}", _unescaped(text))


def _button(element: dict[str, Any]) -> SafeString:
    label = _joined(list(_texts(element.get("text")))) or format_html("{}", "Without a label")
    url = element.get("url")
    return _link(storable(url), label) if isinstance(url, str) and _is_web(url) else label


def _in_angles(content: str) -> SafeString:
    """`<url|text>`; `<!here>` and `<@U1>` stand for mentions. All else stays as it was written."""
    target, _, label = (_unescaped(part) for part in content.partition("|"))
    if target[:1] in {"!", "@", "#"}:
        return format_html("<b>@{}</b>", label or target[1:])
    return (
        _link(target, format_html("{}", label or target))
        if _is_web(target)
        else format_html("{}", f"<{_unescaped(content)}>")
    )


def _link(url: str, label: SafeString) -> SafeString:
    return format_html('<a href="{}" rel="noreferrer">{}</a>', url, label)


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.netloc)
    except ValueError:
        return False


def _with_bold(text: str) -> SafeString:
    pieces = _BOLD.split(text)  # every second one stood between two stars
    return _joined(
        [
            format_html("<strong>{}</strong>" if index % 2 else "{}", _unescaped(piece))
            for index, piece in enumerate(pieces)
        ]
    )


def _joined(pieces: list[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((piece,) for piece in pieces))


def _unescaped(text: str) -> str:
    """Slack has three characters written as entities."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
