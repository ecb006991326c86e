"""Where messages to a user wait for the next page: as Django keeps them, in a cookie that goes nowhere else."""

from typing import Any

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage
from django.http.response import HttpResponseBase


class OwnCookieStorage(CookieStorage):
    """Has a name of its own where another Django may be on the same host: Django gives the same to all of them."""

    cookie_name = "tidings_messages" if settings.SUB_PATH else CookieStorage.cookie_name


class MessageStorage(FallbackStorage):
    """The cookie, and the session for what it has no room for."""

    storage_classes = (OwnCookieStorage, SessionStorage)

    def update(self, response: HttpResponseBase) -> list[Any] | None:
        """As Django does at the end of each request; the cookie has the path of the session's, not that of the host."""
        left: list[Any] | None = super().update(response)
        if OwnCookieStorage.cookie_name in response.cookies:
            response.cookies[OwnCookieStorage.cookie_name]["path"] = settings.SESSION_COOKIE_PATH
        return left
