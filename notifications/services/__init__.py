"""Changes by users and scripts. Each function is one change, whole or not at all, and leaves a history entry.

`by` names who did it: a user's name, or that of an API key.
"""

from notifications.pausing import pause_channel
from notifications.services.channels import (
    archive_channel,
    create_channel,
    end_secret,
    note_headers_given,
    probe_now,
    resume_channel,
    reveal_secret,
    rotate_secret,
    send_test,
    update_channel,
)
from notifications.services.deliveries import retry_delivery, retry_refused_because
from notifications.services.routing import attach_channel, change_sources, detach_channel, set_event_type_enabled

__all__ = [
    "archive_channel",
    "attach_channel",
    "change_sources",
    "create_channel",
    "detach_channel",
    "end_secret",
    "note_headers_given",
    "pause_channel",
    "probe_now",
    "resume_channel",
    "retry_delivery",
    "retry_refused_because",
    "reveal_secret",
    "rotate_secret",
    "send_test",
    "set_event_type_enabled",
    "update_channel",
]
