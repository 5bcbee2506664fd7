"""
The languages of `phone_numbering` as regular expressions, computed when first asked for and kept between runs.

Invariants:
- What is kept belongs to one version of `phonenumbers` and one of our own compiler; any other is computed again.
- A kept entry that is damaged is computed again; what is kept is never code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson
import phonenumbers

from octoplan.audience import phone_language, phone_numbering, phones
from octoplan.audience.phone_language import (
    ANY,
    NOTHING,
    Language,
    first_digits,
    followed_by,
    starting_with,
    told_apart,
    unite,
    words,
    write_pattern,
)
from octoplan.audience.phone_numbering import Answers, Piece
from octoplan.cache import read_entry, write_entry

CUTS_MAX: Final = 6
"""Starts of strings to try one after the other; what has more is matched by one pattern for each length."""


RARE_PATTERN_MAX: Final = 500
"""Characters of a pattern for what hardly anybody writes; each costs every query some time to be understood."""


@dataclass(frozen=True, slots=True)
class Match:
    """
    Strings of digits that `pattern` matches as a whole are numbers; see `phone_numbering.Piece`.

    `cuts` are starts of strings and how many digits go from those; of no other string digits go. Longest cut first.
    Of the strings that `pattern` matches, those that `landlines` matches get no SMS.
    """

    code: int
    country: str
    overseas: bool
    pattern: str
    cuts: tuple[tuple[str, int], ...]
    landlines: str | None


@dataclass(frozen=True, slots=True)
class Patterns:
    """At most one of `matches` applies to a string; where none does and `unsure` matches, the library is asked."""

    matches: tuple[Match, ...]
    unsure: str | None


class PatternStore:
    """Patterns by calling code and by region. `save` keeps what was computed since the last time."""

    def __init__(self) -> None:
        self._kept = _read_kept()
        self._is_new = False

    def international(self, code: int) -> Patterns:
        """What follows `+` and the code."""
        return self._find(f"+{code}", lambda: phone_numbering.read_international(code))

    def national(self, region: str) -> Patterns:
        """Digits as they are dialled inside the region."""
        return self._find(region, lambda: phone_numbering.read_national(region))

    def plain(self, code: int, region: str | None) -> Patterns:
        """What follows `+` and the code, and for the region's own code its trunk prefix, and is kept whole."""
        return self._find(f"{region}+{code}", lambda: phone_numbering.read_plain(code, region))

    def save(self) -> None:
        """Write to the cache, if there is something new."""
        if self._is_new:
            write_entry(_entry_name(), orjson.dumps({key: asdict(value) for key, value in self._kept.items()}))
            self._is_new = False

    def _find(self, key: str, read: Callable[[], Answers]) -> Patterns:
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = _compile(read)
            self._is_new = True
        return found


def _compile(read: Callable[[], Answers]) -> Patterns:
    """Metadata in a form that we do not understand is left to the library, all of it."""
    try:
        return _write_patterns(read())
    except ValueError:
        return _write_patterns(Answers((), ANY))


def _write_patterns(answers: Answers) -> Patterns:
    pieces = [piece for piece in answers.pieces if not _is_rare(piece)]
    rare = (followed_by(first_digits(piece.drop, piece.language), ANY) for piece in answers.pieces if _is_rare(piece))
    unsure = answers.unsure | unite(rare)
    targets: dict[tuple[int, str, bool], dict[int, Language]] = {}
    for piece in pieces:
        by_drop = targets.setdefault((piece.code, piece.country, piece.overseas), {})
        by_drop[piece.drop] = by_drop.get(piece.drop, NOTHING) | piece.language
    landlines = unite(piece.landlines for piece in pieces)
    matches = (
        Match(*target, *form) for target, by_drop in targets.items() for form in _write_forms(by_drop, landlines)
    )
    return Patterns(tuple(matches), None if unsure is NOTHING else write_pattern(unsure))


def _is_rare(piece: Piece) -> bool:
    """Long prefixes (for carriers, for text telephones) before countries with long patterns: not worth a pattern."""
    usual = len(str(piece.code)) + len("0")
    return piece.drop > usual and len(write_pattern(piece.language)) > RARE_PATTERN_MAX


def _write_forms(
    by_drop: dict[int, Language], landlines: Language
) -> Iterator[tuple[str, tuple[tuple[str, int], ...], str | None]]:
    """One pattern for all if the starts of strings tell what to cut off, and one for each length if not."""
    ordered = sorted(by_drop.items(), reverse=True)
    cuts = _tell_apart(ordered)
    if cuts is not None:
        yield _write_all(by_drop, cuts), cuts, _write_landlines(unite(by_drop.values()), landlines)
        return
    for drop, language in ordered:
        yield write_pattern(language), (("", drop),) if drop else (), _write_landlines(language, landlines)


def _write_landlines(language: Language, landlines: Language) -> str | None:
    chosen = language & landlines
    return None if chosen is NOTHING else write_pattern(told_apart(chosen, language - chosen))


def _write_all(by_drop: dict[int, Language], cuts: tuple[tuple[str, int], ...]) -> str:
    """`0?…` where that is all, because an expression for both together says everything twice."""
    everything, whole = unite(by_drop.values()), by_drop.get(0, NOTHING)
    if cuts and everything is unite(starting_with(start, whole) for start, _ in (*cuts, ("", 0))):
        return f"(?:{'|'.join(start for start, _ in cuts)})?{write_pattern(whole)}"
    return write_pattern(everything)


def _tell_apart(ordered: list[tuple[int, Language]]) -> tuple[tuple[str, int], ...] | None:
    left = unite(language for _, language in ordered)
    cuts: list[tuple[str, int]] = []
    for drop, language in ordered:
        starts = list(islice(words(first_digits(drop, language)), CUTS_MAX + 1))
        with_start = left & unite(starting_with(start, ANY) for start in starts)
        if with_start is not language or len(cuts) + len(starts) > CUTS_MAX:
            return None
        cuts += [(start, drop) for start in starts if drop]
        left -= language
    return tuple(cuts)


def _read_kept() -> dict[str, Patterns]:
    content = read_entry(_entry_name())
    try:
        return {key: _parse_patterns(value) for key, value in orjson.loads(content or b"{}").items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def _parse_patterns(value: dict[str, Any]) -> Patterns:
    matches = ({**match, "cuts": tuple((start, drop) for start, drop in match["cuts"])} for match in value["matches"])
    return Patterns(tuple(Match(**match) for match in matches), value["unsure"])


@cache
def _entry_name() -> str:
    """Changes with the metadata and with the code that reads it."""
    sources = (phones.__file__, phone_language.__file__, phone_numbering.__file__, __file__)
    digest = hashlib.sha256(b"\0".join(Path(source).read_bytes() for source in sources))
    return f"phones/{phonenumbers.__version__}-{digest.hexdigest()[:16]}.json"
