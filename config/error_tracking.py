"""Tells Sentry of errors, by `SENTRY_DSN`: which kind, where in the code, in which request. No value goes along.

Imported only where a DSN is set. The SDK is used as a client alone: its integrations hook into Django, the database and
threads, and take along what they find there. What is reported is what the log has with a traceback, of web, API and
workers, and our own lines of level error.
"""

import atexit
import ssl
import sys
from collections.abc import Mapping, MutableMapping, Set
from contextlib import suppress
from typing import Any

import sentry_sdk
from django.core.exceptions import ImproperlyConfigured
from sentry_sdk.transport import HttpTransport
from sentry_sdk.utils import BadDsn, event_from_exception

ERRORS = frozenset({"error", "critical", "exception"})
# Of a request that failed there is another line, with the traceback; one that was answered 503 is no error of ours.
EACH_REQUEST = "request"
# What a log line tells of ours, and is no value of anybody's.
TAGS = (
    *("request_id", "method", "route", "api_key_id", "delivery_id", "event_id", "event_type", "channel_id"),
    *("number", "trigger"),
)
# What the parts of a report may hold; whatever else the SDK adds is dropped.
EVENT = frozenset(
    {
        *("event_id", "timestamp", "level", "platform", "logger", "message", "exception", "tags", "user"),
        *("release", "environment", "server_name", "sdk"),
    }
)
EXCEPTION = frozenset({"type", "module"})
MECHANISM = frozenset({"type", "handled", "exception_id", "parent_id", "is_exception_group"})
FRAME = frozenset({"filename", "abs_path", "module", "function", "lineno", "in_app"})
# How long a process that ends waits for what it has not sent yet.
LAST_WORDS_SECONDS = 1.0


class ErrorTracker:
    """A processor of structlog that reports errors on their way to the log, from a thread of its own.

    A Sentry that hangs or is away delays nothing: a hundred events wait for it, further ones are dropped. Raises
    `ImproperlyConfigured` for a DSN that is none, without quoting it.
    """

    def __init__(self, dsn: str, *, release: str, extra_ca_bundle: str = "") -> None:
        try:
            self._client = sentry_sdk.Client(
                dsn=dsn,
                release=release,
                transport=_transport(extra_ca_bundle),
                default_integrations=False,
                auto_enabling_integrations=False,
                include_local_variables=False,
                include_source_context=False,
                max_request_body_size="never",
                max_breadcrumbs=0,
                auto_session_tracking=False,
                send_client_reports=False,
                enable_backpressure_handling=False,
                before_send=_without_values,
            )
        except BadDsn as error:
            raise ImproperlyConfigured("SENTRY_DSN must be like https://KEY@sentry.example.com/1.") from error
        atexit.register(self._client.close, timeout=LAST_WORDS_SECONDS)

    def __call__(self, _logger: object, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Pass the line on as it is. Never raises."""
        record = line.get("_record")  # of Django's and of libraries' lines
        if (method if record is None else record.levelname.lower()) in ERRORS and line.get("event") != EACH_REQUEST:
            with suppress(Exception):
                self._report(line, foreign=record is not None)
        return line

    def _report(self, line: Mapping[str, Any], *, foreign: bool) -> None:
        given = line.get("exc_info")
        error = sys.exc_info() if given is True else given
        event: dict[str, Any] = {"level": "error", "logger": line.get("logger")}
        if error and error != (None, None, None):
            event |= event_from_exception(error, client_options=self._client.options)[0]
        elif foreign:
            return  # the words of a library may hold anything
        if not foreign:
            event["message"] = line["event"]
        event["tags"] = {name: str(line[name]) for name in TAGS if line.get(name) is not None}
        if task := _task(line):
            event["tags"]["task"] = task
        if line.get("user_id") is not None:
            event["user"] = {"id": str(line["user_id"])}
        self._client.capture_event(event)  # type: ignore[arg-type]


def _task(line: Mapping[str, Any]) -> str | None:
    """The name of the Celery task that failed, where the line is Celery's of that."""
    about = getattr(line.get("_record"), "data", None)
    return str(about["name"]) if isinstance(about, dict) and about.get("name") else None


def _without_values(event: Any, _hint: Any) -> Any:
    """What is told of an event: of an exception its type, its chain and where it came from, not what it says."""
    kept = _only(EVENT, event)
    if "exception" in kept:
        kept["exception"] = {"values": [_exception(each) for each in kept["exception"]["values"]]}
    return kept


def _exception(told: Mapping[str, Any]) -> dict[str, Any]:
    frames = (told.get("stacktrace") or {}).get("frames", ())
    return {
        **_only(EXCEPTION, told),
        "value": "",
        "mechanism": _only(MECHANISM, told.get("mechanism") or {}),
        "stacktrace": {"frames": [_only(FRAME, frame) for frame in frames]},
    }


def _only(names: Set[str], given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name in names}


def _transport(extra_ca_bundle: str) -> type[HttpTransport]:
    """Sentry's own, which trusts the authorities of `EXTRA_CA_BUNDLE` beside the public ones."""

    class Transport(HttpTransport):
        def _get_pool_options(self) -> dict[str, Any]:
            options: dict[str, Any] = super()._get_pool_options()
            if extra_ca_bundle:
                context = ssl.create_default_context()
                context.load_verify_locations(extra_ca_bundle)
                options["ssl_context"] = context
            return options

    return Transport
