"""Small helpers of the text views: numbers, times, colours, wrapping. Pure: text in, text out."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import click

_COLOURS: Mapping[str, dict[str, object]] = {
    "+": {"fg": "green", "bold": True},
    "-": {"fg": "red", "bold": True},
    "~": {"fg": "yellow", "bold": True},
    "=": {"dim": True},
    ">": {"fg": "cyan"},
    "!": {"fg": "red", "bold": True},
    "?": {"fg": "magenta", "bold": True},
    "x": {"fg": "red", "bold": True},
    "label": {"dim": True},
    "strong": {"bold": True},
    "good": {"fg": "green"},
    "bad": {"fg": "red", "bold": True},
}
_KEPT: Final = "\n\t\u200c\u200d"
"""White space, and the joiners without which emoji and some scripts fall apart."""


def paint(text: str, style: str, *, colour: bool) -> str:
    """`text` in the style of a sign or role; as it is without colour."""
    return click.style(text, **_COLOURS[style]) if colour else text  # type: ignore[arg-type]


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 recipient`, `2,812 recipients`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def count_parts(histogram: Mapping[int, int]) -> str:
    """`1,204 × 1 part, 12 × 2 parts`: recipients by the parts of their message."""
    return ", ".join(f"{number:,} × {count(size, 'part')}" for size, number in sorted(histogram.items()))


def instant(at: datetime) -> str:
    """`2027-03-20 09:00 UTC`, seconds only where there are some."""
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at.second else f"{at:%Y-%m-%d %H:%M} UTC"


def lines_of(numbers: Sequence[int | str], total: int) -> str:
    """`line 12`, `lines 12, 40, 77 …`: examples of `total` rows; nothing without examples."""
    if not numbers:
        return ""
    shown = ", ".join(str(number) for number in numbers)
    return f"{'line' if total == 1 else 'lines'} {shown}" + (" …" if total > len(numbers) else "")


def labelled(label: str, text: str, *, width: int, colour: bool, indent: int = 4, label_width: int = 10) -> list[str]:
    """A label and its text, wrapped under itself."""
    head = " " * indent + label.ljust(label_width)
    room = max(20, width - len(head))
    wrapped = [
        piece
        for line in text.split("\n")
        for piece in (textwrap.wrap(line, room, break_long_words=True, break_on_hyphens=False) or [""])
    ]
    first = " " * indent + paint(label.ljust(label_width), "label", colour=colour) + wrapped[0]
    return [first.rstrip(), *((" " * len(head) + line).rstrip() for line in wrapped[1:])]


def wrapped(text: str, *, width: int, indent: int = 2) -> list[str]:
    """A line, cut at `width`; what follows the first line is indented."""
    return textwrap.wrap(
        text, max(20, width), subsequent_indent=" " * indent, break_long_words=True, break_on_hyphens=False
    ) or [""]


def columns_of(text: str) -> int:
    """Columns that a terminal takes for `text`: two for wide characters, none for those drawn over the one before."""
    return sum(map(_column, text))


def _column(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def tame(text: str) -> str:
    """The text with a dot for control characters and for those that turn the direction of what follows."""
    return "".join(map(_tame_character, text))


def _tame_character(character: str) -> str:
    is_control = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in _KEPT
    return "·" if is_control else character
