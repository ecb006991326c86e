from django.apps import AppConfig
from django.db.models.signals import post_migrate


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from notifications import permissions, receivers

        receivers.connect_all()
        post_migrate.connect(permissions.create_groups, sender=self)
