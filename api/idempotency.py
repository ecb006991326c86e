"""`Idempotency-Key`: a POST that is sent again happens once and is answered as the first time.

The rooms know nothing of it. Each operation is wrapped as a whole, in one transaction that holds what the call writes
together with the answer kept for its key: both are committed, or neither. What the services open themselves becomes a
savepoint in it, and what they do on commit happens after it.
"""

import hashlib
import inspect
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import wraps
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from ninja.operation import Operation

from api.field_errors import FieldError
from api.models import ApiKey, IdempotencyRecord
from api.parsing import parse_object
from api.problems import Problem
from channels_app.encryption import SecretUnreadable, decrypt, encrypt
from orders.locks import key_of, try_lock

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotent-Replayed"
MAX_LENGTH = 255
KEPT_FOR = timedelta(hours=24)

Run = Callable[..., HttpResponse]


def idempotent(run: Run) -> Run:
    """Wrap `Operation.run` (ninja's decorators of mode `view`). It acts on a POST with an `Idempotency-Key` only.

    The same call again within 24 hours gets the status, headers and bytes of the first answer, with
    `Idempotent-Replayed: true`. Answers 422 where the key is not 1 to 255 characters of printable ASCII, and 409
    where it belongs to a call with another path or body, where that call is still running (`Retry-After: 1`), and
    where the first answer can no longer be decrypted. Only answers of 2xx are kept; a call that is answered otherwise
    writes nothing and leaves its key free.
    """
    operation: Operation = inspect.unwrap(run).__self__

    @wraps(run)
    def once(request: HttpRequest, **path_parameters: Any) -> HttpResponse:
        if request.method != "POST" or HEADER not in request.headers:
            return run(request, **path_parameters)
        # `run` will ask again; here it says whose key this is, before a transaction that a refusal rolls back.
        refused = operation._run_checks(request)
        if refused is not None:
            return refused
        try:
            return _once(request, lambda: run(request, **path_parameters))
        except Exception as error:
            return operation.api.on_exception(request, error)

    return once


def _once(request: HttpRequest, run: Callable[[], HttpResponse]) -> HttpResponse:
    key = _key(request)
    owner: ApiKey = request.auth  # type: ignore[attr-defined]
    fingerprint = _fingerprint(request)
    with transaction.atomic(durable=True):
        first = _lock(owner, key)
        # Looked for after the lock, and also without it: another repeat of a call that has ended may hold it.
        record = IdempotencyRecord.objects.filter(api_key=owner, key=key, created_at__gt=Now() - KEPT_FOR).first()
        if record is not None:
            return _replay(record, fingerprint)
        if not first:
            raise Problem(
                409, "The first call with this Idempotency-Key is still running.", headers={"Retry-After": "1"}
            )
        response = run()
        if 200 <= response.status_code < 300:
            _keep(owner, key, fingerprint, response)
        else:
            transaction.set_rollback(True)
        return response


def _key(request: HttpRequest) -> str:
    key: str = request.headers[HEADER]
    if not 1 <= len(key) <= MAX_LENGTH or not all(" " <= character <= "~" for character in key):
        raise Problem.of_fields([FieldError(HEADER, f"Give 1 to {MAX_LENGTH} characters of printable ASCII.")])
    return key


def _fingerprint(request: HttpRequest) -> str:
    """A hash of method, path and body. The order of a body's members and the space between them mean nothing."""
    body: bytes = request.body
    with suppress(Problem):  # an operation that takes a body refuses that one: then nothing is kept
        body = json.dumps(parse_object(body), sort_keys=True, default=repr).encode()
    return hashlib.sha256(b"\n".join([f"{request.method} {request.path}".encode(), body])).hexdigest()


def _lock(owner: ApiKey, key: str) -> bool:
    """Hold the key until this transaction ends; False at once where another one holds it.

    PostgreSQL releases it after the commit is visible, so that the next holder sees the kept answer.
    """
    return try_lock(key_of(f"{HEADER} {owner.pk} {key}"))


def _keep(owner: ApiKey, key: str, fingerprint: str, response: HttpResponse) -> None:
    """Keep the answer, in the place of an expired record if there is one."""
    answer = {
        "status": response.status_code,
        "headers": dict(response.items()),
        "body": response.content.decode(),
    }
    IdempotencyRecord.objects.update_or_create(
        api_key=owner,
        key=key,
        defaults={
            "fingerprint": fingerprint,
            "encrypted_answer": encrypt(json.dumps(answer)),
            "created_at": Now(),
        },
    )


def _replay(record: IdempotencyRecord, fingerprint: str) -> HttpResponse:
    if record.fingerprint != fingerprint:
        raise Problem(409, "This Idempotency-Key belongs to a call with another path or body.")
    try:
        answer = json.loads(decrypt(record.encrypted_answer))
    except SecretUnreadable as error:
        raise Problem(
            409, "A call with this Idempotency-Key took effect, but its answer can no longer be read."
        ) from error
    return HttpResponse(
        answer["body"].encode(), status=answer["status"], headers={**answer["headers"], REPLAYED_HEADER: "true"}
    )
