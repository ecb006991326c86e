from django.contrib.admin.apps import AdminConfig


class TidingsAdminConfig(AdminConfig):
    """The admin on Tidings' own site."""

    default_site = "config.admin.TidingsAdminSite"
