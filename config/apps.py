from django.contrib.admin.apps import AdminConfig

from config.content_type import put_right_before_requests


class TidingsAdminConfig(AdminConfig):
    """The admin on Tidings' own site."""

    default_site = "config.admin.TidingsAdminSite"

    def ready(self) -> None:
        super().ready()
        put_right_before_requests()
