"""A path below which all of Tidings is: `PUBLIC_URL=https://host/tidings`.

Django's own script name does most of it (`FORCE_SCRIPT_NAME`): every address that `reverse` makes begins with it. The
proxy in front may take the path away before it passes a request on, or leave it: here it is taken away where it is
left, so that the same addresses are found.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import request_started

# What `config.urls` has at its top. A path that began so could not be told from one that a proxy has cut.
_OURS = ("admin", "api", "demo", "favicon.ico", "healthz", "metrics", "readyz", "static")
_SEGMENT = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")


def of_url(name: str, url: str) -> str:
    """The sub-path of `url`, the value of the variable `name`: `/tidings`, or "". Raises `ImproperlyConfigured`."""
    parts = urlsplit(url)
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise ImproperlyConfigured(f"{name} must end with a host or a path: nothing can come after ? or #.")
    segments = parts.path.split("/")[1:]
    if not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise ImproperlyConfigured(
            f"{name} has the path {parts.path}: each part of it takes letters, digits, _ ~ - and, not first, dots."
        )
    if segments and segments[0] in _OURS:
        raise ImproperlyConfigured(
            f"{name} has the path {parts.path}, which begins as an address of Tidings itself does. A request for it "
            "could not be told from one whose path a proxy has cut: take another path."
        )
    return parts.path


def without(path: str) -> str:
    """`path` as it is where nothing is in front of Tidings: without the sub-path, if it has it."""
    below: str = settings.SUB_PATH
    if below and (path == below or path.startswith(f"{below}/")):
        return path[len(below) :] or "/"
    return path


def _take_away(environ: dict[str, Any] | None = None, **_: Any) -> None:
    if environ and settings.SUB_PATH:
        environ["PATH_INFO"] = without(environ.get("PATH_INFO", ""))


def take_away_before_requests() -> None:
    """Called once, when Django starts, before whatever else reads the path: `config.content_type` does."""
    request_started.connect(_take_away, dispatch_uid="config.sub_path")
