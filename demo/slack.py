"""Receivers in the shape of Slack's incoming webhooks: they answer as Slack does, and keep the newest of what came.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import json
from http import HTTPStatus

from demo.answers import SLACK_REFUSALS
from demo.keeping import forget_oldest, storable
from demo.models import SlackMessage

KEPT = 1000


def take_message(*, receiver: str, body: bytes) -> tuple[int, str]:
    """Keep what arrived and return the status code and text to answer with."""
    status, text = SLACK_REFUSALS.get(receiver) or _judge(body)
    SlackMessage.objects.create(
        receiver=receiver, body=storable(body.decode(errors="replace")), answered=status, answer=text
    )
    forget_oldest(SlackMessage, kept=KEPT)
    return int(status), text


def _judge(body: bytes) -> tuple[HTTPStatus, str]:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        return HTTPStatus.BAD_REQUEST, "invalid_payload"
    if not any(payload.get(name) for name in ("text", "blocks", "attachments")):
        return HTTPStatus.BAD_REQUEST, "no_text"
    return HTTPStatus.OK, "ok"
