"""Tells people that something is wrong: the notification administrators by e-mail, and the channels chosen for it.

An alert is written in the transaction of its cause (`notifications.alert_raising`), or by the periodic task that looks
for what lasts (`watching`, by the times of `stages`), and sent afterwards (`sending`), so a mail server or a Slack that
is away holds nobody up. Each target (`notifications.alert_targets`) has a copy of its own, which is claimed
(`claiming`) at its turn: at most one an hour for one cause, and what is no longer true then is withdrawn, since what
was mended needs nobody's attention. Everything is kept in PostgreSQL: a restart forgets nothing, and of two processes
only one does each thing.

Raising and targets stand beside this package, not in it: the engine raises alerts, and this package asks the engine.
"""

from notifications.alerts.sending import send_due

__all__ = ["send_due"]
