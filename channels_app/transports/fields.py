"""The fields of a channel beside its name, as its kind declares them.

Pages, API, encryption, masking and checks follow the declaration, so that a further kind needs none of its own.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from channels_app.transports.redactor import SHORTEST_CREDENTIAL
from channels_app.transports.rules import MASK

LONGEST_NAME = 100
WHOEVER_KNOWS_IT = (
    "Whoever knows it can post to it, so it is stored encrypted and shown only when revealed. If it got out, have a "
    "new one made where it comes from, and give that with Edit."
)


@dataclass(frozen=True)
class UrlField:
    """The URL that messages are sent to. `label` and `help_text` are those of the form.

    `secret`: the URL is a credential by itself, so it is encrypted at rest and shown masked only, and `if_leaked`
    says what to do about one that got out. Where it is not so for the whole kind, it may be for a channel
    (`Channel.has_secret_url`).
    """

    help_text: str
    label: str = "URL"
    secret: bool = False
    if_leaked: str = WHOEVER_KNOWS_IT

    @property
    def in_a_sentence(self) -> str:
        return in_a_sentence(self.label)


@dataclass(frozen=True)
class HeadersField:
    """Extra headers that are sent along: credentials, encrypted at rest. None are needed."""

    label: str = "Extra headers"


@dataclass(frozen=True)
class RecipientsField:
    """E-mail addresses, from one to 50."""

    help_text: str
    label: str = "Recipients"


def in_a_sentence(label: str) -> str:
    """A label as it stands within a sentence: `webhook URL`, but `API key`."""
    first = label.partition(" ")[0]
    return label if first.isupper() else label[:1].lower() + label[1:]


def _as_it_is(value: str) -> str:
    return value


@dataclass(frozen=True)
class Setting:
    """A value of one line that only this kind has, kept in the encrypted settings of a channel.

    `name` is that in the API and in `Destination.settings`. A `secret` one is never shown again: it is masked
    in pages and answers, and taken out of what is kept of an attempt. `check` returns the value as it is kept, and
    raises `ValueError` with a sentence for one that cannot be used. A setting that is not `required` may be "".
    """

    name: str
    label: str
    help_text: str = ""
    secret: bool = False
    required: bool = True
    max_length: int = 200
    check: Callable[[str], str] = _as_it_is

    @property
    def in_a_sentence(self) -> str:
        return in_a_sentence(self.label)

    def checked(self, given: str) -> str:
        """The value as it is kept: trimmed. Raises `ValueError` with a sentence."""
        value = given.strip()
        if not value:
            if self.required:
                raise ValueError(f"{self.label} is needed.")
            return ""
        if len(value) > self.max_length:
            raise ValueError(f"{self.label} must be at most {self.max_length} characters long.")
        if not value.isprintable():
            raise ValueError(f"{self.label} must be on one line, without control characters.")
        if self.secret and MASK in value:
            raise ValueError(f"Give the {self.in_a_sentence} itself: {MASK} stands for it where it is not shown.")
        if self.secret and len(value) < SHORTEST_CREDENTIAL:
            raise ValueError(f"{self.label} must be at least {SHORTEST_CREDENTIAL} characters long.")
        return self.check(value)


class SettingsRefused(ValueError):
    """Settings that cannot be used, each with a sentence, by name."""

    def __init__(self, by_name: dict[str, str]) -> None:
        super().__init__(" ".join(by_name.values()))
        self.by_name = by_name


def checked_settings(
    declared: Sequence[Setting], values: Mapping[str, str], *, given: Collection[str]
) -> dict[str, str]:
    """All declared settings as they are kept. Of `values` only the names in `given` are new, and may be refused for
    being unknown. Raises `SettingsRefused`.
    """
    known = {setting.name for setting in declared}
    refused = {name[:LONGEST_NAME]: "There is no such setting." for name in given if name not in known}
    checked = {}
    for setting in declared:
        try:
            checked[setting.name] = setting.checked(values.get(setting.name, ""))
        except ValueError as error:
            refused[setting.name] = str(error)
    if refused:
        raise SettingsRefused(refused)
    return checked


@dataclass(frozen=True)
class Takes:
    """All that a channel of a kind is given; all of it is needed, but for headers and settings that say so.

    `signing_secret`: its messages are signed, with a secret that is made for each channel.
    """

    url: UrlField | None = None
    headers: HeadersField | None = None
    recipients: RecipientsField | None = None
    settings: tuple[Setting, ...] = ()
    signing_secret: bool = False

    @property
    def secret_url(self) -> bool:
        """Whether the URL of every channel of the kind is a secret."""
        return self.url is not None and self.url.secret

    @property
    def secret_settings(self) -> tuple[Setting, ...]:
        return tuple(setting for setting in self.settings if setting.secret)
