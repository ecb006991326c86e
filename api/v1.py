"""The REST API, version 1: what a storefront calls and what an administrator's script calls."""

import re
from email.utils import parseaddr

from django.conf import settings

from api import channels, notifications, storefront
from api.auth import ScopedKey
from api.build import build_api
from api.models import Scope
from notifications.events import EVENT_TYPES
from notifications.events.alerts import ALERT_TYPES

DESCRIPTION = """\
System notifications for a commerce back office: shops and funnels report what happens, channels are told.

**Keys.** `Authorization: Bearer KEY`. A key has one or both of the scopes `storefront` (what a shop or a funnel calls)
and `manage` (what an administrator's script calls); each operation says which it needs.

**Values.** Ids are opaque strings of at most 40 characters. Amounts come in as strings, 0 to 9999999999.99 with at most
as many decimals as the currency has by ISO 4217 (JPY 0, USD 2, KWD 3), and go out as strings with exactly as many;
numbers of JSON without an exponent are taken as well. Times are RFC 3339 in UTC with six digits. Text is trimmed, loses
format characters that nobody sees, and must not hold control characters. Whole numbers may be written `1.0`. A body may
come in chunks, but not compressed.

**Members may be added** to answers and to postbacks at any time, and further words to the lists that are given out
(`x-extensible-enum`): pass over what you do not know. In answers a member that does not apply is null, never absent.
What is sent in is strict: unknown members of a body are refused, and so are query parameters that are unknown or
repeated.

**Refusals** are `application/problem+json` (RFC 9457) on every path, unknown ones (404) and methods that a path does
not take (405) included.

**Lists** are pages, newest first: `{"results": [...], "next": URL or null}`.

**How often.** A key may make 6000 calls a minute, unless the installation is set otherwise; then the answer is 429 with
`Retry-After`.

**Sending again.** Every POST takes an `Idempotency-Key`.

**Postbacks** are described as webhooks, one for each event type. They follow the Standard Webhooks specification.
"""


def _contact() -> dict[str, str]:
    """The operator of this installation: its public URL, and the address of its mail, if that has a domain."""
    contact = {"name": "Whoever runs this installation of Tidings"}
    if settings.PUBLIC_URL:
        contact["url"] = settings.PUBLIC_URL
    email = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    if re.search(r"\.[a-z-]*[a-z][a-z-]*$", email.rpartition("@")[2], re.IGNORECASE):
        contact["email"] = email
    return contact


v1 = build_api(
    title="Tidings",
    version=settings.VERSION,
    namespace="api-v1",
    description=DESCRIPTION,
    public_url=settings.PUBLIC_URL,
    sub_path=settings.SUB_PATH,
    contact=_contact(),
    tags=[
        {"name": "Storefront", "description": "What a shop or a funnel calls."},
        {"name": "Channels", "description": "Where notifications go."},
        {"name": "Notifications", "description": "Event types, attached channels, events and deliveries."},
        {"name": "Postbacks", "description": "What a postback channel receives."},
    ],
    event_types=[*EVENT_TYPES.values(), *ALERT_TYPES.values()],
)
v1.add_router("", storefront.router, auth=ScopedKey(Scope.STOREFRONT))
v1.add_router("", channels.router, auth=ScopedKey(Scope.MANAGE))
v1.add_router("", notifications.router, auth=ScopedKey(Scope.MANAGE))
