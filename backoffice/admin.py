"""What `django.contrib.admin` finds: importing these registers the pages of their models."""

from backoffice import api_keys, channels, notifications, orders

__all__ = ["api_keys", "channels", "notifications", "orders"]
