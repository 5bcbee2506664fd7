"""What a value looks like, for whoever has to mend it, without what it says."""

from __future__ import annotations

import unicodedata
from typing import Final

CHARACTERS_MAX: Final = 40
DIGITS_SHOWN: Final = 2
DIGITS_NEEDED: Final = 6
"""With fewer digits the last two would be too much of the value."""
DIGIT: Final = "•"
LETTER: Final = "x"
UNSEEN: Final = "?"


def shape_of(value: str) -> str:
    """
    `+33 6 12 34 00` as `+•• • •• •• 00`, `ask Zoé` as `xxx xxx`: length and separators stay, and the last two digits of
    a long number.

    What cannot be seen (line breaks, zero-width spaces, marks that turn the text) becomes `?`, and what comes after 40
    characters `…`.
    """
    digits = sum(character.isdigit() for character in value)
    shown, left = [], digits
    for character in value[:CHARACTERS_MAX]:
        left -= character.isdigit()
        is_last = digits >= DIGITS_NEEDED and left < DIGITS_SHOWN
        shown.append(character if character.isdigit() and character.isascii() and is_last else _hidden(character))
    return "".join(shown) + ("…" if len(value) > CHARACTERS_MAX else "")


def _hidden(character: str) -> str:
    kind = unicodedata.category(character)[0]
    if character == " " or (kind in "PS" and character.isascii()):
        return character
    return {"N": DIGIT, "L": LETTER, "M": LETTER, "P": LETTER, "S": LETTER}.get(kind, UNSEEN)
