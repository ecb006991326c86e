from django.apps import AppConfig


class BackofficeConfig(AppConfig):
    """All pages, their templates and their static files; it has no tables."""

    name = "backoffice"
    verbose_name = "Back office"
