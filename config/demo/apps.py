import logging

from django.apps import AppConfig

_FAILING_PATH = "/demo/receiver/failing/"


class DemoConfig(AppConfig):
    name = "config.demo"
    verbose_name = "Demo"

    def ready(self) -> None:
        """The failing receiver answers 503 on purpose: that is no error of ours to report to the terminal."""
        for name in ("django.request", "django_structlog.middlewares.request"):
            logging.getLogger(name).addFilter(_is_worth_reporting)


def _is_worth_reporting(record: logging.LogRecord) -> bool:
    """`django.request` says "Service Unavailable: path", django-structlog has a record with the code."""
    message = record.getMessage()
    refused_on_purpose = message.startswith("Service Unavailable:") or "'code': 503" in message
    return not (refused_on_purpose and _FAILING_PATH in message)
