"""Two texts word by word: what stayed, what went, what came."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal

from octoplan.limits import DIFF_WORDS_MAX

_WORD: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\w+|\s+|.", re.DOTALL)
"""An expression of the template is one word, and so is each other character that is no letter."""


@dataclass(frozen=True, slots=True)
class Word:
    """A stretch of text that is in both texts, or only in the old or the new one."""

    change: Literal["same", "removed", "added"]
    text: str


def word_diff(before: str, after: str) -> tuple[Word, ...]:
    """
    The words of both texts in reading order, neighbours of the same kind joined; what went stands before what came.

    Texts of more than `DIFF_WORDS_MAX` words are not looked into: all of the old one went.
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
    if max(len(old), len(new)) > DIFF_WORDS_MAX:
        return tuple(_words(before, after))
    found: list[Word] = []
    for tag, start, end, new_start, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            found.append(Word("same", "".join(old[start:end])))
        else:
            found += _words("".join(old[start:end]), "".join(new[new_start:new_end]))
    return tuple(found)


def _words(removed: str, added: str) -> list[Word]:
    words = [Word("removed", removed), Word("added", added)]
    return [word for word in words if word.text]
