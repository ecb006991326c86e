"""The back office's view of notifications: the pages of System notifications, the delivery log and the events."""

from notifications.admin import deliveries, events

__all__ = ["deliveries", "events"]
