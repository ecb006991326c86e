"""What the demo's receivers answer, by their names. One of any other name takes what comes and answers 200."""

from http import HTTPStatus

FAILING, BUSY, MOVED, GONE = "failing", "busy", "moved", "gone"
REFUSALS = {
    FAILING: HTTPStatus.SERVICE_UNAVAILABLE,  # until somebody repairs it
    BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    MOVED: HTTPStatus.NOT_FOUND,
    GONE: HTTPStatus.GONE,
}
# Receivers in Slack's shape: the status and text that Slack answers where somebody has removed the webhook.
REMOVED = "removed"
SLACK_REFUSALS = {REMOVED: (HTTPStatus.NOT_FOUND, "no_service")}
# What the busy one asks for, with `Retry-After`; the longest that Tidings heeds.
BUSY_SECONDS = 3600
