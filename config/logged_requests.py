"""The middleware that gives each log line its request: django-structlog's, with the address that logins count by."""

import structlog
from django.http import HttpRequest
from django_structlog.middlewares import RequestMiddleware

from api.client_address import client_address


class LoggedRequestMiddleware(RequestMiddleware):
    """Its own would take the word of whoever sends `X-Forwarded-For`."""

    @classmethod
    def bind_ip(cls, request: HttpRequest) -> None:
        structlog.contextvars.bind_contextvars(ip=client_address(request))
