"""
What single characters cost: which of them make messages longer, which were replaced, and what that saved.

Worked out on what is distinct, never on a Python object a row. Holds characters and names of columns, no value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.limits import CHARACTER_SETS_MAX
from octoplan.messages.handling import Level, least_level, pattern_of, table_of
from octoplan.messages.measure import Piece, count_characters, join_pieces, measure_pieces, stripped
from octoplan.values.sms_size import DOUBLED_BY_OCTOPUSH, NOT_GSM7, PESSIMISTIC, SizeColumns, parts_of

Shift = tuple[str, int, int]
"""A country, the parts of a message, and the parts that it has otherwise."""
Sourced = Sequence[tuple[frozenset[str], Piece]]
"""The pieces of texts, each with the columns that it comes from; none for the template."""
Culprit = tuple[str, frozenset[str]]
"""
A character and the columns that it comes from. The empty text stands for letters that nothing replaces, which could
tell a name, and for all characters where there are too many to tell them apart.
"""

_OPENING: Final = re.compile(r"([0-9]+);([^0-9;]*)")
_DOUBLED: Final = f"[{re.escape(DOUBLED_BY_OCTOPUSH)}]"


@dataclass(frozen=True, slots=True)
class Cause:
    """
    Recipients whose messages have all of these `culprits` outside GSM-7, and would have fewer parts without them.

    `shifts` counts them by country, parts, and the parts that would do.
    """

    culprits: tuple[Culprit, ...]
    shifts: Mapping[Shift, int]

    @property
    def level(self) -> Level | None:
        """The replacement level that would save these parts; `None` if none would."""
        levels = [least_level(character) for character, _ in self.culprits]
        return None if None in levels else max((level for level in levels if level is not None), default=None)


@dataclass(slots=True)
class CharacterTally:
    """Adds up messages; each figure depends on the recipients alone."""

    level: Level
    replaced: Counter[Culprit] = field(default_factory=Counter)
    saved: Counter[Shift] = field(default_factory=Counter)
    pessimistic: Counter[Shift] = field(default_factory=Counter)
    _causes: dict[frozenset[Culprit], Counter[Shift]] = field(default_factory=dict)
    _is_collapsed: bool = False

    def add(self, country: pa.Array, size: SizeColumns, sent: Sourced, rendered: Sourced) -> None:
        """Count recipients: their messages as they are sent, and with no character replaced."""
        self._add_pessimistic(country, size, sent)
        self._add_causes(country, size, sent)
        if self.level:
            self._add_replaced(country, size, rendered)

    def causes(self) -> tuple[Cause, ...]:
        """What makes messages longer, the most parts first."""
        found = [Cause(tuple(sorted(each, key=_order)), dict(sorted(c.items()))) for each, c in self._causes.items()]
        return tuple(sorted(found, key=lambda cause: (-extra_parts(cause.shifts), list(map(_order, cause.culprits)))))

    def _add_pessimistic(self, country: pa.Array, size: SizeColumns, sent: Sourced) -> None:
        """Messages that have more parts as Octopush's page on special characters counts."""
        most = parts_of(size.units, size.ucs2, PESSIMISTIC, lost=1)
        doubtful = pc.and_(size.ucs2, pc.greater(most, size.segments))
        if any(_has_doubled(piece) for _, piece in sent):
            doubtful = pc.or_(doubtful, pc.invert(size.ucs2))
        if not pc.any(doubtful).as_py():
            return
        pieces = _filtered(sent, doubtful)
        country, segments = country.filter(doubtful), size.segments.filter(doubtful)
        worst = measure_pieces([piece for _, piece in pieces], len(segments), PESSIMISTIC).size.segments
        _count_shifts(self.pessimistic, country, worst, segments)

    def _add_causes(self, country: pa.Array, size: SizeColumns, sent: Sourced) -> None:
        """Messages in UCS-2 of more parts than they would have in GSM-7."""
        long = pc.and_(size.ucs2, pc.greater(size.segments, 1))
        if not pc.any(long).as_py():
            return
        pieces = _filtered(sent, long)
        country, segments = country.filter(long), size.segments.filter(long)
        plain = [_plain(piece) for _, piece in pieces]
        least = measure_pieces(plain, len(segments)).size.segments
        names = list(dict.fromkeys(names for names, _ in pieces))
        culprits = _join_culprits(pieces, names, len(segments))
        table = pa.table({"culprits": culprits, "country": country, "now": segments, "then": least})
        table = table.filter(pc.less(table["then"], table["now"]))
        grouped = table.group_by(table.column_names, use_threads=False).aggregate([([], "count_all")])
        for text, *shift, count in zip(*(column.to_pylist() for column in grouped.columns), strict=True):
            self._add_cause(_culprits(text, names), tuple(shift), count)

    def _add_cause(self, culprits: frozenset[Culprit], shift: Shift, count: int) -> None:
        key = _collapsed(culprits) if self._is_collapsed else culprits
        self._causes.setdefault(key, Counter())[shift] += count
        if len(self._causes) > CHARACTER_SETS_MAX and not self._is_collapsed:
            before, self._causes, self._is_collapsed = self._causes, {}, True
            for each, shifts in before.items():
                self._causes.setdefault(_collapsed(each), Counter()).update(shifts)

    def _add_replaced(self, country: pa.Array, size: SizeColumns, rendered: Sourced) -> None:
        """What was replaced where, and the parts that messages would have otherwise."""
        pattern, before = pattern_of(self.level), Counter(self.replaced)
        for names in dict.fromkeys(names for names, _ in rendered):
            pieces = [piece for each, piece in rendered if each == names]
            for character, count in count_characters(pieces, pattern, len(country)).items():
                self.replaced[character, names] += count
        if self.replaced != before:
            whole = measure_pieces([piece for _, piece in rendered], len(country)).size.segments
            _count_shifts(self.saved, country, whole, size.segments)


