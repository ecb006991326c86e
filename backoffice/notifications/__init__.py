"""The back office's view of notifications: the pages of System notifications, the logs and the history."""

from backoffice.notifications import deliveries, events, history

__all__ = ["deliveries", "events", "history"]
