"""The security headers of every answer: of pages, the API, static files, health checks and refusals."""

from django.http import HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware

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


class SecurityHeadersMiddleware(SecurityMiddleware):
    """Stands outermost, and sets what Django's own does (HSTS among it) and `HEADERS`."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return super().process_response(request, response)
