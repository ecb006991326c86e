"""Refusals of Slack and Mattermost, and what an administrator can do about each.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors. Slack says a word, Mattermost
a JSON object whose `id` is the word and whose `message` is for people.
"""

import json
from dataclasses import replace
from http import HTTPStatus

from channels_app.text import cut, printable_line
from channels_app.transports.base import Answer, Outcome

LONGEST_SAYING = 100
# With these a receiver asks for patience: whether it gets it is for the settings to say.
_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})

_CREATE = "Create a new webhook and change the URL of this channel"
_OR_CREATE = "or create a new webhook and change the URL of this channel"
_OURS = "This is a fault of Tidings, not of the channel: tell whoever operates it"

# By words, apart by spaces. The word follows in brackets.
_REFUSALS = (
    ("invalid_token", f"Slack does not know the token in the URL. {_CREATE}"),
    ("no_service", f"The incoming webhook was removed or disabled in Slack. {_CREATE}"),
    ("no_active_hooks", f"The incoming webhook is disabled in Slack. Enable it there, {_OR_CREATE}"),
    ("no_service_id", "The URL is not that of an incoming webhook. Copy it from Slack anew"),
    ("no_team", "The URL names no Slack workspace. Copy it from Slack anew"),
    ("team_disabled", f"The Slack workspace is no longer active. {_CREATE}"),
    ("action_prohibited", "The Slack workspace does not let this webhook post. Ask its administrators to allow it"),
    ("posting_to_general_channel_denied", f"Not everybody may post to #general in this workspace. {_CREATE}"),
    ("channel_not_found", f"The webhook posts to a Slack channel that does not exist any more. {_CREATE}"),
    ("user_not_found", f"The webhook posts to a person whom Slack does not know any more. {_CREATE}"),
    (
        "channel_is_archived",
        f"The webhook posts to an archived Slack channel. Unarchive it, {_OR_CREATE}; then resume this channel",
    ),
    (
        "invalid_payload no_text missing_text_or_fallback_or_attachments invalid_attachments too_many_attachments "
        "invalid_blocks invalid_blocks_format msg_too_long msg_blocks_too_long",
        f"Slack does not understand the message. {_OURS}",
    ),
    ("web.incoming_webhook.invalid.app_error", f"The incoming webhook was deleted in Mattermost. {_CREATE}"),
    (
        "web.incoming_webhook.channel.app_error app.channel.get.existing.app_error",
        f"The webhook posts to a Mattermost channel that does not exist any more. {_CREATE}",
    ),
    (
        "api.post.create_post.can_not_post_to_deleted.error",
        f"The webhook posts to an archived Mattermost channel. Unarchive it, {_OR_CREATE}",
    ),
    (
        "web.incoming_webhook.permissions.app_error web.incoming_webhook.channel_locked.app_error "
        "web.incoming_webhook.user.app_error",
        f"Whoever created the webhook may not post to its Mattermost channel. Let them, {_OR_CREATE}",
    ),
    (
        "web.incoming_webhook.parse.app_error web.incoming_webhook.decode.app_error "
        "web.incoming_webhook.text.app_error web.incoming_webhook.text.length.app_error api.webhook.incoming.error",
        f"Mattermost does not understand the message. {_OURS}",
    ),
)
REFUSALS = {word: sentence for words, sentence in _REFUSALS for word in words.split()}
# Of 5xx, so the settings say what is tried again.
FAULTS = {
    "rollup_error": "Slack had a fault of its own",
    "web.incoming_webhook.disabled.app_error": "Mattermost takes no incoming webhooks. Ask its administrators to do so",
}
NOT_FOUND = (
    f"The URL leads to no incoming webhook: it was deleted, or the URL is not whole. Copy the URL anew, {_OR_CREATE}"
)


def explained(answer: Answer) -> Answer:
    """The answer with a sentence that says what to do, and what the receiver said.

    What stays as it is until an administrator acts is not retried, whatever the settings say. Anything but a status
    code of 4xx or 5xx is explained already.
    """
    status = answer.status_code or 0
    if answer.outcome not in {Outcome.HTTP_ERROR, Outcome.GONE} or status < 400:
        return answer
    word, saying = said(answer.response_body)
    if status >= 500 or status in _LATER:
        return replace(answer, error=_sentence(FAULTS[word], word)) if word in FAULTS else answer
    if word in REFUSALS:
        return replace(answer, error=_sentence(REFUSALS[word], word), retry=False)
    if status == HTTPStatus.NOT_FOUND:
        return replace(answer, error=_sentence(NOT_FOUND, saying), retry=False)
    return replace(answer, error=_sentence(answer.error.removesuffix("."), saying))


def said(body: str) -> tuple[str, str]:
    """The receiver's word, and what it says to people, each one line of at most 100 characters.

    Both are "" where it sent neither a text nor an object that says so.
    """
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, dict):
        word, saying = (
            next((_shown(text) for name in names if isinstance(text := parsed.get(name), str) and text), "")
            for names in (("id", "error"), ("message", "error", "id"))
        )
        return word, saying
    line = _shown(body)
    return ("", "") if line.startswith(("<", "{", "[")) else (line, line)


def _shown(text: str) -> str:
    return cut(printable_line(text), LONGEST_SAYING)


def _sentence(text: str, saying: str) -> str:
    return f"{text} ({saying.rstrip('.')})." if saying else f"{text}."
