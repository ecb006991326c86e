"""Channels in the back office: the list, one channel with its actions, and the forms to add and to change one."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display

from channels_app import services
from channels_app.encryption import SecretUnreadable
from channels_app.forms import ChannelForm, PauseForm, ReplayForm, RotateForm, TestForm
from channels_app.models import Channel
from channels_app.transports import kind_choices
from notifications.catalogue import EVENT_TYPES
from notifications.errors import Conflict
from notifications.models import Delivery, EventChannel
from notifications.replay import start_replay
from notifications.services import archive_channel, probe_now, resume_channel, send_test

RECENT_DELIVERIES = 20
# In the session between a new secret and the next page, which shows it this once. Not the secret itself.
JUST_CREATED = "channel_just_created"


def missing_is_404(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """An unknown channel, and one that somebody deletes meanwhile, is a page that does not exist."""

    @wraps(view)
    def answer(*args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(*args, **kwargs)
        except Channel.DoesNotExist as error:
            raise Http404("There is no such channel.") from error

    return answer


@admin.register(Channel)
class ChannelAdmin(ModelAdmin):
    """Deleted (archived) channels are nowhere here; the delivery log keeps their names."""

    list_display = ("name", "kind_label", "url", "status_label")
    search_fields = ("name", "url")
    search_help_text = "Name or URL"
    ordering = ("name", "id")
    sortable_by = ()
    actions = None
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        return Channel.objects.filter(archived_at=None)

    def get_urls(self) -> list[URLPattern]:
        views = {
            "edit": self.edit,
            "pause": require_POST(self.pause),
            "resume": require_POST(self.resume),
            "reveal": require_POST(self.reveal),
            "rotate": require_POST(self.rotate),
            "test": require_POST(self.test),
            "replay": require_POST(self.replay),
        }
        return [
            *(
                path(
                    f"<path:object_id>/{action}/",
                    self.admin_site.admin_view(view),
                    name=f"channels_app_channel_{action}",
                )
                for action, view in views.items()
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
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ChannelForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                channel = services.create_channel(kind="postback", **form.cleaned_data)
            except ValidationError as error:
                form.add_error(None, error)
            else:
                self.log_addition(request, channel, "Created.")
                messages.success(request, f"{channel.name} was created.")
                request.session[JUST_CREATED] = channel.pk
                return _to(channel)
        return self._page(request, "form", title="Add a channel", crumbs=_crumbs(), form=form)

    @missing_is_404
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One channel. It is changed by its actions and by `edit`."""
        channel = self._channel(request, object_id, self.has_view_permission)
        fresh = request.session.get(JUST_CREATED) == channel.pk
        if fresh:
            del request.session[JUST_CREATED]
        return self._detail(request, channel, fresh=fresh)

    @missing_is_404
    def edit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        channel = self._channel(request, object_id, self.has_change_permission)
        headers = _readable_headers(channel)
        form = ChannelForm(
            request.POST if request.method == "POST" else None,
            initial={"name": channel.name, "url": channel.url},
            headers=headers,
        )
        if request.method == "POST" and form.is_valid():
            given = dict(form.cleaned_data)
            if headers is None and not given["headers"]:
                del given["headers"]  # unreadable and left alone: the right key may come back
            try:
                channel = services.update_channel(channel_id=channel.pk, **given)
                probe_now(channel_id=channel.pk)
            except ValidationError as error:
                form.add_error(None, error)
            else:
                self.log_change(request, channel, f"Changed: {', '.join(form.changed_data) or 'nothing'}.")
                messages.success(request, f"{channel.name} was updated.")
                return _to(channel)
        return self._page(
            request,
            "form",
            title=f"Edit {channel.name}",
            crumbs=_crumbs(channel),
            form=form,
            channel=channel,
            headers_unreadable=headers is None,
        )

    @missing_is_404
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        channel = self._channel(request, object_id, self.has_change_permission)
        form = PauseForm(request.POST)
        if not form.is_valid():
            return self._detail(request, channel, pause_form=form)
        reason = form.cleaned_data["reason"] or f"Paused by {request.user.get_username()}."
        services.pause_channel(channel_id=channel.pk, reason=reason)
        self.log_change(request, channel, f"Paused: {reason}")
        messages.success(request, f"{channel.name} was paused. Its deliveries are held until it is resumed.")
        return _to(channel)

    @missing_is_404
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        channel = self._channel(request, object_id, self.has_change_permission)
        resume_channel(channel_id=channel.pk)
        self.log_change(request, channel, "Resumed.")
        messages.success(request, f"{channel.name} was resumed. Held deliveries are sent now.")
        return _to(channel)

    @missing_is_404
    def reveal(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The channel with its secret and its headers' values, in the answer to this POST alone."""
        channel = self._channel(request, object_id, self.has_change_permission)
        self.log_change(request, channel, "Revealed the secret.")
        return self._detail(request, channel, revealed=True)

    @missing_is_404
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        channel = self._channel(request, object_id, self.has_change_permission)
        form = RotateForm(request.POST)
        if not form.is_valid():
            return self._detail(request, channel, rotate_form=form)
        overlap = timedelta(hours=24) if form.cleaned_data["overlap"] == "24h" else timedelta()
        services.rotate_secret(channel_id=channel.pk, overlap=overlap)
        self.log_change(request, channel, f"Rotated the secret; the old one {'signs for 24 h' if overlap else 'ends'}.")
        messages.success(request, f"{channel.name} has a new secret.")
        request.session[JUST_CREATED] = channel.pk
        return _to(channel)

    @missing_is_404
    def test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        channel = self._channel(request, object_id, self.has_change_permission)
        form = TestForm(request.POST, event_types=_event_types(channel))
        if not form.is_valid():
            return self._detail(request, channel, test_form=form)
        delivery = send_test(
            channel_id=channel.pk,
            event_type=EVENT_TYPES[form.cleaned_data["event_type"]],
            by=request.user.get_username(),
        )
        self.log_change(request, channel, f"Sent a test of {form.cleaned_data['event_type']}.")
        messages.success(request, "A test is being sent. Its answer appears here.")
        return redirect("admin:notifications_delivery_change", quote(delivery.pk))

    @missing_is_404
    def replay(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Counts first; the page with the count has the button that sends."""
        channel = self._channel(request, object_id, self.has_change_permission)
        form = ReplayForm(request.POST)
        if not form.is_valid():
            return self._detail(request, channel, replay_form=form)
        sure = "confirmed" in request.POST
        try:
            job = start_replay(
                channel_id=channel.pk,
                since=form.cleaned_data["since"],
                dry_run=not sure,
                by=request.user.get_username(),
            )
        except Conflict as refused:
            messages.error(request, str(refused))
            return _to(channel)
        if sure:
            self.log_change(request, channel, f"Replay of {job.count} failed deliveries.")
            messages.success(request, f"{_deliveries(job.count)} will be sent again, a few at a time.")
            return _to(channel)
        return self._page(
            request,
            "replay",
            title=f"Replay to {channel.name}?",
            crumbs=_crumbs(channel),
            channel=channel,
            form=form,
            count=_deliveries(job.count),
            any=job.count > 0,
        )

    @missing_is_404
    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Asks first: GET shows the question, POST is the answer."""
        channel = self._channel(request, object_id, self.has_delete_permission)
        if request.method == "POST":
            archive_channel(channel_id=channel.pk)
            self.log_change(request, channel, "Deleted.")
            messages.success(request, f"{channel.name} was deleted.")
            return redirect("admin:channels_app_channel_changelist")
        waiting = Delivery.objects.filter(channel=channel, status=Delivery.Status.PENDING, lease_token=None)
        return self._page(
            request,
            "delete",
            title=f"Delete {channel.name}?",
            crumbs=_crumbs(channel),
            channel=channel,
            attached=EventChannel.objects.filter(channel=channel).count(),
            waiting=waiting.count(),
        )

    @display(description="Kind")
    def kind_label(self, channel: Channel) -> str:
        return dict(kind_choices()).get(channel.kind, channel.kind)

    @display(description="Status", label={"active": "success", "paused": "warning"})
    def status_label(self, channel: Channel) -> str:
        return channel.status

    def _channel(self, request: HttpRequest, object_id: str, allowed: Callable[[HttpRequest], bool]) -> Channel:
        """Raises `Channel.DoesNotExist`."""
        if not allowed(request):
            raise PermissionDenied
        return self.get_queryset(request).get(pk=unquote(object_id))

    def _detail(
        self,
        request: HttpRequest,
        channel: Channel,
        *,
        fresh: bool = False,
        revealed: bool = False,
        **forms: Form,
    ) -> TemplateResponse:
        """`fresh`: a new secret, which is shown once; `revealed`: asked for, so are the headers' values.

        `forms` are those that were filled in wrongly, in place of empty ones.
        """
        may_read_log = request.user.has_perm("notifications.view_delivery")
        headers = _readable_headers(channel)
        return self._page(
            request,
            "channel",
            title=channel.name,
            crumbs=_crumbs(),
            channel=channel,
            kind=self.kind_label(channel),
            fresh=fresh,
            secret=_readable_secret(channel) if fresh or revealed else None,
            revealed=revealed,
            headers=headers,
            header_names=list(headers or ()),
            attachments=_attachments(channel),
            **{
                "pause_form": PauseForm(),
                "rotate_form": RotateForm(),
                "test_form": TestForm(event_types=_event_types(channel)),
                "replay_form": ReplayForm(initial={"since": timezone.localtime() - timedelta(days=1)}),
                **forms,
            },
            may_change=self.has_change_permission(request),
            may_delete=self.has_delete_permission(request),
            may_read_log=may_read_log,
            deliveries=_recent(channel) if may_read_log else [],
        )

    def _page(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        return TemplateResponse(
            request, f"channels_app/{template}.html", {**self.admin_site.each_context(request), **context}
        )


def _readable_secret(channel: Channel) -> str | None:
    """None where the key that encrypted it is lost."""
    try:
        return channel.secret
    except SecretUnreadable:
        return None


def _readable_headers(channel: Channel) -> dict[str, str] | None:
    """None where the key that encrypted them is lost."""
    try:
        return channel.headers
    except SecretUnreadable:
        return None


def _event_types(channel: Channel) -> list[tuple[str, str]]:
    return [(each.key, each.label) for each in EVENT_TYPES.values() if channel.kind in each.kinds]


def _deliveries(count: int) -> str:
    return "1 failed delivery" if count == 1 else f"{count} failed deliveries"


def _attachments(channel: Channel) -> list[EventChannel]:
    return list(EventChannel.objects.filter(channel=channel).order_by("id"))


def _recent(channel: Channel) -> list[Delivery]:
    deliveries = Delivery.objects.filter(channel=channel).select_related("event__order", "channel")
    return list(deliveries.order_by("-id")[:RECENT_DELIVERIES])


def _crumbs(channel: Channel | None = None) -> list[tuple[str, str]]:
    crumbs = [
        ("Integrations", reverse("admin:integrations")),
        ("Channels", reverse("admin:channels_app_channel_changelist")),
    ]
    if channel:
        crumbs.append((channel.name, reverse("admin:channels_app_channel_change", args=[quote(channel.pk)])))
    return crumbs


def _to(channel: Channel) -> HttpResponse:
    return redirect("admin:channels_app_channel_change", quote(channel.pk))
