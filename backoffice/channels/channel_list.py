"""The list of channels, and which address leads to which page."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET, require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display

from backoffice.channels import actions, detail, edit, secret, test_send
from backoffice.channels.health import condition_of
from backoffice.model_admin import ListedLookups
from channels_app.models import Channel
from channels_app.transports import kind_label
from notifications.display import ago
from notifications.stats import Backlog, Summary, channel_backlogs, channel_summaries

# So few that a page of many channels with a long queue each is read at once.
COUNT_AT_MOST = 100


@admin.register(Channel)
class ChannelAdmin(ListedLookups, ModelAdmin):
    """Deleted (archived) channels are nowhere here; the delivery log keeps their names."""

    list_display = ("name", "kind_label", "address", "status_label", "backlog", "success", "last_delivery")
    search_fields = ("name", "url", "recipients")
    search_help_text = "Name, URL or e-mail address"
    change_list_template = "channels_app/list.html"
    ordering = ("name", "id")
    sortable_by = ()
    actions = None
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        return Channel.objects.filter(archived_at=None).select_related("health")

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """The list with results and backlogs of the channels on this page: a query each for all."""
        changes: ChangeList = super().get_changelist_instance(request)
        ids = [channel.pk for channel in changes.result_list]
        summaries, backlogs = channel_summaries(ids), channel_backlogs(ids, at_most=COUNT_AT_MOST)
        for channel in changes.result_list:
            channel.summary, channel.backlog = summaries[channel.pk], backlogs[channel.pk]
        return changes

    def get_urls(self) -> list[URLPattern]:
        views = [
            ("edit", "edit", edit.edit),
            ("pause", "pause", actions.pause),
            ("resume", "resume", require_POST(actions.resume)),
            ("reveal", "reveal", require_POST(secret.reveal)),
            ("rotate", "rotate", secret.rotate),
            ("end_secret", "earlier-secrets/<str:key>/end", secret.end),
            ("replay", "replay", actions.replay),
            ("test", "test", require_POST(test_send.send)),
            ("test_answer", "test/<str:delivery_id>", require_GET(test_send.answer)),
        ]
        return [
            *(
                path(
                    f"<path:object_id>/{route}/",
                    self.admin_site.admin_view(view),
                    name=f"channels_app_channel_{name}",
                )
                for name, route, view in views
            ),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        page: TemplateResponse = super().changelist_view(
            request, {"title": "Channels", "heading": "Channels", **(extra_context or {})}
        )
        return page

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return edit.add(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One channel. It is changed by its actions and by `edit`."""
        return detail.one(request, object_id)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return actions.delete(request, object_id)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Channels have no log entries of Django's; who did what is in the history of Tidings."""
        return detail.history(request, object_id)

    @display(description="Kind")
    def kind_label(self, channel: Channel) -> str:
        return kind_label(channel.kind)

    @display(description="Address")
    def address(self, channel: Channel) -> str:
        return channel.short_address

    @display(
        description="Status",
        label={"active": "success", "paused": "warning", "failing": "danger", "unreadable": "danger"},
    )
    def status_label(self, channel: Channel) -> str:
        return condition_of(channel)

    @display(description="Waiting")
    def backlog(self, channel: Channel) -> str:
        """`12 held`, `more than 100 due`; "–" where nothing is either."""
        backlog: Backlog = channel.backlog  # type: ignore[attr-defined]  # as the list has put it there
        count = backlog.waiting if channel.paused_at else backlog.due
        if not count:
            return "–"
        counted = f"more than {COUNT_AT_MOST}" if count > COUNT_AT_MOST else str(count)
        return f"{counted} {'held' if channel.paused_at else 'due'}"

    @display(description="Success, 24 h")
    def success(self, channel: Channel) -> str:
        return _summary(channel).success_rate_text

    @display(description="Last delivery")
    def last_delivery(self, channel: Channel) -> SafeString:
        return ago(_summary(channel).last_delivery_at)


def _summary(channel: Channel) -> Summary:
    """The day's summary that the list has put on the channel."""
    summary: Summary = channel.summary  # type: ignore[attr-defined]
    return summary
