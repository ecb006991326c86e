"""What Slack and Mattermost are sent: a notice in their markup, within their limits, and nothing in it but text."""

from typing import Any

import pytest

from channels_app.transports import Link, Notice, Section
from channels_app.transports.slack.blocks import LEFT_OUT, MAX_TEXT_CHARACTERS, payload
from channels_app.transports.slack.markup import fitted, link, markdown, mrkdwn, one_line, size
from tests.servers.slackserver import SlackServer, plain, texts

NOTICE = Notice(
    type="order.completed",
    title="Order 1001 completed: 18.50 USD",
    paragraphs=("Ada <Byron> bought Mugs & more.", "Nothing is left to do."),
    sections=(
        Section("Order", (("Number", "1001"), ("Placed", "2026-11-23 18:36 UTC"), ("Code", "insufficient_funds"))),
        Section("Items", (("2 × Mug *blue* (MUG-1)", "25.00 USD"), ("Total", "1,225.00 USD"))),
        Section(
            "Contact",
            (
                ("Name", "@here Ada"),
                ("Ship to", "Ada Byron, The very long house at 12 St James's Square, London SW1Y 4JH"),
                ("E-mail", "ada_byron@example.com"),
            ),
        ),
    ),
    links=(
        Link("Track the parcel", "https://example.com/track?id=1&of=(2)"),
        Link("Open order 1001", "https://office.example.com/admin/orders/order/1/change/"),
    ),
    tone="good",
    note="This is a test with made-up data.",
    footer="Sent by Tidings because this channel is attached to Order completed. Event evt_01jd.",
)


