"""The back office's view of notifications: the pages of System notifications, the logs and the history."""

from backoffice.notifications import deliveries, events, log_admin

__all__ = ["deliveries", "events", "log_admin"]
