"""The name that a handset shows as the sender of a message."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

SENDER_PATTERN: Final = r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9 ]{1,9}[A-Za-z0-9]"
"""For the JSON Schema as well, so it keeps to what Python and ECMA 262 both understand."""


@dataclass(frozen=True, slots=True)
class Sender:
    """
    3 to 11 letters and digits, at least one letter; spaces inside are tolerated.

    Octopush's page on scheduled sending asks for `a-zA-Z0-9` and shows `Company X` on the same page. A number without
    a letter is no sender in France (operators' charter).
    """

    text: str

    def __post_init__(self) -> None:
        if not re.fullmatch(SENDER_PATTERN, self.text):
            raise ValueError(_reason(self.text))

    @property
    def has_space(self) -> bool:
        """Whether it depends on the API's tolerance of spaces."""
        return " " in self.text


def _reason(text: str) -> str:
    if not 3 <= len(text) <= 11:
        return f"a sender has 3 to 11 characters, not {len(text)}"
    if text != text.strip():
        return "a sender neither starts nor ends with a space"
    if not re.fullmatch(r"[A-Za-z0-9 ]+", text):
        return "a sender is made of letters without accents, digits and spaces"
    return "a sender holds at least one letter"
