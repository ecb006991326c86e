# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""How to create a channel: what the help page tells of each kind."""

import re

from channels_app.transports import TRANSPORTS, kind_choices
from notifications.events import EVENT_TYPES
from tests.backoffice.notifications_fixtures import admin, people, text_of, url


def test_the_help_page_says_what_each_kind_is_for_and_leads_to_its_part(admin):
    page = admin.get(url("help_channels"))
    text, content = text_of(page), page.content.decode()
    for kind, label in kind_choices():
        assert f"{label} {TRANSPORTS[kind].about}" in text
        assert content.count(f'<a href="#{kind}">') == 1
        assert content.count(f'<h2 class="ui-title" id="{kind}">') == 1


def test_a_table_says_which_event_types_go_to_which_kinds(admin):
    text = text_of(admin.get(url("help_channels")))
    kinds = [kind for kind, _ in kind_choices()]
    rows = [
        f"{each.label} {' '.join('Yes' if kind in each.kinds else 'No' for kind in kinds)}"
        for each in EVENT_TYPES.values()
    ]
    assert f"Event type {' '.join(label for _, label in kind_choices())} {' '.join(rows)}" in text
    assert "Customer created Yes No No" in text
    assert "Survey completed Yes No No" in text


def test_it_tells_of_email(admin, settings):
    settings.POSTBACK_RETRY_DELAYS_SECONDS = [60, 300]
    text = text_of(admin.get(url("help_channels")))
    for sentence in (
        "up to 50 e-mail addresses, one a line",
        "they see each other.",
        "the mail server that the operators of Tidings have set ( EMAIL_URL ).",
        "the others have it, and nothing is tried again.",
        "it is tried again, at most 2 times, after 1 minute and 5 minutes, and sent only to those who do not have it",
    ):
        assert sentence in text, sentence


def test_it_tells_of_slack_and_mattermost(admin):
    text = text_of(admin.get(url("help_channels")))
    for sentence in (
        "Copy the URL, which begins https://hooks.slack.com/services/ .",
        "Copy the URL, which ends in /hooks/ and a key.",
        "so treat it like a password: it is stored encrypted and shown masked.",
        "All other answers are final: the webhook was removed, the conversation is gone, or posting there is",
        "After a 410, as for a conversation that was archived, the channel is paused.",
    ):
        assert sentence in text, sentence


def test_no_heading_has_the_name_of_another(admin):
    content = admin.get(url("help_channels")).content.decode()
    ids = re.findall(r'\bid="([^"]+)"', content[content.index('id="main"') :])
    assert len(ids) == len(set(ids))
