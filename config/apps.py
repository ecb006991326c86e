from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig


class InstallationConfig(AppConfig):
    """The room itself, for its command `doctor`."""

    name = "config"


class TidingsAdminConfig(AdminConfig):
    """The admin on Tidings' own site; and what is to be in place before the first request."""

    default_site = "backoffice.site.TidingsAdminSite"

    def ready(self) -> None:
        from config import checks  # noqa: F401 (registers them)
        from config.content_type import put_right_before_requests
        from config.statement_limit import limit_requests
        from config.sub_path import take_away_before_requests

        super().ready()
        take_away_before_requests()
        put_right_before_requests()
        limit_requests()
        if settings.TRACING:
            from config import tracing  # not imported unless wanted

            tracing.begin()
