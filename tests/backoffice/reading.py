"""What a page says, without its markup."""

import html
import re
from typing import Any

from django.contrib.messages import get_messages
from django.test import Client
from django.test.utils import CaptureQueriesContext

# How a page tells a time of a moment ago, however long the machine took.
LATELY = r"(?:now|(?:a|\d+) (?:second|minute)s? ago)"


def text_of(response: Any) -> str:
    """The page's text on one line, as a person reads it."""
    without_scripts = re.sub(r"(?s)<(script|style)\b.*?</\1>", "", response.content.decode())
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", without_scripts)).split())


def messages_of(response: Any) -> list[str]:
    """The messages that the response brings; none is lost where it redirects to a page that shows them."""
    return [str(message) for message in get_messages(response.wsgi_request)]


def buttons_of(response: Any) -> list[str]:
    """The texts of the page's own buttons and of links that look like one, without those of the shell, in order."""
    content = response.content.decode()
    found = re.findall(r'(?s)<(button|a)\b[^>]*class="ui-button[^>]*>(.*?)</\1>', content)
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", button)).split()) for _, button in found]


def queries_of_commerce(captured: CaptureQueriesContext) -> list[str]:
    """The queries that a page makes for what it shows; the shell makes others, and caches some."""
    return [query["sql"] for query in captured if '"orders_' in query["sql"] or '"order_id"' in query["sql"]]


def follow(client: Client, response: Any) -> Any:
    """The page that a redirect leads to."""
    assert response.status_code == 302
    return client.get(response["Location"])
