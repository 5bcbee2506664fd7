"""
How many parts a text is billed as; the judge's own count, slow and obvious on purpose.

It walks the text one character at a time and fills parts from the left. A character of the extension table (an escape
and a septet) and a character outside the basic plane (two UTF-16 units) are never cut: what does not fit opens the next
part, which is why dividing the total is wrong.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final, Literal

from octoplan.sandbox.tables import GSM_BASIC, GSM_EXTENSION


@dataclass(frozen=True, slots=True)
class Size:
    """`units` are septets of GSM-7 or UTF-16 units of UCS-2, headers not counted; `parts` is what is billed."""

    encoding: Literal["GSM-7", "UCS-2"]
    units: int
    parts: int


def measure(text: str) -> Size:
    """The size of a text as it leaves for one handset. An empty text is one part."""
    if set(text) <= GSM_BASIC | GSM_EXTENSION:
        widths = [2 if character in GSM_EXTENSION else 1 for character in text]
        return Size("GSM-7", sum(widths), _parts(widths, alone=160, chained=153))
    widths = [2 if ord(character) > 0xFFFF else 1 for character in text]
    return Size("UCS-2", sum(widths), _parts(widths, alone=70, chained=67))


def _parts(widths: list[int], *, alone: int, chained: int) -> int:
    if sum(widths) <= alone:
        return 1
    parts, room = 1, chained
    for width in widths:
        if width > room:
            parts, room = parts + 1, chained
        room -= width
    return parts


REPLACED: Final = {
    **dict.fromkeys("«»“”", '"'),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("‚„", ","),
    **dict.fromkeys("–—^", "-"),
    **dict.fromkeys("…•", "."),
    "|": "I",
    "°": "o",
    "\\": "/",
}
"""What Octopush's page on special characters says `auto_optimize_text` replaces, besides accents."""


def optimise(text: str) -> str:
    """What `auto_optimize_text` does: rarer signs and accents made plain, runs of spaces made one, ends trimmed."""
    replaced = "".join(REPLACED.get(character, _without_accent(character)) for character in text)
    return " ".join(word for word in replaced.split(" ") if word)


def _without_accent(character: str) -> str:
    base = unicodedata.normalize("NFD", character)[0]
    return character if character in GSM_BASIC or base not in GSM_BASIC else base
