"""`{% csrf_token %}` in a form also gives it its one-time token, so that no form can be without one.

One of the engine's builtins, which takes the place of Django's own tag.
"""

from typing import Any

from django import template
from django.template.base import Parser, Token
from django.template.defaulttags import CsrfTokenNode
from django.utils.html import format_html
from django.utils.safestring import SafeString

from backoffice.submitting.tokens import FIELD, new_token

register = template.Library()


class FormTokensNode(CsrfTokenNode):
    """Renders Django's CSRF field, and for a logged in user the one-time token beside it."""

    def render(self, context: Any) -> SafeString | str:
        protected = super().render(context)
        user = getattr(context.get("request"), "user", None)
        if not protected or user is None or not user.is_authenticated:
            return protected
        once = format_html('<input type="hidden" name="{}" value="{}">', FIELD, new_token(user.pk))
        return SafeString(protected) + once


@register.tag
def csrf_token(_parser: Parser, _token: Token) -> FormTokensNode:
    """Takes the place of Django's tag of this name in every template."""
    return FormTokensNode()
