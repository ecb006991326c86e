"""Answers that are no redirect, to forms that took effect."""

from typing import TypeVar

from django.http import HttpResponse

Response = TypeVar("Response", bound=HttpResponse)


def done(response: Response) -> Response:
    """Say of a page or fragment that what was asked for was done: the same form, sent again, gets the same answer."""
    response.form_took_effect = True  # type: ignore[attr-defined]
    return response


def is_done(response: HttpResponse) -> bool:
    return getattr(response, "form_took_effect", False)
