"""The one-time token of a form: for whom its page was made, and which form of all it is."""

from dataclasses import dataclass

from django.core import signing
from django.http import HttpRequest
from django.utils.crypto import get_random_string

FIELD = "form-token"
HEADER = "Form-Token"  # of an answer: the token for the next time that the same form is sent
_SALT = "tidings.form_token"


@dataclass(frozen=True)
class Token:
    """The one-time token of a form: the user for whom its page was made, and a nonce."""

    user_id: int
    nonce: str


def new_token(user_id: int) -> str:
    """A signed token for a form made for this user."""
    return signing.dumps([user_id, get_random_string(22)], salt=_SALT)


def token_of(request: HttpRequest) -> Token | None:
    """That of the form that was sent. None where there is none, as a script sends it, or none of ours."""
    if request.method != "POST":
        return None
    try:
        user_id, nonce = signing.loads(request.POST.get(FIELD, ""), salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return Token(user_id, nonce)
