from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Comes after django.contrib.auth, since its admin replaces what that has registered."""

    name = "config.accounts"

    def ready(self) -> None:
        from config.accounts import checks  # noqa: F401 (they register themselves)
