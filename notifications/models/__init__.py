"""The tables of notifications.

The three nouns: an event is recorded once with its body; a delivery is one event for one channel; an attempt is one
time that a delivery was sent. Written by `notifications.receivers`, `.services` and `.delivery` only.
"""

from notifications.models.alerts import Alert, AlertChannel, new_alert_id
from notifications.models.deliveries import (
    EVENT_TEXTS,
    IS_HELD,
    IS_WAITING,
    IS_WITHDRAWN,
    TESTS_AT_ONCE,
    AlertDelivery,
    Delivery,
    DeliveryAttempt,
    Trigger,
    new_attempt_id,
    new_delivery_id,
)
from notifications.models.events import TEST_EVENT_PREFIX, Event, new_event_id, new_test_event_id
from notifications.models.health import FAILURES_BEFORE_PROBING, ChannelBacklog, ChannelHealth, ChannelHour, Heartbeat
from notifications.models.history import HistoryEntry
from notifications.models.metrics import MetricProcess, MetricTotal
from notifications.models.replays import ReplayJob, new_replay_id
from notifications.models.routing import EventChannel, EventTypeSwitch, validate_event_type

__all__ = [
    "EVENT_TEXTS",
    "FAILURES_BEFORE_PROBING",
    "IS_HELD",
    "IS_WAITING",
    "IS_WITHDRAWN",
    "TESTS_AT_ONCE",
    "TEST_EVENT_PREFIX",
    "Alert",
    "AlertChannel",
    "AlertDelivery",
    "ChannelBacklog",
    "ChannelHealth",
    "ChannelHour",
    "Delivery",
    "DeliveryAttempt",
    "Event",
    "EventChannel",
    "EventTypeSwitch",
    "Heartbeat",
    "HistoryEntry",
    "MetricProcess",
    "MetricTotal",
    "ReplayJob",
    "Trigger",
    "new_alert_id",
    "new_attempt_id",
    "new_delivery_id",
    "new_event_id",
    "new_replay_id",
    "new_test_event_id",
    "validate_event_type",
]
