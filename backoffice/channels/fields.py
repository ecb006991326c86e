"""Fields of a channel's form, each built from what a kind declares (`channels_app.transports.fields`)."""

import json
import re
from collections.abc import Mapping
from typing import Any, Protocol

from django import forms

from channels_app.models import Channel
from channels_app.transports import Setting, Takes, UrlField
from channels_app.transports.rules import RecipientsRefused, check_recipients

# Stands for a value where it is not shown. Not printable ASCII: no real header can look like it.
MASK = "••••••••"


class Part(Protocol):
    """The fields for one thing that a channel is given, by name.

    `initial` is what stands in them for a channel that is changed, `hidden` what is behind those that do not show it.
    """

    fields: dict[str, forms.Field]
    initial: dict[str, Any]
    hidden: dict[str, str]

    def given(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments for the services. A field that is left out stays as it is."""
        ...


def parts_of(takes: Takes, channel: Channel | None) -> list[Part]:
    """The parts of the form for a kind, in order; `channel` is the one that is changed, if any."""
    return [
        *([_UrlPart(takes.url, channel)] if takes.url else []),
        *([_HeadersPart(takes.headers.label, channel)] if takes.headers else []),
        *([_RecipientsPart(takes.recipients.label, takes.recipients.help_text, channel)] if takes.recipients else []),
        *([_SettingsPart(takes.settings, channel)] if takes.settings else []),
    ]


class _UrlPart:
    """A stored URL that is a secret is not shown, and kept where none is given."""

    def __init__(self, declared: UrlField, channel: Channel | None) -> None:
        self._keeps = channel is not None and channel.has_secret_url
        kept = f" Leave it empty to keep the present one ({channel.url})." if channel and self._keeps else ""
        self.fields: dict[str, forms.Field] = {
            "url": forms.CharField(
                label=declared.label,
                help_text=declared.help_text + kept,
                required=not self._keeps,
                widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
            )
        }
        self.initial: dict[str, Any] = {"url": "" if self._keeps else channel.url} if channel else {}
        if not declared.secret:
            self.fields["url_is_secret"] = forms.BooleanField(
                label="The URL is a secret",
                required=False,
                help_text="Whoever knows it can post to it, as with those of Zapier, Make and n8n. It is then stored "
                "encrypted and shown masked everywhere. To take this back, give the URL again.",
            )
            self.initial |= {"url_is_secret": channel.url_is_secret} if channel else {}
        self.hidden = {"url": (channel.readable_url if channel and self._keeps else None) or ""}

    def given(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        return {name: cleaned[name] for name in self.fields if cleaned[name] or not (name == "url" and self._keeps)}


class _HeadersPart:
    """One `Name: value` a line. Stored values are shown masked, and a line that still has the mask keeps its value."""

    def __init__(self, label: str, channel: Channel | None) -> None:
        stored = (channel.readable_headers if channel else None) or {}
        self._unreadable = channel is not None and channel.readable_headers is None
        help_text = "One a line, such as Authorization: Bearer abc. At most 20; stored encrypted."
        if stored:
            help_text += f" A line with {MASK} keeps its value."
        self.fields: dict[str, forms.Field] = {"headers": _Headers(stored, label=label, help_text=help_text)}
        masked = "\r\n".join(f"{name}: {MASK}" for name in stored)  # as browsers send it back
        self.initial: dict[str, Any] = {"headers": masked} if channel else {}
        self.hidden = {"headers": json.dumps(sorted(stored.items()))}

    def given(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        if self._unreadable and not cleaned["headers"]:
            return {}  # left alone: the right key may come back
        return {"headers": cleaned["headers"]}


class _Headers(forms.CharField):
    """Cleans to a dict of names to values."""

    def __init__(self, stored: dict[str, str], **kwargs: Any) -> None:
        super().__init__(
            required=False,
            widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false", "class": "ui-code"}),
            **kwargs,
        )
        self._stored = {name.lower(): value for name, value in stored.items()}

    def clean(self, value: Any) -> Any:
        headers: dict[str, str] = {}
        seen: set[str] = set()
        for number, line in enumerate(super().clean(value).splitlines(), start=1):
            if not line.strip():
                continue
            name, colon, given = (part.strip() for part in line.partition(":"))
            if not colon or not name:
                raise forms.ValidationError(f"Line {number} must look like Name: value.")
            if name.lower() in seen:
                raise forms.ValidationError(f"The header {name} is given twice.")
            if given == MASK:
                if name.lower() not in self._stored:
                    raise forms.ValidationError(f"Give a value for {name}.")
                given = self._stored[name.lower()]
            seen.add(name.lower())
            headers[name] = given
        return headers


class _RecipientsPart:
    """The recipients of an e-mail channel, one or several a line."""

    def __init__(self, label: str, help_text: str, channel: Channel | None) -> None:
        self.fields: dict[str, forms.Field] = {"recipients": _Recipients(label=label, help_text=help_text)}
        self.initial: dict[str, Any] = {"recipients": "\r\n".join(channel.recipients)} if channel else {}
        self.hidden: dict[str, str] = {}

    def given(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        return {"recipients": cleaned["recipients"]}


class _Recipients(forms.CharField):
    """Cleans to a list of e-mail addresses."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"rows": 4, "autocomplete": "off", "spellcheck": "false", "inputmode": "email"}
        super().__init__(widget=forms.Textarea(attrs=attrs), **kwargs)

    def clean(self, value: Any) -> Any:
        given = re.split(r"[\s,;]+", super().clean(value))
        try:
            return check_recipients([address for address in given if address])
        except RecipientsRefused as error:
            raise forms.ValidationError(list(error.by_index.values())) from error
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class _SettingsPart:
    """A field for each setting, named as the services name it in errors. A secret that is left masked is kept."""

    def __init__(self, declared: tuple[Setting, ...], channel: Channel | None) -> None:
        stored = (channel.readable_settings if channel else None) or {}
        self._unreadable = channel is not None and channel.readable_settings is None
        self._declared = {f"settings.{setting.name}": setting for setting in declared}
        self.fields: dict[str, forms.Field] = {
            name: _OneSetting(setting, is_kept=bool(stored.get(setting.name)), required=not self._unreadable)
            for name, setting in self._declared.items()
        }
        values = {name: stored.get(setting.name, "") for name, setting in self._declared.items()}
        self.hidden = {name: values[name] for name, setting in self._declared.items() if setting.secret}
        masked = {name: MASK for name, value in self.hidden.items() if value}
        self.initial: dict[str, Any] = values | self.hidden.fromkeys(self.hidden, "") | masked if channel else {}

    def given(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        given = {
            setting.name: cleaned[name]
            for name, setting in self._declared.items()
            if not (setting.secret and cleaned[name] == MASK)
        }
        if self._unreadable and not any(given.values()):
            return {}  # left alone: the right key may come back
        return {"settings": given}


class _OneSetting(forms.CharField):
    def __init__(self, declared: Setting, *, is_kept: bool, required: bool) -> None:
        help_text = declared.help_text
        if declared.secret:
            help_text = f"{help_text} Stored encrypted.".strip()
            help_text += f" {MASK} keeps the present one." if is_kept else ""
        super().__init__(
            label=declared.label,
            help_text=help_text,
            required=declared.required and required,
            widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        )
        self._declared = declared
        self._is_kept = is_kept

    def clean(self, value: Any) -> Any:
        given: str = super().clean(value)
        if not given or (self._declared.secret and self._is_kept and given == MASK):
            return given
        try:
            if self._declared.secret and MASK in given:
                raise ValueError(
                    f"Give the {self._declared.in_a_sentence} itself: {MASK} stands for it where it is not shown."
                )
            return self._declared.checked(given)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
