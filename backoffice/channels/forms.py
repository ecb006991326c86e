"""Forms of the channels' pages. `channels_app.services` judges what is given; forms ask and show."""

import json
import re
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.html import format_html
from django.utils.safestring import SafeString

from channels_app.models import Channel
from channels_app.transports import kind_choices
from channels_app.transports.rules import RecipientsRefused, check_recipients

# Stands for a header's value where it is not shown. Not printable ASCII: no real value can look like it.
MASK = "••••••••"


class ChannelForm(forms.Form):
    """What every channel has: a name. Each kind has a form of its own below.

    `channel` is the one that is changed. `given()` is what `services.create_channel` and `.update_channel` take.
    `about` says what the kind is for, to whoever chooses one; `advice` is the template of what to know before saving a
    new one; `answered_by` is who answers an attempt.
    """

    about = ""
    advice = "channels_app/advice/postback.html"
    answered_by = "the receiver"

    name = forms.CharField(max_length=100, help_text="How people recognise it, such as Warehouse.")

    def __init__(self, data: QueryDict | None = None, *, channel: Channel | None = None) -> None:
        self.channel = channel
        super().__init__(data, initial=self.stored(channel) if channel else None, label_suffix="")

    def stored(self, channel: Channel) -> dict[str, Any]:
        """What stands in the fields of a channel that is changed."""
        return {"name": channel.name}

    def given(self) -> dict[str, Any]:
        return dict(self.cleaned_data)


class _UrlInput(forms.TextInput):
    def __init__(self) -> None:
        super().__init__(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"})


class PostbackForm(ChannelForm):
    """URL and extra headers, one `Name: value` a line. A secret URL is not shown, and kept where none is given.

    Stored headers are shown masked, and a line that still has the mask keeps its value. `cleaned_data["headers"]` is a
    dict of names to values.
    """

    about = "For programs: a signed POST of JSON to a URL of yours."
    # New credentials never go to an address that somebody else has given meanwhile, nor known ones to a new one.
    belong_together = [("url", "url_is_secret", "headers")]

    url = forms.CharField(label="URL", widget=_UrlInput, help_text="Each notification is sent to it as a POST.")
    url_is_secret = forms.BooleanField(
        label="The URL is a secret",
        required=False,
        help_text="Whoever knows it can post to it, as with those of Zapier, Make and n8n. It is then stored encrypted "
        "and shown masked everywhere. To take this back, give the URL again.",
    )
    headers = forms.CharField(
        label="Extra headers",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false", "class": "ui-code"}),
    )

    def __init__(self, data: QueryDict | None = None, *, channel: Channel | None = None) -> None:
        self._stored = (channel.readable_headers if channel else None) or {}
        super().__init__(data, channel=channel)
        if channel and channel.url_is_secret:
            self.fields["url"].required = False
            self.fields["url"].help_text += f" Leave it empty to keep the present one ({channel.url})."
        help_text = "One a line, such as Authorization: Bearer abc. At most 20; stored encrypted."
        if self._stored:
            help_text += f" A line with {MASK} keeps its value."
        self.fields["headers"].help_text = help_text

    def stored(self, channel: Channel) -> dict[str, Any]:
        masked = "\r\n".join(f"{name}: {MASK}" for name in self._stored)  # as browsers send it back
        url = "" if channel.url_is_secret else channel.url
        given = {"url": url, "url_is_secret": channel.url_is_secret, "headers": masked}
        return {**super().stored(channel), **given}

    def given(self) -> dict[str, Any]:
        given = super().given()
        if self.channel and self.channel.readable_headers is None and not given["headers"]:
            del given["headers"]  # unreadable and left alone: the right key may come back
        if self.channel and self.channel.url_is_secret and not given["url"]:
            del given["url"]
        return given

    def hidden_values(self) -> dict[str, str]:
        """What is behind what is shown masked, by field."""
        secret_url = self.channel.readable_url if self.channel and self.channel.url_is_secret else None
        return {"url": secret_url or "", "headers": json.dumps(sorted(self._stored.items()))}

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


class EmailForm(ChannelForm):
    """Recipients, one or several a line. `cleaned_data["recipients"]` is a list."""

    about = "For people: one e-mail in words to up to 50 addresses."
    advice = "channels_app/advice/email.html"
    answered_by = "the mail server"

    recipients = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false", "inputmode": "email"}),
        help_text="E-mail addresses, one a line. At most 50. They see each other.",
    )

    def stored(self, channel: Channel) -> dict[str, Any]:
        return {**super().stored(channel), "recipients": "\r\n".join(channel.recipients)}

    def clean_recipients(self) -> list[str]:
        given = re.split(r"[\s,;]+", self.cleaned_data["recipients"])
        try:
            return check_recipients([address for address in given if address])
        except RecipientsRefused as error:
            raise forms.ValidationError(list(error.by_index.values())) from error
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class SlackForm(ChannelForm):
    """The URL of an incoming webhook, which is a secret: a stored one is not shown, and kept where none is given."""

    about = "For teams: a message in words in a conversation of Slack or Mattermost."
    advice = "channels_app/advice/slack.html"
    answered_by = "the webhook"

    url = forms.CharField(label="Webhook URL", widget=_UrlInput)

    def __init__(self, data: QueryDict | None = None, *, channel: Channel | None = None) -> None:
        super().__init__(data, channel=channel)
        help_text = "Of an incoming webhook, as Slack or Mattermost shows it when you create one. Stored encrypted."
        if channel:
            self.fields["url"].required = False
            help_text += f" Leave it empty to keep the present one ({channel.url})."
        self.fields["url"].help_text = help_text

    def hidden_values(self) -> dict[str, str]:
        """What is behind the field that does not show it."""
        return {"url": (self.channel.readable_url if self.channel else None) or ""}

    def given(self) -> dict[str, Any]:
        given = super().given()
        if self.channel and not given["url"]:
            del given["url"]
        return given


# A further kind of `channels_app.transports` has an entry here.
FORMS: dict[str, type[ChannelForm]] = {"postback": PostbackForm, "email": EmailForm, "slack": SlackForm}


def described_kinds() -> list[tuple[str, SafeString]]:
    """Kinds, each with its label and what it is for."""
    described = '<span>{}<span class="ui-meta ui-line">{}</span></span>'
    return [(kind, format_html(described, label, FORMS[kind].about)) for kind, label in kind_choices()]


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
