from typing import Any

from django.contrib.auth.models import User
from unfold.forms import AuthenticationForm


class LoginForm(AuthenticationForm):
    """Knows without asking that nobody has a name longer than all: the record of failed attempts cannot hold it."""

    def clean(self) -> dict[str, Any]:
        longest = User._meta.get_field("username").max_length or 0
        if len(self.cleaned_data.get("username", "")) > longest:
            raise self.get_invalid_login_error()
        cleaned: dict[str, Any] = super().clean()
        return cleaned
