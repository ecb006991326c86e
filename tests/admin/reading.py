"""What a page says, without its markup."""

import html
import re
from typing import Any

from django.contrib.messages import get_messages
from django.test import Client


def text_of(response: Any) -> str:
    """The page's text on one line, as a person reads it."""
    without_scripts = re.sub(r"(?s)<(script|style)\b.*?</\1>", "", response.content.decode())
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", without_scripts)).split())


def messages_of(response: Any) -> list[str]:
    """The messages that the response brings; none is lost where it redirects to a page that shows them."""
    return [str(message) for message in get_messages(response.wsgi_request)]


def buttons_of(response: Any) -> list[str]:
    """The texts of the page's own buttons, without those of the shell, in order."""
    content = response.content.decode()
    found = re.findall(r'(?s)<(?:button|summary)\b[^>]*class="order-button[^>]*>(.*?)</(?:button|summary)>', content)
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", button)).split()) for button in found]


def follow(client: Client, response: Any) -> Any:
    """The page that a redirect leads to."""
    assert response.status_code == 302
    return client.get(response["Location"])
