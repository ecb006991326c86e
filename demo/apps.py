import logging

from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "demo"
    verbose_name = "Demo"

    def ready(self) -> None:
        """Keep the refusals that receivers answer on purpose out of the log: they are no errors of this process."""
        from demo import receivers, slack  # their models are not to be had before

        on_purpose = [
            *(("/demo/receiver/", receiver, status) for receiver, status in receivers.REFUSALS.items()),
            *(("/demo/slack/", receiver, status) for receiver, (status, _) in slack.REFUSALS.items()),
        ]

        def is_worth_reporting(record: logging.LogRecord) -> bool:
            """`django.request` says "Service Unavailable: path"; the log of requests has the route and the status."""
            message = record.getMessage()
            return not any(
                message.startswith(f"{status.phrase}: {folder}{receiver}/")
                or (f"'route': '{folder}" in message and f"'status': {status:d}," in message)
                for folder, receiver, status in on_purpose
            )

        for name in ("django.request", "config.request_log"):
            logging.getLogger(name).addFilter(is_worth_reporting)
