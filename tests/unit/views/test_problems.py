"""Findings and errors as a person reads them."""

from __future__ import annotations

import re
import unicodedata

import pytest

from octoplan.diagnostics import InvalidInput, Place, Rule
from octoplan.views.problems import SNIPPET_COLUMNS_MAX, render_error, render_findings

ERROR = Rule("campaign/unknown-field", "Unknown field")
WARNING = Rule("campaign/sender-space", "Sender with a space", "warning")


def _snippet(line: str, column: int, width: int = 1) -> tuple[str, str]:
    """The line and the underline as shown, without the margin."""
    shown = render_findings([ERROR.at(Place("c.yaml", 7, column, line, width), "d")], colour=False).splitlines()
    return shown[2].removeprefix("    7 | "), shown[3].removeprefix("      | ")


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def test_layout() -> None:
    """Severity, summary and code; place; the line with what is wrong underlined; detail; hint."""
    place = Place("campaigns/spring.yaml", 6, 5, "    pth: contacts.csv", 3)
    shown = render_findings([ERROR.at(place, "There is no field `pth` here.", "did you mean `path`?")], colour=False)
    assert shown == (
        "Error: Unknown field [campaign/unknown-field]\n"
        "  campaigns/spring.yaml:6:5\n"
        "    6 |     pth: contacts.csv\n"
        "      |     ^^^\n"
        "  There is no field `pth` here.\n"
        "  hint: did you mean `path`?\n"
    )


def test_order_is_by_file_and_line() -> None:
    """Findings come by file, line and column, those about a whole file first, however they were found."""
    places = [Place("b", 1, 1), Place("a", 10, 1), Place("a", 9, 2), Place("a", 9, 1), Place("a"), None]
    findings = [ERROR.at(place, "d") for place in places]
    shown = render_findings(findings, colour=False)
    assert re.findall(r"^  (\w\S*)$", shown, re.MULTILINE) == [
        "d",
        "a",
        "d",
        "a:9:1",
        "d",
        "a:9:2",
        "d",
        "a:10:1",
        "d",
        "b:1:1",
        "d",
    ]
    assert shown == render_findings(reversed(findings), colour=False)


def test_nothing_for_nothing() -> None:
    """No findings, no text."""
    assert render_findings([], colour=True) == ""


def test_error_comes_after_its_findings() -> None:
    """The sentence of the error is last, where the eye is; a hint follows it."""
    error = InvalidInput("The campaigns have errors.", hint="mend them", findings=[WARNING.at(None, "d")])
    assert render_error(error, colour=False) == (
        "Warning: Sender with a space [campaign/sender-space]\n  d\n\n"
        "Error: The campaigns have errors.\n  hint: mend them\n"
    )


def test_colour_only_when_asked() -> None:
    """Colour adds escape sequences and nothing else."""
    findings = [ERROR.at(Place("c", 1, 1, "x"), "d"), WARNING.at(None, "d")]
    plain, painted = render_findings(findings, colour=False), render_findings(findings, colour=True)
    assert "\x1b" not in plain
    assert re.sub("\x1b\\[[0-9;]*m", "", painted) == plain
    assert "\x1b[31m" in painted
    assert "\x1b[33m" in painted


@pytest.mark.parametrize(
    ("line", "column", "width", "before", "carets"),
    [
        ("a: b", 4, 1, 3, 1),
        ("\ta: b", 5, 1, 4, 1),
        ("你好: b", 5, 1, 6, 1),
        ("a: 你好", 4, 2, 3, 4),
        ("e\u0301: b", 5, 1, 3, 1),
        ("a: b", 99, 1, 4, 1),
    ],
)
def test_underline_stands_under_what_it_means(line: str, column: int, width: int, before: int, carets: int) -> None:
    """Tabs, wide and combining characters move the underline as they move the text."""
    assert _snippet(line, column, width)[1] == " " * before + "^" * carets


@pytest.mark.parametrize("filler", ["x", "好"])
@pytest.mark.parametrize("column", [1, 60, 150, 300])
def test_long_line_is_cut_around_the_underline(filler: str, column: int) -> None:
    """A line over a hundred columns is cut on both sides; what is underlined stays in sight and in place."""
    line = filler * (column - 1) + "#" + filler * (300 - column)
    shown, underline = _snippet(line, column)
    assert _columns(shown) <= SNIPPET_COLUMNS_MAX
    assert _columns(shown[: shown.index("#")]) == underline.index("^")
    assert shown.startswith("…") == (column > 1)


def test_nothing_is_obeyed_by_the_terminal() -> None:
    """Escape sequences and text-turning characters from a file are shown as dots."""
    finding = ERROR.at(Place("c\x1b[2J.yaml", 1, 1, "a\x1b]0;x\x07\u202e"), "d\x1b[31m\u2028", "h\r\x08")
    shown = render_findings([finding], colour=False)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", shown)
