"""Carries the facts that a page showed in its forms, and compares them with the facts when a form is sent.

`backoffice.stale_forms` does so for fields that people edit. Here is what both share, and what buttons need that
act on something as it stands: to delete, to resume, to clear.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.utils.crypto import salted_hmac
from django.utils.html import format_html
from django.utils.safestring import SafeString

FIELD = "form-shown"
NOTHING = "nothing"
_SALT = "tidings.form_shown"


def hidden_input(about: str, values: Mapping[str, Any]) -> SafeString:
    """The field of a form that says what the page shows of `about`. Signed, not encrypted: put no secret into it."""
    return format_html(
        '<input type="hidden" name="{}" value="{}">',
        FIELD,
        signing.dumps([about, dict(values)], salt=_SALT, compress=True),
    )


def read(data: Mapping[str, Any], about: str) -> dict[str, Any] | None:
    """The facts that this form carries; None where it has none, or those of another object."""
    try:
        said, values = signing.loads(data.get(FIELD, ""), salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return values if said == about and isinstance(values, dict) else None


def digest(secret: str | None) -> str:
    """A keyed hash, to compare a secret without showing it; "" for none."""
    return salted_hmac(_SALT, secret, algorithm="sha256").hexdigest()[:32] if secret else ""


@dataclass(frozen=True)
class Change:
    """A fact that was changed since the page was opened, and what it is now."""

    label: str
    before: str
    now: str

    @property
    def sentence(self) -> str:
        if self.before == self.now:
            return f"{self.label} was changed."
        return f"{self.label} was {self.before or NOTHING} and is now {self.now or NOTHING}."


class Facts:
    """The facts that a page shows before a button is pressed, as label -> words.

    `secrets` are facts that are not shown, as label -> secret: of those the page only says that they were changed.
    """

    def __init__(
        self, about: str, facts: Mapping[str, object], secrets: Mapping[str, str | None] | None = None
    ) -> None:
        self._about = about
        self._facts = {label: str(words or "") for label, words in facts.items()}
        self._secrets = {label: digest(secret) for label, secret in (secrets or {}).items()}

    @property
    def hidden_input(self) -> SafeString:
        return hidden_input(self._about, {"facts": self._facts, "secrets": self._secrets})

    def changes(self, data: Mapping[str, Any]) -> list[Change]:
        """The facts that differ from those of the page that `data` was sent from; none where it carries no facts."""
        shown = read(data, self._about)
        if shown is None:
            return []
        before, secrets = shown.get("facts", {}), shown.get("secrets", {})
        return [
            *(
                Change(label, before[label], words)
                for label, words in self._facts.items()
                if label in before and before[label] != words
            ),
            *(
                Change(label, "", "")
                for label, secret in self._secrets.items()
                if label in secrets and secrets[label] != secret
            ),
        ]


def in_a_sentence(changes: Sequence[Change], done: str = "Nothing was changed.") -> str:
    """Why a button did nothing, for a message."""
    return f"{done} Since the page was opened, somebody else was here: {' '.join(each.sentence for each in changes)}"
