"""The Content-Security-Policy of pages.

A page of ours loads its own files and nothing else (`settings.CONTENT_SECURITY_POLICY`). The shell needs more: Alpine
evaluates expressions that stand in attributes, and its colours are an inline style. Neither policy lets an inline
script run. A view that needs something else sets the header itself, as the API's page does.
"""

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest
from django.http.response import HttpResponseBase

PLAIN: dict[str, list[str]] = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF],
    "img-src": [SELF, "data:"],
    "connect-src": [SELF],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}
SHELL: dict[str, list[str]] = {
    "default-src": [SELF],
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
    "img-src": [SELF, "data:"],
    "object-src": [NONE],
    "form-action": [SELF],
    "base-uri": [SELF],
    "frame-ancestors": [NONE],
}


def enter_shell(request: HttpRequest) -> None:
    """Say that the answer is a page of the shell. Its site does, when a page takes the shell's context."""
    request.in_shell = True  # type: ignore[attr-defined]


def leave_shell(request: HttpRequest) -> None:
    """Say that the answer is a page of its own after all: an error page, instead of what could not be shown."""
    request.in_shell = False  # type: ignore[attr-defined]


class ContentSecurityMiddleware(CSPMiddleware):
    """The policy of the shell for its pages, the plain one for all others."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts: PolicyParts = super().get_policy_parts(request, response, report_only)
        if not report_only and parts.config is None and getattr(request, "in_shell", False):
            parts.config = SHELL
        return parts
