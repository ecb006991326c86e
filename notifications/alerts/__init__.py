"""Tells people that something is wrong: the notification administrators by e-mail, and the channels chosen for it.

An alert is an event of Tidings itself. It is written in the transaction of its cause
(`notifications.alert_raising`), or by the periodic task that looks for what lasts (`watching`, by the times of
`stages`), with a delivery for each target (`notifications.alert_targets`). The engine sends it as every other delivery,
in a lane outside every rate. At its turn it is judged (`turn`): at most one an hour for one cause, and what is no
longer true then is withdrawn, since what was mended needs nobody's attention.

Raising and targets stand beside this package, not in it: the engine raises alerts, and asks this package about them.
"""
