"""Slack's blocks and markup as HTML: what is shown, and that nothing of it is markup of the page."""

import json

import pytest

from demo.slack import LONGEST_TEXT, MOST_BLOCKS, blocks_of, mrkdwn


@pytest.mark.parametrize(
    "written, html",
    [
        ("plain", "plain"),
        ("*Total* 12.50, 2 * 3 * 4", "<strong>Total</strong> 12.50, 2 * 3 * 4"),
        ("*a* and *b c*", "<strong>a</strong> and <strong>b c</strong>"),
        ("a*b*c", "a*b*c"),
        ("Beans &amp; &lt;b&gt; &amp;lt;", "Beans &amp; &lt;b&gt; &amp;lt;"),
        ("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;"),
        ("<https://a.example/?x=1&amp;y=2|Open>", '<a href="https://a.example/?x=1&amp;y=2" rel="noreferrer">Open</a>'),
        ("<http://a.example/>", '<a href="http://a.example/" rel="noreferrer">http://a.example/</a>'),
        ("*<http://a.example/|*x*>*", '*<a href="http://a.example/" rel="noreferrer">*x*</a>*'),
        ("<javascript:alert(1)|Open>", "&lt;javascript:alert(1)|Open&gt;"),
        ("<mailto:ada@example.com|Ada>", "&lt;mailto:ada@example.com|Ada&gt;"),
        ("<https:|Open>", "&lt;https:|Open&gt;"),
        ("<http://[|Open>", "&lt;http://[|Open&gt;"),
        ("<!here> <@U1|ada>", "<b>@here</b> <b>@ada</b>"),
        ("1 < 2 and 3 > 2", "1 &lt; 2 and 3 &gt; 2"),
    ],
)
def test_markup_becomes_bold_links_and_mentions_and_nothing_else(written, html):
    assert mrkdwn(written) == html


def test_every_kind_of_block_is_shown_in_order_also_those_of_attachments():
    message = {
        "text": "In short",
        "blocks": [
            {"type": "header", "text": plain("Order *1001*")},
            {"type": "section", "text": marked("*Sold*"), "fields": [marked("*Total*\n12.50"), plain("x &lt; y")]},
            {"type": "divider"},
            {"type": "unheard_of", "text": plain("x")},
            {
                "type": "context",
                "elements": [marked("Source shop"), {"type": "image", "image_url": "https://a.example"}],
            },
            {"type": "actions", "elements": [button("Open", "https://a.example/"), button("Bad", "data:x"), {}]},
        ],
        "attachments": [{"color": "#a00", "blocks": [{"type": "section", "text": plain("Attached")}]}],
    }
    assert shown(message) == [
        ("title", ("Order *1001*",)),
        ("text", ("<strong>Sold</strong>",)),
        ("fields", ("<strong>Total</strong>\n12.50", "x &lt; y")),
        ("divider", ()),
        ("context", ("Source shop",)),
        ("links", ('<a href="https://a.example/" rel="noreferrer">Open</a>', "Bad", "Without a label")),
        ("text", ("Attached",)),
    ]


def test_a_message_without_blocks_shows_its_text():
    assert shown({"text": "*In short*"}) == [("text", ("<strong>In short</strong>",))]
    assert shown({"text": "In short", "blocks": [{"type": "section"}]}) == [("text", ("In short",))]


@pytest.mark.parametrize("body", ["", "nonsense", "[" * 100_000, "[]", "5", "{}", '{"text": " "}'])
def test_what_is_no_message_shows_nothing(body):
    assert blocks_of(body) == []


def test_no_more_is_drawn_than_slack_would_take():
    long = {"type": "section", "text": plain("x" * (LONGEST_TEXT + 1))}
    blocks = shown({"blocks": [long] * (MOST_BLOCKS + 1)})
    assert len(blocks) == MOST_BLOCKS
    assert {len(text) for _, texts in blocks for text in texts} == {LONGEST_TEXT}


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def marked(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}


def button(text: str, url: str) -> dict[str, object]:
    return {"type": "button", "text": plain(text), "url": url}


def shown(message: dict[str, object]) -> list[tuple[str, tuple[str, ...]]]:
    return [(block.kind, block.texts) for block in blocks_of(json.dumps(message))]
