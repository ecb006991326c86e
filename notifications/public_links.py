"""Addresses for those who are not on a page of ours: in mails, messages and postbacks."""

from django.conf import settings
from django.urls import get_script_prefix


def public_link(path: str) -> str:
    """The whole address of a page by its path, as `reverse` makes it. "" where `PUBLIC_URL` is not set.

    A path of `PUBLIC_URL` is in `path` already where a request is served or a command runs; in the threads of a worker,
    which Django has told of none, it is not.
    """
    if not settings.PUBLIC_URL:
        return ""
    return f"{settings.PUBLIC_URL}{bare(path)}"


def bare(path: str) -> str:
    """`path`, as `reverse` makes it in this thread, as it is where nothing is in front of Tidings."""
    prefix = get_script_prefix()
    return path[len(prefix) - 1 :] if path.startswith(prefix) else path
