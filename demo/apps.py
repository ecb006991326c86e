import logging

from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "demo"
    verbose_name = "Demo"

    def ready(self) -> None:
        """Keep the refusals that receivers answer on purpose out of the log: they are no errors of this process."""
        from demo import receivers, slack  # their models are not to be had before

        on_purpose = [
            *((f"/demo/receiver/{receiver}/", status) for receiver, status in receivers.REFUSALS.items()),
            *((f"/demo/slack/{receiver}/", status) for receiver, (status, _) in slack.REFUSALS.items()),
        ]

        def is_worth_reporting(record: logging.LogRecord) -> bool:
            """`django.request` says "Service Unavailable: path", django-structlog has a record with the code."""
            message = record.getMessage()
            return not any(
                path in message and (message.startswith(f"{status.phrase}:") or f"'code': {status:d}" in message)
                for path, status in on_purpose
            )

        for name in ("django.request", "django_structlog.middlewares.request"):
            logging.getLogger(name).addFilter(is_worth_reporting)
