import logging

from django.apps import AppConfig

from demo.answers import REFUSALS, SLACK_REFUSALS


class DemoConfig(AppConfig):
    name = "demo"
    verbose_name = "Demo"

    def ready(self) -> None:
        """Some receivers refuse on purpose: that is no error of ours to report to the terminal."""
        for name in ("django.request", "django_structlog.middlewares.request"):
            logging.getLogger(name).addFilter(_is_worth_reporting)


_ON_PURPOSE = [
    *((f"/demo/receiver/{receiver}/", status) for receiver, status in REFUSALS.items()),
    *((f"/demo/slack/{receiver}/", status) for receiver, (status, _) in SLACK_REFUSALS.items()),
]


def _is_worth_reporting(record: logging.LogRecord) -> bool:
    """`django.request` says "Service Unavailable: path", django-structlog has a record with the code."""
    message = record.getMessage()
    return not any(
        path in message and (message.startswith(f"{status.phrase}:") or f"'code': {status:d}" in message)
        for path, status in _ON_PURPOSE
    )
