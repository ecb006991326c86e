"""Tells people that something is wrong: the notification administrators by e-mail, and the channels chosen for it.

An alert is written in the transaction of its cause (`writing`), or by the periodic task that looks for what lasts
(`watching`, by the times of `stages`), and sent afterwards (`sending`), so a mail server or a Slack that is away holds
nobody up. Each target has a copy of its own, which is claimed (`claiming`) at its turn: at most one an hour for one
cause, and what is no longer true then is withdrawn, since what was mended needs nobody's attention. Everything is
kept in PostgreSQL: a restart forgets nothing, and of two processes only one does each thing.
"""

from notifications.alerts.sending import send_due
from notifications.alerts.targets import NOBODY, recipients
from notifications.alerts.writing import AT_MOST_EVERY, channel_failing, channel_paused, deliveries_lost

__all__ = ["AT_MOST_EVERY", "NOBODY", "channel_failing", "channel_paused", "deliveries_lost", "recipients", "send_due"]
