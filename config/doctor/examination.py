"""Runs checks one after the other, none for longer than its time, and keeps secrets out of what they say."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from urllib.parse import quote, urlsplit

from django.conf import settings

from channels_app.text import one_line
from channels_app.transports.redactor import Redactor

SECONDS = 5.0


class Status(StrEnum):
    """How something is. `UNKNOWN`: it cannot be seen from here, or the check of it could not be done."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One line: how something is, in a sentence, and what to do about it ("" where nothing is)."""

    status: Status
    says: str
    do: str = ""
    check: str = ""

    def as_dict(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Check:
    """`look` returns what it finds; where it says nothing in time, the finding has the status `when_silent`."""

    name: str
    look: Callable[[], Sequence[Finding]]
    needs_database: bool = False
    when_silent: Status = Status.UNKNOWN
    do_when_silent: str = ""


def ok(says: str) -> Finding:
    return Finding(Status.OK, says)


def warning(says: str, do: str) -> Finding:
    return Finding(Status.WARNING, says, do)


def fault(says: str, do: str) -> Finding:
    return Finding(Status.FAULT, says, do)


def unknown(says: str, do: str = "") -> Finding:
    return Finding(Status.UNKNOWN, says, do)


def examine(checks: Iterable[Check], *, database: str, seconds: float | None = None) -> Iterator[Finding]:
    """Run `checks` in their order, each for `seconds` at most. Yields what each finds as soon as it is known.

    Without `seconds` it is `SECONDS`. Those that need the database are not begun once the check named `database` has
    found a fault.
    """
    redactor = Redactor(secrets())
    reachable = True
    for check in checks:
        if check.needs_database and not reachable:
            found: Sequence[Finding] = [unknown("Cannot be seen while the database is not reached.")]
        else:
            found = _in_time(check, SECONDS if seconds is None else seconds)
        if check.name == database:
            reachable = all(finding.status != Status.FAULT for finding in found)
        for finding in found:
            says, do = (redactor.of_text(one_line(text)) for text in (finding.says, finding.do))
            yield replace(finding, says=says, do=do, check=check.name)


def _in_time(check: Check, seconds: float) -> Sequence[Finding]:
    """What `check` finds. It runs in a daemon thread, which is left behind when its time is over.

    So does what no time limit of a client ends: the lookup of a name, a server that answers nothing.
    """
    found: list[Sequence[Finding]] = []

    def run() -> None:
        try:
            found.append(check.look())
        except Exception as error:
            found.append([unknown(f"The check itself failed: {type(error).__name__}: {error}")])

    thread = threading.Thread(target=run, name=f"check of {check.name}", daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        return [Finding(check.when_silent, f"There is no answer within {seconds:g} s.", check.do_when_silent)]
    return found[0]


def secrets() -> list[str]:
    """Every secret in the settings, as it is and as a URL has it."""
    database = settings.DATABASES["default"]
    known = [
        settings.SECRET_KEY,
        *settings.SECRETS_ENCRYPTION_KEYS,
        settings.METRICS_TOKEN,
        settings.EMAIL_HOST_PASSWORD,
        database["PASSWORD"],
        database["OPTIONS"].get("sslpassword"),
        *(urlsplit(url).password for url in (settings.REDIS_URL, settings.EGRESS_PROXY_URL) if url),
    ]
    given = [str(secret) for secret in known if secret]
    return [*given, *(quote(secret, safe="") for secret in given)]
