"""
A message cut into pieces, with the characters marked that make it longer; for the terminal and the pages alike.

A mark depends on the character and the encoding alone, so that a text can be cut and wrapped in any way.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal

from octoplan.values.sms_size import GSM7_BASIC, GSM7_EXTENSION, Encoding, measure
from octoplan.views.text import columns_of

_COMPUTED: Final = re.compile(
    r"\{(?P<slot>first_name|last_name|param[1-5])\}|(?P<code>\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\})", re.DOTALL
)
"""A merge field of the API, or what a template computes."""

Mark = Literal["ucs2", "extension"]
"""Why a character is marked: it forces UCS-2, or it takes two septets."""
PieceKind = Literal["text", "ucs2", "extension", "field", "logic"]


@dataclass(frozen=True, slots=True)
class Piece:
    """
    A piece of a message: plain text, characters marked alike, or what a recipient's value or a condition stands for.

    Of a `field` or `logic` the text is what the template says there.
    """

    kind: PieceKind
    text: str

    @property
    def shown(self) -> str:
        """The text; the numbers of its characters where none of them can be seen."""
        return self.named if self.kind != "text" and all(map(is_unseen, self.text)) else self.text

    @property
    def named(self) -> str:
        """Each of its characters by name."""
        return ", ".join(name_of(character) for character in dict.fromkeys(self.text))


def mark_of(character: str, encoding: Encoding) -> Mark | None:
    """The mark of one character in a message of `encoding`."""
    if character in GSM7_EXTENSION:
        return "extension" if encoding == "GSM-7" else None
    return None if character in GSM7_BASIC else "ucs2"


def pieces_of(text: str, encoding: Encoding) -> Iterator[Piece]:
    """A text, or a part of one, with its marked characters."""
    for mark, characters in groupby(text, key=lambda character: mark_of(character, encoding)):
        # Neighbours stay together: an emoji can be several characters.
        yield Piece(mark or "text", "".join(characters))


def template_pieces(text: str, fields: Mapping[str, str]) -> Iterator[Piece]:
    """
    A text of the API, or a template, without anybody's values; `fields` say what fills each merge field.

    What the template computes is a piece of its own. Only the characters that are the same for everybody are marked.
    """
    fixed = _COMPUTED.sub("", text)
    encoding = measure(fixed).encoding
    start = 0
    for found in _COMPUTED.finditer(text):
        yield from pieces_of(text[start : found.start()], encoding)
        start = found.end()
        if found["slot"]:
            yield Piece("field", fields.get(found["slot"], found["slot"]))
        else:
            yield Piece("logic" if found["code"].startswith(("{%", "{#")) else "field", found["code"][2:-2].strip("- "))
    yield from pieces_of(text[start:], encoding)


def is_unseen(character: str) -> bool:
    """Whether nothing, or a change of direction, would be shown for it; line breaks are seen."""
    return character != "\n" and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def name_of(character: str) -> str:
    """`'ë' (U+00EB)`; only the number of a character that is not seen by itself."""
    number = f"U+{ord(character):04X}"
    return f"'{character}' ({number})" if columns_of(character) and not is_unseen(character) else number
