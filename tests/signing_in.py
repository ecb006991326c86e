"""Clients of users who are logged in, without the way through the login."""

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client


def logged_in(user: User) -> Client:
    """A client with a session of this user, as the login makes it, by one statement.

    `Client.force_login` is a login, with what belongs to one: a time at the user, the end of what was counted against
    the address. It takes ten.
    """
    row = SessionStore().create_model_instance(
        {
            SESSION_KEY: str(user.pk),
            BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[-1],
            HASH_SESSION_KEY: user.get_session_auth_hash(),
        }
    )
    row.save(force_insert=True)
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = row.session_key
    return client
