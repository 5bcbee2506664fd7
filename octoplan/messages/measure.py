"""
The size of each recipient's text without making the text: what is static once, and each distinct value once.

Invariant: equal to the `counting`'s own measure of the text as filled in. Texts in which a character of two units may
fall on a boundary, and whose parts depend on it, are filled in and packed one by one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.limits import MERGE_VALUE_CHARACTERS_MAX, TEMPLATE_OUTPUT_CHARACTERS_MAX
from octoplan.messages.evaluate import Values
from octoplan.values.sms_size import NOT_GSM7, STANDARD, Counting, SizeColumns, count_units, parts_of

_UCS2, _GSM7_PAIR, _UCS2_PAIR, _INK, _FAULT = (1 << bit for bit in range(5))
"""What is true of a piece of text, and then of every text that it is in."""

_BITS: Final = 19
"""For each of three sums in one number, whose other bits are the flags."""
_LONG: Final = MERGE_VALUE_CHARACTERS_MAX + 1
"""
Where a text has many values, longer ones count as this long: merge fields that long are refused anyway. A template has
at most 4,000 of them (`{{a}}` takes five characters), so that the sums stay below 2^19.
"""
_MASK: Final = (1 << _BITS) - 1

Piece = str | Values
"""Static text, or a value for each row."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """For each row: its `size`, how many `characters` it has, whether it `is_blank`, and whether it `is_whole`."""

    size: SizeColumns
    characters: pa.Array
    is_blank: pa.BooleanArray
    is_whole: pa.BooleanArray
    """False where a value is missing; then the other figures mean nothing."""

    def whole(self) -> Sizes:
        """Only the rows whose text is whole."""
        kept = self.is_whole
        size = SizeColumns(*(column.filter(kept) for column in self.size))
        return Sizes(size, self.characters.filter(kept), self.is_blank.filter(kept), kept.filter(kept))


@dataclass(frozen=True, slots=True)
class _Facts:
    """Characters, and how many more units they take in GSM-7 and in UCS-2, packed into one number; and flags."""

    sums: pa.Int64Array
    flags: pa.Int8Array

    @classmethod
    def of(cls, texts: pa.StringArray, longest: int, counting: Counting) -> _Facts:
        characters, extension, astral = (column.cast(pa.int64()) for column in count_units(texts, counting))
        flags = _flag(_UCS2, pc.match_substring_regex(texts, NOT_GSM7))
        flags = pc.bit_wise_or(flags, _flag(_GSM7_PAIR, pc.greater(extension, 0)))
        flags = pc.bit_wise_or(flags, _flag(_UCS2_PAIR, pc.greater(astral, 0)))
        flags = pc.bit_wise_or(flags, _flag(_INK, pc.not_equal(pc.utf8_trim_whitespace(texts), "")))
        flags = pc.if_else(texts.is_valid(), flags, pa.scalar(_FAULT, pa.int8()))
        parts = [pc.min_element_wise(pc.fill_null(each, 0), longest) for each in (characters, extension, astral)]
        sums = reduce(pc.add, (pc.shift_left(part, _BITS * number) for number, part in enumerate(parts)))
        return cls(sums, pc.fill_null(flags, _FAULT))


def _flag(bit: int, where: pa.BooleanArray) -> pa.Int8Array:
    return pc.if_else(where, pa.scalar(bit, pa.int8()), pa.scalar(0, pa.int8()))


def measure_pieces(pieces: Sequence[Piece], count: int, counting: Counting = STANDARD) -> Sizes:
    """The sizes of the texts that `pieces` make when they are joined, for `count` rows."""
    facts = _add_facts(pieces, count, counting)
    # Few texts differ in what matters here, so each kind is worked out once.
    kinds, number = facts.dictionary, facts.indices
    sums, flags = pc.bit_wise_and(kinds, (1 << 3 * _BITS) - 1), pc.shift_right(kinds, 3 * _BITS).cast(pa.int8())
    characters, extension, astral = (_sum(sums, place) for place in range(3))
    ucs2 = _has(flags, _UCS2)
    units = pc.add(characters, pc.if_else(ucs2, astral, extension)).cast(pa.int32())
    segments = parts_of(units, ucs2, counting)
    most = parts_of(units, ucs2, counting, lost=1)
    pairs = pc.if_else(ucs2, _has(flags, _UCS2_PAIR), _has(flags, _GSM7_PAIR))
    doubtful = pc.and_(pc.less(segments, most), pairs)
    doubtful = pc.and_not(doubtful, _has(flags, _FAULT))
    size = SizeColumns(units.take(number), segments.take(number), ucs2.take(number))
    if pc.any(doubtful).as_py():
        each = doubtful.take(number)
        packed = [counting.measure(text).segments for text in join_pieces(pieces, count, each).to_pylist()]
        size = size._replace(segments=pc.replace_with_mask(size.segments, each, pa.array(packed, pa.int32())))
    blank, whole = pc.invert(_has(flags, _INK)), pc.invert(_has(flags, _FAULT))
    return Sizes(size, characters.take(number), blank.take(number), whole.take(number))


def _add_facts(pieces: Sequence[Piece], count: int, counting: Counting) -> pa.DictionaryArray:
    """The sums of each row, and its flags in the bits after them."""
    sum_of_static, flags_of_static = _static("".join(piece for piece in pieces if isinstance(piece, str)), counting)
    sums = pa.repeat(pa.scalar(sum_of_static, pa.int64()), count)
    flags = pa.repeat(pa.scalar(flags_of_static, pa.int8()), count)
    uses = Counter(id(piece) for piece in pieces if isinstance(piece, Values))
    longest = max(TEMPLATE_OUTPUT_CHARACTERS_MAX // max(uses.total(), 1), _LONG)
    for value in {id(piece): piece for piece in pieces if isinstance(piece, Values)}.values():
        facts = _Facts.of(value.texts, longest, counting)
        sums = pc.add(sums, pc.multiply(facts.sums, uses[id(value)]).take(value.codes))
        flags = pc.bit_wise_or(flags, facts.flags.take(value.codes))
    return pc.bit_wise_or(sums, pc.shift_left(flags.cast(pa.int64()), 3 * _BITS)).dictionary_encode()


@lru_cache(1024)
def _static(text: str, counting: Counting) -> tuple[int, int]:
    """The sums and flags of a text, worked out once for all Arrow batches."""
    facts = _Facts.of(pa.array([text], pa.string()), TEMPLATE_OUTPUT_CHARACTERS_MAX, counting)
    return facts.sums[0].as_py(), facts.flags[0].as_py()


def _sum(sums: pa.Int64Array, number: int) -> pa.Int64Array:
    return pc.bit_wise_and(pc.shift_right(sums, _BITS * number), _MASK)


def _has(flags: pa.Int8Array, bit: int) -> pa.BooleanArray:
    return pc.not_equal(pc.bit_wise_and(flags, pa.scalar(bit, pa.int8())), pa.scalar(0, pa.int8()))


def join_pieces(pieces: Sequence[Piece], count: int, where: pa.BooleanArray | None = None) -> pa.StringArray:
    """The texts themselves, only of the rows `where` it is true; null where a value is missing."""
    columns = [piece if isinstance(piece, str) else _chosen(piece, where) for piece in pieces]
    number = count if where is None else pc.sum(where).as_py() or 0
    # The empty column gives the text its length where all of it is static.
    return pc.binary_join_element_wise(pa.repeat(pa.scalar(""), number), *columns, "")


def _chosen(values: Values, where: pa.BooleanArray | None) -> pa.StringArray:
    return values.rows() if where is None else values.filter(where).rows()


def guilty_characters(pieces: Sequence[Piece], where: pa.BooleanArray) -> Counter[str]:
    """The characters that force UCS-2, with the number of rows, `where` true, in whose text each stands."""
    kept = [piece if isinstance(piece, str) else piece.filter(where).used() for piece in pieces]
    return count_characters(kept, NOT_GSM7, pc.sum(where).as_py() or 0)


def count_characters(pieces: Sequence[Piece], pattern: str, count: int) -> Counter[str]:
    """The characters that match `pattern`, a character class, with the number of rows in whose text each stands."""
    left = [stripped(piece, pattern) for piece in pieces]
    static = "".join(piece for piece in left if isinstance(piece, str))
    values = [piece for piece in left if isinstance(piece, Values) and pc.max(pc.utf8_length(piece.texts)).as_py()]
    if not values:
        return Counter(dict.fromkeys(static, count)) if count else Counter()
    found: Counter[str] = Counter()
    for counted in pc.value_counts(join_pieces([static, *values], count)):
        for character in set(counted["values"].as_py() or ""):
            found[character] += counted["counts"].as_py()
    return found


def stripped(piece: Piece, pattern: str) -> Piece:
    """Only those characters of a piece that match `pattern`, a character class."""
    others = "[^" + pattern[1:] if not pattern.startswith("[^") else "[" + pattern[2:]
    if isinstance(piece, str):
        return re.sub(others, "", piece)
    return Values(piece.codes, pc.replace_substring_regex(piece.texts, f"{others}+", ""))
