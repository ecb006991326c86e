from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "config.api"
    verbose_name = "API"
