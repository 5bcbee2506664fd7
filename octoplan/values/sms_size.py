"""
How many parts a text takes, counted as phones and operators do: in septets (GSM-7) or UTF-16 units (UCS-2).

Invariants:
- One character outside the 137 of GSM-7 turns the whole text into UCS-2.
- A character of two units (extension table, supplementary plane) is never cut: it moves to the next part as a whole, so
  the number of parts can be one more than a plain division says.
- `measure_column` gives for each row what `measure` gives.

Source of alphabet and part sizes: 3GPP TS 23.038 (upper-case Ç is in it, lower-case ç is not). National shift tables
are left out on purpose: neither Octopush nor its peers bill by them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

Encoding = Literal["GSM-7", "UCS-2"]

GSM7_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""127 characters of one septet (0x1B is the escape, not a character)."""
GSM7_EXTENSION: Final = "\f^{}\\[~]|€"
"""10 characters of two septets: the escape and a code."""
DOUBLED_BY_OCTOPUSH: Final = "&$@\n\r"
"""Octopush's page on special characters counts these double too, and ¨ and tab, which the standard sends as UCS-2."""

_PAIR_MARK: Final = "\ud800"
"""Stands before a character of two units; a lone surrogate, so no text read from UTF-8 can hold it."""


def _class_of(characters: str) -> str:
    """The inside of a character class that `re` and RE2 (in pyarrow) read alike."""
    return re.sub(r"([\\\]\[^-])", r"\\\1", characters)


_GSM7_CLASS: Final = _class_of(GSM7_BASIC + GSM7_EXTENSION)
_EXTENSION: Final = f"[{_class_of(GSM7_EXTENSION)}]"
_ASTRAL: Final = "[\U00010000-\U0010ffff]"
NOT_GSM7: Final = f"[^{_GSM7_CLASS}]"
"""A regular expression for one character that forces UCS-2; `re` and RE2 read it alike."""
_NOT_GSM7: Final = re.compile(NOT_GSM7)


@dataclass(frozen=True, slots=True)
class SmsSize:
    """`units` are septets or UTF-16 units without any header; `segments` the billed parts (1 for the empty text)."""

    encoding: Encoding
    units: int
    segments: int


class SizeColumns(NamedTuple):
    """The sizes of a column of texts: `units` and `segments` as int32, `ucs2` as boolean."""

    units: pa.Array
    segments: pa.Array
    ucs2: pa.Array


@dataclass(frozen=True, slots=True)
class _Coding:
    """What one part holds, alone (`single`) and as one of several (`part`), and which characters take two units."""

    encoding: Encoding
    single: int
    part: int
    pairs: re.Pattern[str] = field(repr=False)

    def expand(self, text: str) -> str:
        """The text with one character a unit: each pair gets a mark before it."""
        return self.pairs.sub(_PAIR_MARK + r"\g<0>", text)

    def ends(self, expanded: str) -> list[int]:
        """Where each part ends in the expanded text; a part that would end on a mark ends before it."""
        if len(expanded) <= self.single:
            return [len(expanded)]
        ends, end = [], 0
        while len(expanded) - end > self.part:
            end += self.part
            end -= expanded[end - 1] == _PAIR_MARK
            ends.append(end)
        return [*ends, len(expanded)]

    def size(self, text: str) -> SmsSize:
        """The size of a text in this coding."""
        expanded = self.expand(text)
        return SmsSize(self.encoding, len(expanded), len(self.ends(expanded)))


_GSM7_CODING: Final = _Coding("GSM-7", 160, 153, re.compile(_EXTENSION))
_UCS2_CODING: Final = _Coding("UCS-2", 70, 67, re.compile(_ASTRAL))
_GSM7_PESSIMISTIC: Final = _Coding(
    "GSM-7", 160, 153, re.compile(f"[{_class_of(GSM7_EXTENSION + DOUBLED_BY_OCTOPUSH)}]")
)
_UCS2_PESSIMISTIC: Final = _Coding("UCS-2", 70, 63, re.compile(_ASTRAL))


