"""
What a campaign wants done with characters and values: `message.replacement` and `message.on_unsafe`.

Invariants:
- A replacement goes character by character and knows no context: replacing parts and joining them is joining and then
  replacing. So what is sent is Jinja's rendering with its characters replaced, however the template is taken apart.
- A value is checked as it will be sent: after it was escaped and its characters replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from octoplan.diagnostics import Rule
from octoplan.messages import rules
from octoplan.rulebook.data import escapes, replacements
from octoplan.values.sms_size import GSM7_BASIC, GSM7_EXTENSION

Level = Literal[0, 1, 2, 3]
LEVELS: Final[tuple[Level, ...]] = (0, 1, 2, 3)
OnUnsafe = Literal["refuse", "drop", "escape"]


@cache
def table_of(level: Level) -> Mapping[str, str]:
    """What replaces each character; those of GSM-7 stay as they are."""
    return {each: to for each, to in replacements(level).items() if each not in GSM7_BASIC + GSM7_EXTENSION}


@cache
def pattern_of(level: Level) -> str:
    """A regular expression for one character that is replaced; `re` and RE2 read it alike. Level 0 replaces nothing."""
    return f"[{re.escape(''.join(sorted(table_of(level))))}]"


def least_level(character: str) -> Level | None:
    """The first level that replaces a character; `None` if none does."""
    return next((level for level in LEVELS if character in table_of(level)), None)


@cache
def _translation(level: Level) -> dict[int, str]:
    return {ord(each): to for each, to in table_of(level).items()}


@cache
def _escaping() -> dict[int, str]:
    return {ord(each): to for each, to in escapes().items()}


@dataclass(frozen=True, slots=True)
class Handling:
    """
    `on_unsafe` is about values that break one of `rules.UNSAFE`; `accepted` are the ids of those that do not count.

    Values that have no harmless form are refused though they were to be escaped.
    """

    replacement: Level = 0
    on_unsafe: OnUnsafe = "refuse"
    accepted: frozenset[str] = frozenset()

    def replaced(self, text: str) -> str:
        """A text as it is sent."""
        return text.translate(_translation(self.replacement)) if self.replacement else text

    def broken_rule(self, value: str, *, constant: bool) -> Rule | None:
        """The rule that a value breaks as it would be sent."""
        return rules.value_rule(self.replaced(value), constant=constant, accepted=self.accepted)

    def escaped(self, value: str) -> str:
        """The value with something harmless for what a value must not hold."""
        return value.translate(_escaping())

    def is_left_out(self, rule: Rule) -> bool:
        """Whether recipients with a value that breaks `rule` are left out; else nothing can be sent."""
        return self.on_unsafe == "drop" and rule in rules.UNSAFE


AS_WRITTEN: Final = Handling()
"""Nothing is replaced, and unsafe values are refused."""
