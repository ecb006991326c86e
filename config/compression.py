"""Compresses pages, JSON and other text with gzip, for clients that take it.

By Django's own middleware, which gives each answer a random length (up to a hundred bytes more), so that the size of a
page does not tell what is in it (BREACH). Besides, no page of ours repeats what another site sends: forms have a token
that is written anew each time, cookies do not come along with another site's requests, and what is answered to a form,
such as a secret that was just revealed, is not compressed at all.
"""

from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers

_TEXTS = frozenset({"application/json", "application/problem+json", "application/javascript", "image/svg+xml"})
_PAGES = frozenset({"text/html"})
# There is a part of something in it, or nothing.
_NOT_WHOLE = frozenset({204, 206, 304})


class CompressionMiddleware(GZipMiddleware):
    """Stands outside of all that reads or replaces the content of an answer.

    Left as they are: files, which WhiteNoise has compressed when they were collected and of which it sends parts; what
    has a `Content-Encoding` already; short answers; whatever is no text. A proxy that compresses sees that it is done.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not _may_be_compressed(request, response):
            return response
        if not _takes_gzip(request):
            if response.streaming or len(response.content) >= 200:  # type: ignore[attr-defined]
                patch_vary_headers(response, ("Accept-Encoding",))
            return response
        compressed: HttpResponseBase = super().process_response(request, response)
        return compressed


def _may_be_compressed(request: HttpRequest, response: HttpResponseBase) -> bool:
    if isinstance(response, FileResponse) or response.status_code in _NOT_WHOLE or "Content-Range" in response.headers:
        return False
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type in _PAGES and request.method not in {"GET", "HEAD"}:
        return False
    return media_type in _TEXTS or media_type.startswith("text/")


def _takes_gzip(request: HttpRequest) -> bool:
    """By RFC 9110, section 12.5.3; a weight of 0 is a no."""
    for choice in request.headers.get("Accept-Encoding", "").split(","):
        coding, _, weight = (part.strip().lower() for part in choice.partition(";"))
        if coding in {"gzip", "x-gzip"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.", "q=0.0", "q=0.00", "q=0.000"}
    return False
