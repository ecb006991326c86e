"""Text from outside as part of a line of ours."""

import pytest

from channels_app.text import cut, one_line, printable_line, some


@pytest.mark.parametrize(
    ("given", "typed", "printable"),
    [
        ("  one\r\n two\t\vthree \N{NO-BREAK SPACE} ", "one two three", "one two three"),
        ("a\x00b\x1b[31mc\x85d", "a b [31mc d", "a b [31mc d"),
        ("half \ud800 turned \u202e round \u2066", "half turned round", "half turned round"),
        (
            "a \N{WOMAN}\u200d\N{ROCKET} and a\u00adb",
            "a \N{WOMAN}\u200d\N{ROCKET} and a\u00adb",
            "a \N{WOMAN} \N{ROCKET} and a b",
        ),
        ("\n\x00", "", ""),
    ],
)
def test_on_one_line(given, typed, printable):
    assert (one_line(given), printable_line(given)) == (typed, printable)


@pytest.mark.parametrize(
    ("given", "longest", "shown"),
    [("four", 4, "four"), ("fives", 4, "fiv…"), ("to be", 4, "to…"), ("", 1, ""), ("ab", 1, "…")],
)
def test_cut(given, longest, shown):
    assert cut(given, longest) == shown


@pytest.mark.parametrize(
    ("names", "at_most", "shown"),
    [([], 3, ""), (["a"], 1, "a"), (["a", "b", "c"], 3, "a, b, c"), (["a", "b", "c", "d"], 2, "a, b and 2 more")],
)
def test_some_of_several(names, at_most, shown):
    assert some(names, at_most) == shown
    assert some(names, at_most, "tables") == (f"{shown} tables" if len(names) > at_most else shown)
