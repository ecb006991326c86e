"""Looks at what is encrypted at rest: whether the keys open it, and which of them are still needed."""

from collections.abc import Callable, Sequence

from django.conf import settings

from api.reencryption import Report, Tally, look_at_answers, look_at_channels
from config.doctor.examination import Finding, fault, ok, unknown, warning
from notifications.display import counted
from notifications.patience import Unanswered, within

SECONDS = 4.0
_REWRITE = "manage.py reencrypt_secrets writes all of it anew with the newest; then older keys can be taken away."
_LOOK_AT_ALL = "manage.py reencrypt_secrets --dry-run looks for as long as it takes."
_TOO_MUCH = unknown(f"There is more than can be looked at within {SECONDS:g} s.", _LOOK_AT_ALL)


def look_at_secrets() -> Sequence[Finding]:
    """Those of channels."""
    report = _in_time(look_at_channels)
    if report is None:
        return [_TOO_MUCH]
    found = [
        fault(
            f"No key opens the secrets of {channel}.",
            "Put the key that wrote them back at the end of SECRETS_ENCRYPTION_KEYS, or give them anew.",
        )
        for channel in report.lost
    ]
    return found or [_which_keys("secrets of channels", report.channels)]


def look_at_kept_answers() -> Sequence[Finding]:
    """Those kept for an `Idempotency-Key` or a form that was sent; each for a day at most."""
    report = _in_time(look_at_answers)
    if report is None:
        return [_TOO_MUCH]
    if lost := report.answers.unreadable:
        return [
            warning(
                f"No key opens {counted(lost, 'answer')} kept for an Idempotency-Key or a form that was sent.",
                "Put the key that wrote them back at the end of SECRETS_ENCRYPTION_KEYS, or wait for a day.",
            )
        ]
    return [_which_keys("answers", report.answers)]


def _in_time(look: Callable[[], Report]) -> Report | None:
    try:
        return within(look, seconds=SECONDS)
    except Unanswered:
        return None


def _which_keys(what: str, tally: Tally) -> Finding:
    """Whether keys are needed that are not the newest, and whether some are needed no longer. By position, from 1."""
    older = range(1, len(settings.SECRETS_ENCRYPTION_KEYS))
    needed = [position for position in older if tally.by_key[position]]
    total = tally.by_key.total()
    if needed:
        counts = ", ".join(f"key {position + 1} has written {tally.by_key[position]}" for position in needed)
        return warning(f"The keys open all {total} {what}; older keys are needed: {counts}.", _REWRITE)
    unneeded = "; they need none of the older ones" if older else ""
    return ok(f"The newest key opens all {total} {what}{unneeded}.")
