"""`manage.py doctor`: looks at all that an installation needs, and says what to do.

`examination` runs the checks, each for a few seconds at most and whatever the others come to; `checks` lists them in
their order. A check reads and changes nothing. What a fact is made of stands where others use it, too:
`notifications.monitoring` (worker, beat, deliveries), `api.health` (migrations), `api.reencryption` (keys),
`channels_app.transports.email` (mail) and Django's system checks.
"""
