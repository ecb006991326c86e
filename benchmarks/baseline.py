"""What is usual with Celery: one task a delivery, the ORM, a `requests` session, one attempt row, one update, prefork.

Runs on Tidings' own tables, with the same signature and the same secrets. `BASELINE_DB_REUSE_MAX` keeps a database
connection for so many tasks; without it Celery's Django fixup closes the connection around every task.
"""

import os
import time
from datetime import timedelta
from typing import Any

import requests
from celery import Celery
from django.conf import settings
from django.utils import timezone

app = Celery("baseline", broker=settings.CELERY_BROKER_URL, set_as_current=False)
app.config_from_object(
    {
        "task_ignore_result": True,
        "worker_pool": "prefork",
        "worker_hijack_root_logger": False,
        "CELERY_DB_REUSE_MAX": int(os.environ.get("BASELINE_DB_REUSE_MAX", "0")) or None,
    }
)
session = requests.Session()


@app.task(bind=True, name="baseline.deliver", max_retries=3)  # type: ignore[untyped-decorator]  # Celery has no types
def deliver(task: Any, delivery_id: str) -> None:
    from channels_app.transports import Outcome
    from channels_app.transports.postback.signature import sign
    from notifications.models import Delivery, DeliveryAttempt

    delivery = Delivery.objects.select_related("event", "channel").get(pk=delivery_id)
    assert delivery.event.body is not None
    body = delivery.event.body.encode()
    now = int(time.time())
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "webhook-id": delivery.event_id,
        "webhook-timestamp": str(now),
        "webhook-signature": sign(delivery.channel.secret, delivery.event_id, now, body),
        **delivery.channel.headers,
    }
    started = time.monotonic()
    outcome, status, text, error = Outcome.CONNECTION_ERROR, None, "", ""
    answer_headers: dict[str, str] = {}
    try:
        answer = session.post(
            delivery.channel.url,
            data=body,
            headers=headers,
            timeout=settings.POSTBACK_TIMEOUT_SECONDS,
            allow_redirects=False,
        )
        status, text, answer_headers = answer.status_code, answer.text[:16384], dict(answer.headers)
        outcome = Outcome.SUCCEEDED if answer.ok else Outcome.HTTP_ERROR
    except requests.RequestException as failure:
        error = str(failure)
    DeliveryAttempt.objects.create(
        delivery=delivery,
        number=delivery.attempts_made + 1,
        trigger="first",
        outcome=outcome,
        url=delivery.channel.url,
        status_code=status,
        request_headers=headers,
        response_headers=answer_headers,
        response_body=text,
        duration_ms=round((time.monotonic() - started) * 1000),
        error=error,
    )
    succeeded = outcome == Outcome.SUCCEEDED
    Delivery.objects.filter(pk=delivery_id).update(
        status="succeeded" if succeeded else "failed",
        outcome=outcome,
        status_code=status,
        error=error,
        attempts_made=delivery.attempts_made + 1,
        next_attempt_at=None,
        finished_at=timezone.now(),
    )
    if not succeeded and status in settings.POSTBACK_RETRY_STATUS_CODES:
        raise task.retry(countdown=timedelta(minutes=1).total_seconds())
