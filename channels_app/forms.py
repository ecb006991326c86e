"""Forms of the channels' pages. `channels_app.services` judges URLs and headers; forms ask and show."""

from django import forms
from django.http import QueryDict

from channels_app.transports import kind_choices

# Stands for a header's value where it is not shown. Not printable ASCII: no real value can look like it.
MASK = "••••••••"


class ChannelForm(forms.Form):
    """Name, URL and extra headers, one `Name: value` a line.

    `headers` are those stored: the form shows them masked, and a line that still has the mask keeps its value.
    `cleaned_data["headers"]` is a dict of names to values.
    """

    name = forms.CharField(max_length=100, help_text="How people recognise it, such as Warehouse.")
    url = forms.CharField(
        label="URL",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Each notification is sent to it as a POST.",
    )
    headers = forms.CharField(
        label="Extra headers",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false", "class": "ui-code"}),
    )

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        initial: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self._stored = headers or {}
        masked = "\r\n".join(f"{name}: {MASK}" for name in self._stored)  # as browsers send it back
        super().__init__(data, initial={**(initial or {}), "headers": masked}, label_suffix="")
        help_text = "One a line, such as Authorization: Bearer abc. At most 20; stored encrypted."
        if self._stored:
            help_text += f" A line with {MASK} keeps its value."
        self.fields["headers"].help_text = help_text

    def clean_headers(self) -> dict[str, str]:
        stored = {name.lower(): value for name, value in self._stored.items()}
        headers: dict[str, str] = {}
        seen: set[str] = set()
        for number, line in enumerate(self.cleaned_data["headers"].splitlines(), start=1):
            if not line.strip():
                continue
            name, colon, value = (part.strip() for part in line.partition(":"))
            if not colon or not name:
                raise forms.ValidationError(f"Line {number} must look like Name: value.")
            if name.lower() in seen:
                raise forms.ValidationError(f"The header {name} is given twice.")
            if value == MASK:
                if name.lower() not in stored:
                    raise forms.ValidationError(f"Give a value for {name}.")
                value = stored[name.lower()]
            seen.add(name.lower())
            headers[name] = value
        return headers


# What each kind asks for, beside its name: a further kind of `channels_app.transports` has an entry here.
FORMS: dict[str, type[ChannelForm]] = {"postback": ChannelForm}


class KindForm(forms.Form):
    """The first question about a new channel."""

    kind = forms.ChoiceField(
        choices=kind_choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose a kind.", "invalid_choice": "There is no such kind of channel."},
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, label_suffix="")


class PauseForm(forms.Form):
    reason = forms.CharField(
        required=False, max_length=500, help_text="Shown to colleagues while the channel is paused."
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, label_suffix="")


class TestForm(forms.Form):
    """Which event type to send a sample of; `event_types` are those that the channel's kind may hear of."""

    def __init__(self, data: QueryDict | None = None, *, event_types: list[tuple[str, str]]) -> None:
        super().__init__(data, label_suffix="")
        self.fields["event_type"] = forms.ChoiceField(choices=event_types, label="Event type")


class RotateForm(forms.Form):
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
