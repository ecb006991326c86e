"""Whatever a notice holds, Slack and Mattermost take it, and show nothing of it as more than text."""

import json
import re
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels_app.transports import Link, Notice, Section
from channels_app.transports.slack.blocks import LEFT_OUT, MAX_BLOCKS_CHARACTERS, MAX_TEXT_CHARACTERS, payload
from channels_app.transports.slack.markup import one_line, size
from tests.servers.slackserver import MattermostServer, SlackServer, plain, texts

# Any character, also halves of them, and much of it.
characters = st.characters(exclude_categories=())
nasty = st.text(st.sampled_from("*_~`<>&@#:[](){}|\\!$/.-=+1a é\u200b\u202e\n\t😀"), max_size=40)
pieces = st.one_of(
    st.text(characters, max_size=30),
    nasty,
    st.sampled_from(["@here", "<!channel>", ":tada:", "```", "www.a.example", "[a](http://b)", "12.50 USD", "&amp;"]),
)
some = st.one_of(pieces, st.lists(pieces, max_size=4).map(" ".join))
much = st.one_of(some, st.tuples(pieces, st.integers(1, 99)).map(lambda drawn: drawn[0] * drawn[1]))
facts_of = st.tuples(st.lists(st.tuples(much, much), max_size=6), st.integers(1, 20)).map(
    lambda drawn: tuple(drawn[0] * drawn[1])
)
links = st.builds(Link, much, st.one_of(some.map("https://a.example/{}".format), much))
notices = st.builds(
    Notice,
    type=st.just("order.completed"),
    title=much,
    paragraphs=st.lists(much, max_size=5).map(tuple),
    sections=st.lists(st.builds(Section, much, facts_of), max_size=6).map(tuple),
    links=st.lists(links, max_size=5).map(tuple),
    note=much,
    footer=much,
)
# What a notice fits with, without look-alikes of ours in it.
plainly = some.map(lambda text: text.translate({ord(each): None for each in "\u2217\u223c\u02cb\u02cd\uff04"}))
small_notices = st.builds(
    Notice,
    type=st.just("order.completed"),
    title=plainly,
    sections=st.lists(
        st.builds(Section, plainly, st.lists(st.tuples(plainly, plainly), min_size=1, max_size=4).map(tuple)),
        max_size=3,
    ).map(tuple),
)
bounded = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

LINK = re.compile(r"<(https?://[^<>|\s]+)\|([^<>|\n]+)>")
# What Mattermost reads out of a line: a mention, a channel, a hashtag, an emoji, an address, emphasis, code, a link.
MORE_THAN_TEXT = re.compile(
    r"(?<![A-Za-z0-9])@[a-z0-9._-]|[*~`]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|#[^\W\d_]|\]\(|://|:[a-z+]\w*:"
    r"|(?<![A-Za-z0-9_])www\.|\$[^$\n]*\$(?!\w)|^(?:#{1,6} |[>|+=-]|\d+[.)])",
    re.IGNORECASE,
)


def sent(notice: Notice) -> dict[str, Any]:
    """The message as it arrives."""
    body = json.dumps(payload(notice), ensure_ascii=False).encode()
    assert len(body) < 64 * 1024
    message: dict[str, Any] = json.loads(body)
    return message


@bounded
@given(notice=notices)
def test_any_notice_is_taken_by_both(notice: Notice) -> None:
    message = sent(notice)
    assert (SlackServer.refusal(message), MattermostServer.refusal(message)) == (None, None)
    assert size(message["text"]) <= MAX_TEXT_CHARACTERS
    assert sum(map(size, texts(message["blocks"]))) <= MAX_BLOCKS_CHARACTERS


@bounded
@given(notice=notices)
def test_the_only_markup_in_any_message_is_ours(notice: Notice) -> None:
    message = sent(notice)
    for written in (message["text"], *texts(message["blocks"])):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", written)
        assert not re.search("[<>]|&(?!(?:amp|lt|gt);)", LINK.sub("", written))
    for line in LINK.sub("", message["text"]).split("\n"):
        assert not MORE_THAN_TEXT.search(line)
    for line in LINK.sub("", "\n".join(texts(message["blocks"]))).split("\n"):
        # Between asterisks stands a title, a heading or a label, and nowhere else are any.
        assert line.count("*") in {0, 2}
        assert not re.search(r"[~`]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^&gt;|:[a-z+]\w*:", line, re.IGNORECASE)


@bounded
@given(notice=small_notices)
def test_what_fits_is_read_as_it_was_typed(notice: Notice) -> None:
    message = sent(notice)
    if "…" in message["text"] or LEFT_OUT in texts(message["blocks"]):
        return
    lines = plain(message["text"]).split("\n")
    shown = [line for written in texts(message["blocks"]) for line in plain(written).split("\n")]
    for section in notice.sections:
        for given_label, given_value in section.facts:
            label, value = one_line(given_label), one_line(given_value) or "–"
            assert (f"{label}: {value}" if label else value) in lines
            assert f"*{label}:* {value}" in shown or f"{label}: {value}" in shown or value in shown
