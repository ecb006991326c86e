from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Comes after django.contrib.auth, since its admin replaces what that has registered."""

    name = "backoffice.accounts"

    def ready(self) -> None:
        pass
