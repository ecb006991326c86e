"""Asks the mail server whether it would take mail: a session up to where a mail would begin."""

from django.conf import settings

from channels_app.transports.email.mailserver import MailServer, our_domain
from channels_app.transports.email.outcomes import FAILURES, of_failure, of_refusal
from channels_app.transports.email.sending import LOOKUPS
from channels_app.transports.email.smtp import Session
from channels_app.transports.email.smtp_replies import RefusedError
from channels_app.transports.net.deadline import Exchange
from channels_app.transports.net.dialing import Dialer


def why_no_mail(server: MailServer, *, seconds: float) -> str:
    """Connect, introduce ourselves, encrypt and sign in as before a mail, then take leave; nothing is sent.

    Returns what went wrong in a sentence, "" where nothing did. Takes `seconds` at most, and a second to take leave.
    """
    session = Session(server, Dialer(Exchange(seconds), LOOKUPS, allowed=None), domain=our_domain())
    try:
        session.start()
    except RefusedError as error:
        return of_refusal(error, session, (), (), settings.DEFAULT_FROM_EMAIL).sentence
    except FAILURES as error:
        return of_failure(error, session).sentence
    else:
        session.leave()
    finally:
        session.close()
    return ""
