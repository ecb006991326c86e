"""Found by `django.contrib.admin`: importing these modules registers the pages of their models."""

from backoffice import api_keys, channels, notifications, orders

__all__ = ["api_keys", "channels", "notifications", "orders"]
