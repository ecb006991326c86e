"""The security headers of every answer: of pages, the API, static files, health checks and refusals."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# What no page of ours asks a browser for. Copying to the clipboard is not among it.
_UNUSED = (
    *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "hid", "magnetometer", "microphone"),
    *("midi", "payment", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking"),
)
HEADERS = {
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _UNUSED),
    # Neither pages nor answers may be loaded into a page of another origin.
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Of what the web process refuses before Django hears of it. Whether that came by https only a proxy knows: no HSTS.
OF_THE_SERVER = {
    **HEADERS,
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class SecurityHeadersMiddleware:
    """Stands outermost, and sets `HEADERS`. Django's own `SecurityMiddleware` within it sets the others, HSTS among
    them: by its name alone, no subclass of it, `manage.py check --deploy` knows that they are sent.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response
