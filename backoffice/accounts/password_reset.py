"""Setting a new password with a link that comes by e-mail, for people who cannot log in."""

from typing import Any

import axes.utils
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import views
from django.contrib.auth.forms import PasswordResetForm, SetPasswordForm
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse_lazy

from api.client_address import counted_address
from backoffice.accounts.reset_requests import request_link
from backoffice.accounts.tasks import announce
from channels_app.transports.email.mailserver import where_mail_ends


class ResetForm(PasswordResetForm):
    """Asks for a link. Nothing that happens here depends on whether a user has this address."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.fields["email"].label = "E-mail address"

    def save(self, *args: Any, request: HttpRequest | None = None, **options: Any) -> None:
        """Leave the rest to a worker: see `backoffice.accounts.reset_requests`."""
        request_link(self.cleaned_data["email"], counted_address(request) if request else None)
        announce()


class NewPasswordForm(SetPasswordForm):
    """The new password, twice; labels without a colon."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""


class _Shell:
    """Gives a view the context of the shell."""

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        view: Any = self
        own: dict[str, Any] = super().get_context_data(**context)  # type: ignore[misc]
        # In the demo and while one develops, mail that stays here can be read here.
        reaches_nobody = bool(where_mail_ends()) and not (settings.DEBUG or settings.DEMO)
        return {
            **admin.site.each_context(view.request),
            **own,
            "by_mail": bool(settings.PUBLIC_URL),
            "mail_reaches_nobody": reaches_nobody,
        }


class AskForLink(_Shell, views.PasswordResetView):
    title = "Forgot your password?"
    form_class = ResetForm
    template_name = "accounts/password_reset.html"
    success_url = reverse_lazy("admin:password_reset_done")

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """Without `PUBLIC_URL` there is no address for a link, and the page says what to do instead."""
        return super().post(*args, **kwargs) if settings.PUBLIC_URL else self.get(*args, **kwargs)


class LinkIsSent(_Shell, views.PasswordResetDoneView):
    title = "Look into your mail"
    template_name = "accounts/password_reset_sent.html"


class SetNewPassword(_Shell, views.PasswordResetConfirmView):
    title = "Choose a new password"
    form_class = NewPasswordForm
    template_name = "accounts/password_reset_choose.html"
    success_url = reverse_lazy("admin:password_reset_complete")

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        context = super().get_context_data(**context)
        return context if self.validlink else {**context, "title": "This link does not work any more"}

    def form_valid(self, form: "SetPasswordForm[User]") -> HttpResponse:
        """A link from the user's mail proves who it is: earlier failed logins do not lock them out."""
        response = super().form_valid(form)
        axes.utils.reset(username=form.user.get_username())
        return response


class PasswordIsSet(_Shell, views.PasswordResetCompleteView):
    title = "Your password was changed"
    template_name = "accounts/password_reset_complete.html"


def urls() -> list[URLPattern]:
    """The addresses of these pages, which need no login: they are not wrapped in the site's `admin_view`."""
    return [
        path("password_reset/", AskForLink.as_view(), name="password_reset"),
        path("password_reset/sent/", LinkIsSent.as_view(), name="password_reset_done"),
        path("password_reset/<uidb64>/<token>/", SetNewPassword.as_view(), name="password_reset_confirm"),
        path("password_reset/complete/", PasswordIsSet.as_view(), name="password_reset_complete"),
    ]
