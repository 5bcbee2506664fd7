"""
Sets of digit strings, small enough to compute with: the numbers of a country, those that start with its trunk prefix.

A language is a node of a graph: whether the string may end here, and the ten nodes that one more digit leads to. Equal
languages are the same object, so that comparing is `is` and every operation is remembered by its operands. Strings of
any length are one node that leads to itself (`ANY`); all else ends, as numbers do.

Invariants:
- `read_pattern` knows the part of the syntax of regular expressions that libphonenumber's metadata uses, and raises on
  the rest; it never guesses.
- `write_pattern` is exact: the expression matches a string of digits if and only if it is in the language.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Final

_DIGITS: Final = "0123456789"


class Language:
    """A set of strings of digits. Made by the functions of this file only; compared by identity."""

    __slots__ = ("after", "ends")

    def __init__(self, ends: bool, after: tuple[Language, ...]) -> None:
        self.ends = ends
        """Whether the empty string is in it."""
        self.after = after
        """For each digit, what may follow it."""

    def __or__(self, other: Language) -> Language:
        if self is other or other is NOTHING or self is ANY:
            return self
        return other if self is NOTHING or other is ANY else _unite(self, other)

    def __and__(self, other: Language) -> Language:
        if self is other or other is ANY or self is NOTHING:
            return self
        return other if self is ANY or other is NOTHING else _intersect(self, other)

    def __sub__(self, other: Language) -> Language:
        if other is NOTHING or self is NOTHING:
            return self
        return NOTHING if self is other or other is ANY else _subtract(self, other)


_known: Final[dict[tuple[bool, tuple[Language, ...]], Language]] = {}


def _language(*, ends: bool, after: tuple[Language, ...]) -> Language:
    key = (ends, after)
    found = _known.get(key)
    if found is None:
        found = _known[key] = Language(ends, after)
    return found


def _loop(ends: bool) -> Language:
    """The only nodes that lead to themselves."""
    node = Language(ends, ())
    node.after = (node,) * len(_DIGITS)
    _known[ends, node.after] = node
    return node


NOTHING: Final = _loop(ends=False)
ANY: Final = _loop(ends=True)
EMPTY_STRING: Final = _language(ends=True, after=(NOTHING,) * len(_DIGITS))


@cache
def _unite(one: Language, other: Language) -> Language:
    return _language(ends=one.ends or other.ends, after=tuple(map(Language.__or__, one.after, other.after)))


@cache
def _intersect(one: Language, other: Language) -> Language:
    return _language(ends=one.ends and other.ends, after=tuple(map(Language.__and__, one.after, other.after)))


@cache
def _subtract(one: Language, other: Language) -> Language:
    return _language(ends=one.ends and not other.ends, after=tuple(map(Language.__sub__, one.after, other.after)))


def unite(languages: Iterable[Language]) -> Language:
    """The strings of all of them."""
    united = NOTHING
    for language in languages:
        united |= language
    return united


def starting_with(digits: str, rest: Language) -> Language:
    """The strings of `rest`, each with `digits` before it."""
    for digit in reversed(digits):
        rest = one_of(digit, rest)
    return rest


def one_of(digits: str, rest: Language) -> Language:
    """The strings of `rest`, each with one of `digits` before it."""
    return _language(ends=False, after=tuple(rest if digit in digits else NOTHING for digit in _DIGITS))


def any_digits(count: int, rest: Language) -> Language:
    """The strings of `rest`, each with any `count` digits before it."""
    for _ in range(count):
        rest = one_of(_DIGITS, rest)
    return rest


def after(digits: str, language: Language) -> Language:
    """What follows `digits` in the strings of `language`."""
    for digit in digits:
        language = language.after[int(digit)]
    return language


def followed_by(language: Language, rest: Language) -> Language:
    """Each string of a finite language, and after it each string of `rest`."""
    return _follow(language, rest) if language is not NOTHING else NOTHING


@cache
def _follow(language: Language, rest: Language) -> Language:
    longer = _language(ends=False, after=tuple(followed_by(after, rest) for after in language.after))
    return longer | rest if language.ends else longer


def first_digits(count: int, language: Language) -> Language:
    """The first `count` digits of its strings; shorter ones have none."""
    if count == 0:
        return EMPTY_STRING
    rests = (rest if rest is NOTHING else first_digits(count - 1, rest) for rest in language.after)
    return _language(ends=False, after=tuple(rests))


@cache
def told_apart(chosen: Language, others: Language) -> Language:
    """
    A language that has all strings of `chosen` and none of `others`, given that these share none; both are finite.

    It has whatever else makes it short: where only strings of `chosen` go on, anything may follow.
    """
    if chosen is NOTHING:
        return NOTHING
    if others is NOTHING:
        return ANY
    return _language(ends=chosen.ends, after=tuple(map(told_apart, chosen.after, others.after)))


def words(language: Language) -> Iterator[str]:
    """
    All strings of a finite language.

    :raises ValueError: if there is no end of them.
    """
    if language is ANY:
        raise ValueError("an endless language cannot be listed")
    if language.ends:
        yield ""
    for digit, rest in zip(_DIGITS, language.after, strict=True):
        if rest is not NOTHING:
            yield from (digit + word for word in words(rest))


@cache
def write_pattern(language: Language) -> str:
    """A regular expression for the whole string. `NOTHING` gives one that no string of digits matches."""
    if language is ANY:
        return r"\d*"
    joint = None if language.ends else _joint(language)
    if joint is not None:
        depth, rest = joint
        return write_pattern(first_digits(depth, language)) + write_pattern(rest)
    branches = _branches(language)
    if not branches:
        return "" if language.ends else "[^0-9]"
    if language.ends:
        return f"(?:{'|'.join(branches)})?"
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"


def _joint(language: Language) -> tuple[int, Language] | None:
    """
    Two digits or more after which all strings go on alike (area codes, say), and how they do: written once, if it is
    more than some number of any digits.
    """
    level = {language}
    for depth in itertools.count(1):
        level = {rest for node in level for rest in node.after if rest is not NOTHING}
        if not level or any(node.ends for node in level):
            return None
        if depth > 1 and len(level) == 1:
            (rest,) = level
            return None if len(set(rest.after)) == 1 else (depth, rest)
    raise AssertionError


def _branches(language: Language) -> list[str]:
    """One for each language that can follow, with the digits that lead to it."""
    leading: dict[Language, str] = {}
    for digit, rest in zip(_DIGITS, language.after, strict=True):
        if rest is not NOTHING:
            leading[rest] = leading.get(rest, "") + digit
    return [_shorten(_digit_class(digits), write_pattern(rest)) for rest, digits in leading.items()]


def _shorten(head: str, tail: str) -> str:
    r"""`\d` before `\d{4}…` is `\d{5}…`: expressions are long enough without writing every digit."""
    if head == r"\d" and (found := re.match(r"\\d(?:\{(\d+)\})?(?![*?{])", tail)):
        return rf"\d{{{int(found[1] or 1) + 1}}}{tail[found.end() :]}"
    return head + tail


def _digit_class(digits: str) -> str:
    if digits == _DIGITS:
        return r"\d"
    if len(digits) == 1:
        return digits
    runs = itertools.groupby(enumerate(digits), lambda at: int(at[1]) - at[0])
    return f"[{''.join(_range([digit for _, digit in run]) for _, run in runs)}]"


def _range(run: list[str]) -> str:
    return f"{run[0]}-{run[-1]}" if len(run) > len("ab") else "".join(run)


Pattern = Callable[[Language], Language]
"""What an expression means: the strings that it matches, given those that may follow."""

_SIGN: Final = re.compile(r"\(\?:|\\d|\[[0-9-]+\]|\{\d+(?:,\d+)?\}|[0-9()|?$]")


def read_pattern(pattern: str) -> Pattern:
    """
    Understand an expression of the metadata: `read_pattern(p)(EMPTY_STRING)` are the strings that it matches as a
    whole, `read_pattern(p)(ANY)` those of which it matches the start.

    :raises ValueError: for syntax that the metadata did not have when this was written.
    """
    signs = _SIGN.findall(pattern)
    if "".join(signs) != pattern:
        raise ValueError(f"unknown syntax in the pattern {pattern}")
    signs.reverse()
    meaning = _read_alternatives(signs)
    if signs:
        raise ValueError(f"unbalanced pattern {pattern}")
    return meaning


def alternatives(pattern: str) -> list[str]:
    """The parts of an expression between the `|` that are in no group."""
    depth, parts = 0, [""]
    for sign in _SIGN.findall(pattern):
        depth += sign in {"(", "(?:"}
        depth -= sign == ")"
        if sign == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _read_alternatives(signs: list[str]) -> Pattern:
    parts = [_read_sequence(signs)]
    while signs and signs[-1] == "|":
        signs.pop()
        parts.append(_read_sequence(signs))

    return lambda rest: unite(alternative(rest) for alternative in parts)


def _read_sequence(signs: list[str]) -> Pattern:
    parts = []
    while signs and signs[-1] not in "|)":
        parts.append(_read_repetition(_read_atom(signs), signs))

    def meaning(rest: Language) -> Language:
        for part in reversed(parts):
            rest = part(rest)
        return rest

    return meaning


def _read_atom(signs: list[str]) -> Pattern:
    sign = signs.pop()
    if sign in {"(", "(?:"}:
        inner = _read_alternatives(signs)
        if not signs or signs.pop() != ")":
            raise ValueError("a group is not closed")
        return inner
    if sign == "$":
        return lambda rest: rest & EMPTY_STRING
    if sign[0] in "?{":
        raise ValueError(f"nothing to repeat before {sign}")
    digits = "".join(filter(re.compile(sign).match, _DIGITS))
    return lambda rest: one_of(digits, rest)


def _read_repetition(part: Pattern, signs: list[str]) -> Pattern:
    if not signs or signs[-1][0] not in "?{":
        return part
    sign = signs.pop()
    least, most = (0, 1) if sign == "?" else _bounds(sign)

    def meaning(rest: Language) -> Language:
        language = rest
        for _ in range(most - least):
            language = rest | part(language)
        for _ in range(least):
            language = part(language)
        return language

    return meaning


def _bounds(sign: str) -> tuple[int, int]:
    least, _, most = sign[1:-1].partition(",")
    return int(least), int(most or least)
