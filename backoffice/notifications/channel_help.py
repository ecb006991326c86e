"""Help: how to create a channel. Numbers, examples and signatures are those of the running code."""

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from backoffice.frame import crumbs, may, page
from backoffice.notifications.event_catalogue import EXAMPLE_ID, EXAMPLE_TIME
from channels_app.transports import TRANSPORTS, kind_choices
from channels_app.transports.postback.signature import sign
from channels_app.transports.rules import MAX_RECIPIENTS
from notifications.events import EVENT_TYPES
from notifications.events.bodies import sample_body

# Guards nothing: it is printed on the page, beside the signature that it makes.
EXAMPLE_SECRET = "whsec_dGlkaW5ncyBleGFtcGxlIHNlY3JldCwgbm90IHVzZWQ="
READERS = ("notifications.view_eventtypeswitch", "channels_app.view_channel")


@require_GET
def how_to_create_a_channel(request: HttpRequest) -> HttpResponse:
    if not any(may(request, permission) for permission in READERS):
        raise PermissionDenied
    delays = [_duration(seconds) for seconds in settings.POSTBACK_RETRY_DELAYS_SECONDS]
    return page(
        request,
        "notifications/how_to_create_a_channel.html",
        title="How to create a channel",
        crumbs=crumbs("integrations"),
        kinds=[(each.kind, each.label, each.about) for each in TRANSPORTS.values()],
        event_types=[(each.label, [kind in each.kinds for kind, _ in kind_choices()]) for each in EVENT_TYPES.values()],
        most_recipients=MAX_RECIPIENTS,
        postback=_postback(),
        secret=EXAMPLE_SECRET,
        timeout=_duration(settings.POSTBACK_TIMEOUT_SECONDS),
        retried=sorted(settings.POSTBACK_RETRY_STATUS_CODES),
        retries=len(delays),
        delays=_listed(delays),
        by_hand=[each.label for each in EVENT_TYPES.values() if each.manual_retry],
    )


def _postback() -> str:
    """A whole request as a receiver gets it, its signature made with `EXAMPLE_SECRET`."""
    event_type = EVENT_TYPES["order.completed"]
    body = sample_body(event_type, event_id=EXAMPLE_ID, created_at=EXAMPLE_TIME)
    timestamp = int(EXAMPLE_TIME.timestamp())
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": f"Tidings/{settings.VERSION}",
        "webhook-id": EXAMPLE_ID,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(EXAMPLE_SECRET, EXAMPLE_ID, timestamp, body.encode()),
    }
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\n".join(["POST /hook HTTP/1.1", "Host: receiver.example.com", *lines, "", body])


def _duration(seconds: float) -> str:
    """`30 seconds`, `5 minutes`."""
    value, unit = (seconds / 60, "minute") if seconds >= 60 and seconds % 60 == 0 else (seconds, "second")
    return f"{value:g} {unit}" if value == 1 else f"{value:g} {unit}s"


def _listed(words: list[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