@dataclass(frozen=True, slots=True)
class Counting:
    """A way to count: how texts in GSM-7 are cut, and how those in UCS-2."""

    gsm7: _Coding
    ucs2: _Coding

    def coding(self, text: str) -> _Coding:
        """The one in which a text is sent."""
        return self.ucs2 if _NOT_GSM7.search(text) else self.gsm7

    def measure(self, text: str) -> SmsSize:
        """The size of a text."""
        return self.coding(text).size(text)


STANDARD: Final = Counting(_GSM7_CODING, _UCS2_CODING)
"""Parts of 160/153 septets or 70/67 units."""
PESSIMISTIC: Final = Counting(_GSM7_PESSIMISTIC, _UCS2_PESSIMISTIC)
"""The most that Octopush's own pages allow for: UCS-2 parts of 63 units; `& $ @` and line breaks double."""


def measure(text: str) -> SmsSize:
    """The standard size of a text: parts of 160/153 septets or 70/67 units."""
    return STANDARD.measure(text)


def measure_pessimistic(text: str) -> SmsSize:
    """
    The largest size that Octopush's own pages allow for: UCS-2 parts of 63 units; `& $ @` and line breaks double.

    Never fewer parts than `measure`. Shown beside the standard size where the two differ; which one is billed is not
    stated anywhere.
    """
    return PESSIMISTIC.measure(text)


def ucs2_characters(text: str) -> tuple[tuple[int, str], ...]:
    """The characters that force UCS-2, each with its position from 0; none for a GSM-7 text."""
    return tuple((match.start(), match.group()) for match in _NOT_GSM7.finditer(text))


def split_parts(text: str) -> list[str]:
    """The parts in which a phone receives the text; joined, they are the text."""
    coding = STANDARD.coding(text)
    expanded = coding.expand(text)
    ends = coding.ends(expanded)
    return [expanded[start:end].replace(_PAIR_MARK, "") for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def measure_column(texts: pa.StringArray) -> SizeColumns:
    """
    The sizes of many texts at once, equal to `measure` of each. No text may be null.

    Division counts the parts, but for the texts of several parts that hold a pair: those are packed one by one.
    """
    ucs2 = pc.match_substring_regex(texts, NOT_GSM7)
    characters, extension, astral = count_units(texts)
    pairs = pc.if_else(ucs2, astral, extension)
    units = pc.add(characters, pairs)
    segments = parts_of(units, ucs2)
    doubtful = pc.and_(pc.greater(segments, 1), pc.greater(pairs, 0))
    packed = [measure(text).segments for text in texts.filter(doubtful).to_pylist()]
    return SizeColumns(units, pc.replace_with_mask(segments, doubtful, pa.array(packed, pa.int32())), ucs2)


def count_units(
    texts: pa.StringArray, counting: Counting = STANDARD
) -> tuple[pa.Int32Array, pa.Int32Array, pa.Int32Array]:
    """The characters of each text, those among them of two septets, and those of two UTF-16 units."""
    characters = pc.utf8_length(texts)
    # A character beyond the first plane takes four bytes; without one of those there is nothing to look for.
    is_ascii = pc.equal(pc.binary_length(texts), characters)
    nothing = pa.repeat(_scalar(0), len(texts))
    astral = nothing if pc.all(is_ascii).as_py() else pc.count_substring_regex(texts, _ASTRAL)
    return characters, pc.count_substring_regex(texts, counting.gsm7.pairs.pattern), astral


def parts_of(
    units: pa.Int32Array, ucs2: pa.BooleanArray, counting: Counting = STANDARD, *, lost: int = 0
) -> pa.Int32Array:
    """
    How many parts hold so many units, if no character of two units falls on a boundary.

    Where one does, a part holds one unit less: with `lost` = 1 this is the most that there can be.
    """
    single = pc.if_else(ucs2, _scalar(counting.ucs2.single), _scalar(counting.gsm7.single))
    part = pc.if_else(ucs2, _scalar(counting.ucs2.part - lost), _scalar(counting.gsm7.part - lost))
    divided = pc.divide(pc.subtract(pc.add(units, part), _scalar(1)), part)
    return pc.if_else(pc.greater(units, single), divided, _scalar(1))


def _scalar(value: int) -> pa.Scalar:
    return pa.scalar(value, pa.int32())
