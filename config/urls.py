"""The addresses of all rooms: back office, API, health checks and, with DEMO, the demo."""

from django.conf import settings
from django.contrib import admin
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from api.health import deliveries, healthz, readyz
from api.metrics import metrics
from api.v1 import v1


def build_urls(*, demo: bool) -> list[URLPattern | URLResolver]:
    """The URL patterns of all rooms; those of the demo only with DEMO."""
    patterns: list[URLPattern | URLResolver] = [
        path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
        path("favicon.ico", lambda _request: redirect(static("notifications/icon.svg"))),
        path("admin/", admin.site.urls),
        path("api/v1/", v1.urls),
        path("healthz", healthz, name="healthz"),
        path("healthz/deliveries", deliveries, name="healthz_deliveries"),
        path("readyz", readyz, name="readyz"),
        path("metrics", metrics, name="metrics"),
    ]
    if demo:
        patterns.append(path("demo/", include("demo.urls")))
    return patterns


handler400 = "backoffice.error_pages.bad_request"
handler403 = "backoffice.error_pages.forbidden"
handler404 = "backoffice.error_pages.not_found"
handler500 = "config.statement_limit.failed"
urlpatterns = build_urls(demo=settings.DEMO)