def text(written: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": written, "verbatim": True}


def test_a_message_of_every_part() -> None:
    assert payload(NOTICE) == {
        "text": "This is a test with made-up data.\n"
        "\n"
        "Order 1001 completed: 18.50 USD\n"
        "\n"
        "Ada &lt;Byron&gt; bought Mugs &amp; more.\n"
        "\n"
        "Nothing is left to do.\n"
        "\n"
        "Order\n"
        "Number: 1001\n"
        "Placed: 2026-11-23 18:36 UTC\n"
        "Code: insufficient_funds\n"
        "\n"
        "Items\n"
        "2 × Mug \u2217blue\u2217 (MUG-1): 25.00 USD\n"
        "Total: 1,225.00 USD\n"
        "\n"
        "Contact\n"
        "Name: @\u200bhere Ada\n"
        "Ship to: Ada Byron, The very long house at 12 St James's Square, London SW1Y 4JH\n"
        "E-mail: ada_byron@example.com\n"
        "\n"
        "<https://example.com/track?id=1&amp;of=%282%29|Track the parcel> · "
        "<https://office.example.com/admin/orders/order/1/change/|Open order 1001>\n"
        "\n"
        "Sent by Tidings because this channel is attached to Order completed. Event evt_01jd.",
        "blocks": [
            {"type": "context", "elements": [text("This is a test with made-up data.")]},
            {"type": "section", "text": text("*Order 1001 completed: 18.50 USD*")},
            {
                "type": "section",
                "text": text("Ada &lt;Byron&gt; bought Mugs &amp; more.\n\nNothing is left to do."),
            },
            {
                "type": "section",
                "text": text("*Order*"),
                "fields": [
                    text("*Number*\n1001"),
                    text("*Placed*\n2026-11-23 18:36 UTC"),
                    text("*Code*\ninsufficient_funds"),
                ],
            },
            {
                "type": "section",
                "text": text("*Items*\n2 × Mug \u2217blue\u2217 (MUG-1): 25.00 USD\nTotal: 1,225.00 USD"),
            },
            {"type": "section", "text": text("*Contact*"), "fields": [text("*Name*\n@here Ada")]},
            {
                "type": "section",
                "text": text("*Ship to:* Ada Byron, The very long house at 12 St James's Square, London SW1Y 4JH"),
            },
            {"type": "section", "fields": [text("*E-mail*\nada_byron@example.com")]},
            {
                "type": "section",
                "text": text(
                    "<https://example.com/track?id=1&amp;of=%282%29|Track the parcel> · "
                    "<https://office.example.com/admin/orders/order/1/change/|Open order 1001>"
                ),
            },
            {
                "type": "context",
                "elements": [
                    text("Sent by Tidings because this channel is attached to Order completed. Event evt_01jd.")
                ],
            },
        ],
        "unfurl_links": False,
        "unfurl_media": False,
    }
    assert SlackServer.refusal(payload(NOTICE)) is None


def test_a_notice_of_nothing_but_a_title_is_a_message() -> None:
    assert payload(Notice(type="x", title="Paused")) == {
        "text": "Paused",
        "blocks": [{"type": "section", "text": text("*Paused*")}],
        "unfurl_links": False,
        "unfurl_media": False,
    }


class TestMarkup:
    """What a customer typed, as it is sent to Slack, and to Mattermost."""

    @pytest.mark.parametrize(
        ("typed", "slack", "mattermost"),
        [
            ("Ada Byron", "Ada Byron", "Ada Byron"),
            ("a <b> & c &lt;", "a &lt;b&gt; &amp; c &amp;lt;", "a &lt;b&gt; &amp; c &amp;lt;"),
            ("<!channel>", "&lt;!channel&gt;", "&lt;!channel&gt;"),
            ("<https://a.example|me>", "&lt;https://a.example|me&gt;", "&lt;https:\u200b//a.example|me&gt;"),
            ("@here", "@here", "@\u200bhere"),
            ("Ada (@all)", "Ada (@all)", "Ada (@\u200ball)"),
            ("é@channel", "é@channel", "é@\u200bchannel"),
            ("x.@here", "x.@here", "x.@\u200bhere"),
            ("ada@example.com", "ada@example.com", "ada@example.com"),
            ("[me](https://a.example)", "[me](https://a.example)", "[me]\u200b(https:\u200b//a.example)"),
            ("![me](x)", "![me](x)", "![me]\u200b(x)"),
            ("[me]: x", "[me]: x", "[me]\u200b: x"),
            ("*bold*", "\u2217bold\u2217", "\u2217bold\u2217"),
            ("~gone~ ~town", "\u223cgone\u223c \u223ctown", "\u223cgone\u223c \u223ctown"),
            ("`code` ```", "\u02cbcode\u02cb \u02cb\u02cb\u02cb", "\u02cbcode\u02cb \u02cb\u02cb\u02cb"),
            ("_it_ a_b_c", "\u02cdit\u02cd a_b_c", "\u02cdit\u02cd a_b_c"),
            ("a__b é_b", "a\u02cd\u02cdb é\u02cdb", "a\u02cd\u02cdb é\u02cdb"),
            (":smile: at 18:36:00", ":\u200bsmile: at 18:36:00", ":\u200bsmile: at 18:36:00"),
            ("1:100:", "1:\u200b100:", "1:\u200b100:"),
            ("> quoted", "\u200b&gt; quoted", "\u200b&gt; quoted"),
            ("# Heading", "# Heading", "\u200b# Heading"),
            ("-5.00 USD", "-5.00 USD", "\u200b-5.00 USD"),
            ("1. one", "1. one", "\u200b1. one"),
            ("| a | b |", "| a | b |", "\u200b| a | b |"),
            ("a #sale #1001", "a #sale #1001", "a #\u200bsale #1001"),
            ("https://a.example/x", "https://a.example/x", "https:\u200b//a.example/x"),
            ("www.evil.com evil.com/x", "www.evil.com evil.com/x", "www\u200b.evil.com evil.com\u200b/x"),
            ("mailto:ada tel:1", "mailto:ada tel:1", "mailto:\u200bada tel:\u200b1"),
            (r"\*x\ C:\d", "\\\u2217x\\ C:\\d", "\\\u2217x\\ C:\\d"),
            (r"\\ \[", r"\\ \[", "\\\u200b\\ \\\u200b["),
            ("$5.00 and $x$", "$5.00 and $x$", "$5.00 and \uff04x\uff04"),
        ],
    )
    def test_it_stays_text(self, typed: str, slack: str, mattermost: str) -> None:
        assert (mrkdwn(typed), markdown(typed)) == (slack, mattermost)
        assert plain(slack) == plain(mattermost) == typed

    @pytest.mark.parametrize(
        ("given", "line"),
        [
            ("  a \n\n b\tc ", "a b c"),
            ("a\0b\x1bc\x85d", "a b c d"),
            ("a\u2028b\u2424c\u00a0d", "a b c d"),
            ("right\u202e\u2066 \u200bto left\ufeff", "right to left"),
            ("half \ud83d", "half"),
            ("\u200b \n", ""),
        ],
    )
    def test_it_is_one_line_that_runs_in_its_own_direction(self, given: str, line: str) -> None:
        assert one_line(given) == line

    def test_it_is_cut_on_whole_characters_of_markup(self) -> None:
        assert fitted("a" * 10, 10, mrkdwn) == "a" * 10
        assert fitted("a" * 11, 10, mrkdwn) == "a" * 9 + "…"
        assert fitted("a & b & c", 12, mrkdwn) == "a &amp; b…"
        assert fitted("one two three", 9, mrkdwn) == "one two…"
        assert fitted("😀" * 6, 10, mrkdwn) == "😀" * 4 + "…"
        assert fitted("<<", 0, mrkdwn) == ""

    @pytest.mark.parametrize(
        ("label", "url", "written"),
        [
            ("Open", "https://a.example/x?a=1&b=2", "<https://a.example/x?a=1&amp;b=2|Open>"),
            ("a|b [c] <d>", "http://a.example", "<http://a.example|a\u2223b (c) &lt;d&gt;>"),
            ("Open", "https://a.example/a|b>c d(e)'\"\n", "<https://a.example/a%7Cb%3Ec%20d%28e%29'%22%0A|Open>"),
            ("Open", "https://[2001:db8::1]:8443/é%20", "<https://[2001:db8::1]:8443/%C3%A9%20|Open>"),
            ("Open", "javascript:alert(1)", "Open"),
            ("Open", "https://[::1", "Open"),
            ("", "https://a.example", ""),
        ],
    )
    def test_a_link_leads_to_the_web_and_ends_where_it_should(self, label: str, url: str, written: str) -> None:
        assert link(label, url, mrkdwn) == link(label, url, markdown) == written


class TestLimits:
    def test_more_facts_than_there_is_room_for_are_left_out_and_said_so(self) -> None:
        facts = tuple((f"Fact {number}", "x" * 50) for number in range(500))
        message = payload(Notice(type="x", title="Long", sections=(Section("All", facts),), footer="The end."))

        assert SlackServer.refusal(message) is None
        *_, last_facts, left_out, footer = message["blocks"]
        assert last_facts["fields"]
        assert left_out == {"type": "context", "elements": [text(LEFT_OUT)]}
        assert footer == {"type": "context", "elements": [text("The end.")]}
        assert message["text"].endswith("\n\n…\n\nThe end.")
        assert MAX_TEXT_CHARACTERS - 100 < size(message["text"]) <= MAX_TEXT_CHARACTERS

    def test_more_sections_than_there_are_blocks_are_left_out(self) -> None:
        sections = tuple(Section(f"Part {number}", (("A", "b"),)) for number in range(60))
        message = payload(Notice(type="x", title="Long", sections=sections, footer="The end."))

        assert SlackServer.refusal(message) is None
        assert len(message["blocks"]) == 50
        assert [block["type"] for block in message["blocks"][-3:]] == ["section", "context", "context"]
        assert "Part 59\nA: b" in message["text"]

    def test_ten_fields_are_a_block_and_the_eleventh_begins_the_next(self) -> None:
        facts = tuple((f"Fact {number}", "x") for number in range(11))
        blocks = payload(Notice(type="x", title="T", sections=(Section("S", facts),)))["blocks"]

        assert [len(block.get("fields", [])) for block in blocks] == [0, 10, 1]
        assert [block.get("text") for block in blocks] == [text("*T*"), text("*S*"), None]

    def test_one_endless_part_leaves_room_for_the_others(self) -> None:
        endless = "&" * 9000
        message = payload(
            Notice(
                type="x",
                title=endless,
                paragraphs=(endless, "lost"),
                sections=(Section(endless, ((endless, endless), ("Short", "fact"))),),
                links=(Link(endless, "https://a.example/"), Link("Far", f"https://a.example/{'a' * 5000}")),
                note=endless,
                footer=endless,
            )
        )

        assert SlackServer.refusal(message) is None
        written = texts(message["blocks"])
        assert all(
            part.removesuffix("*").endswith("&amp;…") or "fact" in part or "a.example" in part for part in written
        )
        assert "*Short*\nfact" in written
        assert any(part.startswith("<https://a.example/|&amp;") for part in written)
        assert "lost" not in "".join(written)
        assert size(message["text"]) <= MAX_TEXT_CHARACTERS
