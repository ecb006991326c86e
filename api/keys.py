"""Keys of the REST API: made once and shown once, found again by their hash."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import timedelta

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now

from api.models import ApiKey, Scope
from api.scopes import may_make, may_not_make
from notifications import history
from orders.text import is_clean_line

KEY_PREFIX = "tidings_"
SHOWN_CHARACTERS = len(KEY_PREFIX) + 6
LAST_USED_RESOLUTION = timedelta(minutes=1)
_NOTED_LONG_AGO = Q(last_used_at=None) | Q(last_used_at__lte=Now() - LAST_USED_RESOLUTION)


@transaction.atomic
def create_key(*, name: str, scopes: Collection[str], made_by: User | None = None) -> tuple[ApiKey, str]:
    """Make a key and return its record together with the key itself, which is kept nowhere.

    `name` is trimmed, 1 to 100 characters on one line; `scopes` is at least one of `Scope`, repetitions count once.
    `made_by` is the person who makes it, None for a command; the history keeps who it was. Raises `ValidationError`
    with `name` or `scopes`, and `PermissionDenied` where that person may not do all that a scope gives.
    """
    name = name.strip()
    longest = ApiKey._meta.get_field("name").max_length or 0
    if not name:
        raise ValidationError({"name": ["A key needs a name."]})
    if len(name) > longest:
        raise ValidationError({"name": [f"A name has at most {longest} characters."]})
    if not is_clean_line(name):
        raise ValidationError({"name": ["A name is a single line without control characters."]})
    if not scopes:
        raise ValidationError({"scopes": ["A key needs at least one scope."]})
    for scope in scopes:
        if scope not in Scope.values:
            raise ValidationError({"scopes": [f"There is no scope {scope!r}: choose from {', '.join(Scope.values)}."]})
    refused = [Scope(scope) for scope in scopes if made_by is not None and not may_make(made_by, scope)]
    if refused:
        raise PermissionDenied(may_not_make(refused))
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    record = ApiKey.objects.create(
        name=name,
        key_hash=_hash(key),
        prefix=key[:SHOWN_CHARACTERS],
        scopes=[scope for scope in Scope.values if scope in scopes],
        made_by=made_by,
        created_at=Now(),
    )
    record.refresh_from_db(fields=["created_at"])
    history.record(
        action=history.Action.KEY_MADE,
        by=_name(made_by),
        sentence=f"The API key {record} was made, with the scope{'s'[: len(record.scopes) - 1]} "
        f"{' and '.join(record.scopes)}.",
        api_key_id=record.pk,
    )
    return record, key


def authenticate(key: str) -> ApiKey | None:
    """The record of a key that is in force, else None. Notes the use, at most once a minute."""
    keys = ApiKey.objects.annotate(noted_long_ago=ExpressionWrapper(_NOTED_LONG_AGO, BooleanField()))
    record = keys.filter(key_hash=_hash(key), revoked_at=None).first()
    # Asked again in the update: of many calls at once, one writes.
    if record is not None and record.noted_long_ago:
        ApiKey.objects.filter(_NOTED_LONG_AGO, pk=record.pk).update(last_used_at=Now())
    return record


@transaction.atomic
def revoke_key(record: ApiKey, *, revoked_by: User | None = None) -> None:
    """Take the key out of force for good; revoking it again keeps the first time.

    `revoked_by` is the person who does it, None for a command.
    """
    if ApiKey.objects.filter(pk=record.pk, revoked_at=None).update(revoked_at=Now()):
        history.record(
            action=history.Action.KEY_REVOKED,
            by=_name(revoked_by),
            sentence=f"The API key {record} was revoked.",
            api_key_id=record.pk,
        )
    record.refresh_from_db()


def _name(person: User | None) -> str:
    return person.get_username() if person is not None else history.operator()


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
