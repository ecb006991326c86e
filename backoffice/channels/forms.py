"""Forms of the channels' pages. `channels_app.services` judges what is given; forms ask and show."""

from functools import cache
from pathlib import Path
from typing import Any

from django import forms
from django.http import QueryDict
from django.template import Context, Template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from backoffice.channels.fields import parts_of
from channels_app.models import Channel
from channels_app.transports import TRANSPORTS, kind_choices


class ChannelForm(forms.Form):
    """A name, and what channels of this kind take. `channel` is the one that is changed.

    `given()` is what `services.create_channel` and `.update_channel` take.
    """

    name = forms.CharField(max_length=100, help_text="How people recognise it, such as Warehouse.")

    def __init__(self, data: QueryDict | None = None, *, kind: str, channel: Channel | None = None) -> None:
        self._transport = TRANSPORTS[kind]
        self._parts = parts_of(self._transport.takes, channel)
        initial = {"name": channel.name} if channel else {}
        for part in self._parts:
            initial |= part.initial
        super().__init__(data, initial=initial, label_suffix="")
        fields = [name for part in self._parts for name in part.fields]
        for part in self._parts:
            self.fields |= part.fields
        # New credentials never go to an address that another user has given meanwhile, nor known ones to a new one.
        self.belong_together = [fields] if len(fields) > 1 else []

    @property
    def about(self) -> str:
        """The purpose of the kind, beside its choice."""
        return self._transport.about

    @property
    def advice(self) -> SafeString:
        """The kind's advice for a new channel, as HTML."""
        path = self._transport.advice
        link = '<a href="{}" target="_blank" rel="noopener">How to create a channel (opens in a new tab)</a>'
        return (
            _template(path).render(Context({"guide": format_html(link, reverse("admin:help_channels"))}))
            if path
            else SafeString()
        )

    def hidden_values(self) -> dict[str, str]:
        """The values behind masked fields, by field."""
        return {name: value for part in self._parts for name, value in part.hidden.items()}

    def given(self) -> dict[str, Any]:
        given = {"name": self.cleaned_data["name"]}
        for part in self._parts:
            given |= part.given(self.cleaned_data)
        return given


@cache
def _template(path: Path) -> Template:
    return Template(path.read_text(encoding="utf-8"))


def described_kinds() -> list[tuple[str, SafeString]]:
    """Kinds, each with its label and what it is for."""
    described = '<span>{}<span class="ui-meta ui-line">{}</span></span>'
    return [(kind, format_html(described, label, TRANSPORTS[kind].about)) for kind, label in kind_choices()]


class KindForm(forms.Form):
    """The first question about a new channel."""

    kind = forms.ChoiceField(
        choices=described_kinds,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose a kind.", "invalid_choice": "There is no such kind of channel."},
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, label_suffix="")


class PauseForm(forms.Form):
    """The reason of a pause, at most 500 characters."""

    reason = forms.CharField(
        required=False, max_length=500, help_text="Shown to colleagues while the channel is paused."
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, label_suffix="")


class TestForm(forms.Form):
    """The event type to send a sample of, one of `event_types`: those that the channel's kind may hear of."""

    def __init__(self, data: QueryDict | None = None, *, event_types: list[tuple[str, str]]) -> None:
        super().__init__(data, label_suffix="")
        self.fields["event_type"] = forms.ChoiceField(choices=event_types, label="Event type")


class RotateForm(forms.Form):
    """How long the replaced secret goes on signing."""

    overlap = forms.ChoiceField(
        label="The old secret",
        choices=[
            ("24h", "Signs as well for 24 hours, in which the receiver changes over"),
            ("now", "Signs no more, as after a leak"),
        ],
        widget=forms.RadioSelect,
        initial="24h",
        error_messages={"required": "Choose one.", "invalid_choice": "Choose one."},
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, label_suffix="")


class ReplayForm(forms.Form):
    """From when on what failed is sent again, in the time zone of the page."""

    since = forms.DateTimeField(
        label="Failed since",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S"),
    )

    def __init__(self, data: QueryDict | None = None, *, initial: dict[str, object] | None = None) -> None:
        super().__init__(data, initial=initial, label_suffix="")
