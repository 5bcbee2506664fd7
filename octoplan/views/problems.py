"""
Findings and errors as a person reads them on a terminal.

    Error: Unknown field [campaign/unknown-field]
      campaigns/spring.yaml:6:5
        6 |     pth: contacts.csv
          |     ^^^
      There is no field `pth` here.
      hint: did you mean `path`?

Nothing that is printed can move the cursor or change colours: control characters become a dot.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

import click

from octoplan.diagnostics import Finding, OctoplanError, Place, Severity
from octoplan.views.text import columns_of

SNIPPET_COLUMNS_MAX: Final = 100
_CONTEXT_COLUMNS: Final = 40
"""How much is kept before the caret when a line is cut."""
_COLOURS: Final[dict[Severity, str]] = {"error": "red", "warning": "yellow"}
_TITLES: Final[dict[Severity, str]] = {"error": "Error", "warning": "Warning"}


def render_findings(findings: Iterable[Finding], *, colour: bool) -> str:
    """All findings, sorted by place, with a blank line between them; the empty text for none."""
    return "\n".join(_render_finding(finding, colour=colour) for finding in sorted(findings, key=_order))


def render_error(error: OctoplanError, *, colour: bool) -> str:
    """An error with its findings; its own sentence comes last, where the eye is when the output stops."""
    findings = render_findings(error.findings, colour=colour)
    lines = [f"{_paint('Error', 'red', colour=colour)}: {clean(error.message)}"]
    if error.hint:
        lines.append(f"  hint: {clean(error.hint)}")
    return (findings + "\n" if findings else "") + "\n".join(lines) + "\n"


def _order(finding: Finding) -> tuple[str, int, int, str, str]:
    place = finding.place or Place("")
    return (place.file, place.line or 0, place.column or 0, finding.code, finding.detail)


def _render_finding(finding: Finding, *, colour: bool) -> str:
    title = _paint(_TITLES[finding.severity], _COLOURS[finding.severity], colour=colour)
    lines = [f"{title}: {finding.summary} [{finding.code}]"]
    if finding.place is not None:
        lines += _render_place(finding.place, _COLOURS[finding.severity], colour=colour)
    lines.append(f"  {clean(finding.detail)}")
    if finding.hint:
        lines.append(f"  hint: {clean(finding.hint)}")
    return "\n".join(lines) + "\n"


def _render_place(place: Place, caret_colour: str, *, colour: bool) -> list[str]:
    lines = [f"  {clean(str(place))}"]
    if place.snippet is None or place.line is None:
        return lines
    number = str(place.line)
    shown, before, width = _cut(place.snippet, place.column or 1, place.width)
    margin = " " * len(number)
    return [
        *lines,
        f"    {number} | {shown}".rstrip(),
        f"    {margin} | {' ' * before}{_paint('^' * width, caret_colour, colour=colour)}",
    ]


def _cut(snippet: str, column: int, width: int) -> tuple[str, int, int]:
    """
    The part of a line that is shown, and how far in and how long the underline is, in columns of the terminal.

    `column` (from 1) and `width` count characters of `snippet`.
    """
    line = clean(snippet)
    start = min(column - 1, len(line))
    first = 0
    if columns_of(line) > SNIPPET_COLUMNS_MAX:
        first = _fit_back(line, start)
        line = line[: first + _fit(line[first:], SNIPPET_COLUMNS_MAX - 2)] + "…"
    lead = "…" if first else ""
    marked = line[start : start + width]
    return lead + line[first:], len(lead) + columns_of(line[first:start]), max(1, columns_of(marked))


def _fit_back(line: str, start: int) -> int:
    """Where to begin so that `_CONTEXT_COLUMNS` stand before `start`."""
    if columns_of(line[:start]) <= _CONTEXT_COLUMNS:
        return 0
    first = start
    while first and columns_of(line[first - 1 : start]) <= _CONTEXT_COLUMNS:
        first -= 1
    return first


def _fit(text: str, columns: int) -> int:
    """How many characters of `text` fit."""
    used = 0
    for count, character in enumerate(text):
        used += columns_of(character)
        if used > columns:
            return count
    return len(text)


def clean(text: str) -> str:
    """One line without anything that a terminal obeys; each character stays one character, so that columns hold."""
    return "".join(_clean_character(character) for character in text)


def _clean_character(character: str) -> str:
    if character in "\t\n\r":
        return " "
    return "·" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") else character


def _paint(text: str, colour_name: str, *, colour: bool) -> str:
    return click.style(text, fg=colour_name, bold=True) if colour else text