def extra_parts(shifts: Mapping[Shift, int]) -> int:
    """How many parts more there are now than there would be otherwise."""
    return sum((now - then) * count for (_, now, then), count in shifts.items())


def _order(culprit: Culprit) -> tuple[str, list[str]]:
    return culprit[0], sorted(culprit[1])


def _collapsed(culprits: Iterable[Culprit]) -> frozenset[Culprit]:
    return frozenset(("", names) for _, names in culprits)


def _count_shifts(found: Counter[Shift], country: pa.Array, now: pa.Array, then: pa.Array) -> None:
    """Count the messages whose parts differ."""
    table = pa.table({"country": country, "now": now, "then": then})
    table = table.filter(pc.not_equal(table["now"], table["then"]))
    grouped = table.group_by(table.column_names, use_threads=False).aggregate([([], "count_all")])
    for *shift, count in zip(*(column.to_pylist() for column in grouped.columns), strict=True):
        found[tuple(shift)] += count


def _filtered(pieces: Sourced, kept: pa.BooleanArray) -> Sourced:
    return [(names, piece if isinstance(piece, str) else piece.filter(kept).used()) for names, piece in pieces]


def _has_doubled(piece: Piece) -> bool:
    if isinstance(piece, str):
        return re.search(_DOUBLED, piece) is not None
    return bool(pc.any(pc.match_substring_regex(piece.texts, _DOUBLED)).as_py())


def _plain(piece: Piece) -> Piece:
    """About the same in GSM-7: one character for each that nothing replaces."""
    return _in_gsm7(piece) if isinstance(piece, str) else piece.mapped(_in_gsm7, NOT_GSM7)


def _in_gsm7(text: str) -> str:
    table = table_of(3)
    return re.sub(NOT_GSM7, lambda match: table.get(match.group(), "?"), text)


def _join_culprits(pieces: Sourced, names: Sequence[frozenset[str]], count: int) -> pa.StringArray:
    """For each row the characters outside GSM-7 by where they come from: the number in `names`, `;`, the characters."""
    joined: list[Piece] = []
    for number, each in enumerate(names):
        joined += [f"{number};", *(stripped(piece, NOT_GSM7) for source, piece in pieces if source == each)]
    return join_pieces(joined, count)


def _culprits(text: str, names: Sequence[frozenset[str]]) -> frozenset[Culprit]:
    found = _OPENING.findall(text)
    return frozenset((_named(each), names[int(number)]) for number, characters in found for each in characters)


def _named(character: str) -> str:
    return "" if character.isalpha() and least_level(character) is None else character
