"""Forms of the pages of System notifications. `notifications.services` judges; forms ask and show."""

from typing import Any

from django import forms
from django.http import QueryDict

from orders.models import Source


class SourcesForm(forms.Form):
    """Which sources a channel listens to."""

    sources = forms.MultipleChoiceField(
        choices=Source.choices,
        initial=list(Source.values),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one source."},
        help_text="The channel hears only of what comes from the chosen sources.",
    )

    def __init__(self, data: QueryDict | None = None, **kwargs: Any) -> None:
        super().__init__(data, **{"label_suffix": "", **kwargs})


class AlertChannelForm(forms.Form):
    """A channel to be told of alerts. `offered` are those, as (id, label); what is sent may be another, which the
    service judges.
    """

    def __init__(self, data: QueryDict | None = None, *, channels: list[tuple[str, str]]) -> None:
        super().__init__(data, label_suffix="", auto_id="alert-%s")
        self.offered = channels
        self.fields["channel"] = forms.CharField(
            widget=forms.Select(choices=[("", "Choose a channel"), *channels]),
            error_messages={"required": "Choose a channel."},
        )


class AttachForm(SourcesForm):
    """`channels` are those offered, as (id, label). What is sent may be another: the service says why not.

    `chosen` is the id of the one chosen at first; that of another is left aside.
    """

    field_order = ["channel", "sources"]

    def __init__(self, data: QueryDict | None = None, *, channels: list[tuple[str, str]], chosen: str = "") -> None:
        super().__init__(data, initial={"channel": chosen if chosen in dict(channels) else ""})
        self.fields["channel"] = forms.CharField(
            widget=forms.Select(choices=[("", "Choose a channel"), *channels]),
            error_messages={"required": "Choose a channel."},
        )
        self.order_fields(self.field_order)
