"""Another application, with Celery's own defaults, that shares a Redis with Tidings."""

import os

from celery import Celery
from redis import Redis

app = Celery("foreign", broker=os.environ["FOREIGN_BROKER"])
app.conf.beat_scheduler = "celery.beat.Scheduler"


@app.task(name="foreign.note")
def note(word: str) -> None:
    Redis.from_url(os.environ["FOREIGN_BROKER"]).rpush("foreign-noted", word)
