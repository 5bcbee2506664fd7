from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoplan.values.sms_size import (
    GSM7_BASIC,
    GSM7_EXTENSION,
    SmsSize,
    measure,
    measure_column,
    measure_pessimistic,
    split_parts,
    ucs2_characters,
)
from tests.data.segment_cases import SEGMENT_CASES, SegmentCase

TRICKY = st.sampled_from(["a", "é", "€", "]", "\n", "@", "&", "ç", "中", "\U0001f600", "\x1b", "\t"])
TEXTS = st.one_of(
    st.text(max_size=30),
    st.lists(st.tuples(TRICKY, st.integers(1, 160)), max_size=6).map(lambda runs: "".join(c * n for c, n in runs)),
    st.lists(st.tuples(st.sampled_from("a€]\n@"), st.integers(1, 160)), max_size=6).map(
        lambda runs: "".join(c * n for c, n in runs)
    ),
)


def units_of(character: str, *, ucs2: bool) -> int:
    if ucs2:
        return 2 if ord(character) > 0xFFFF else 1
    return 2 if character in GSM7_EXTENSION else 1


def pack_slowly(text: str) -> tuple[SmsSize, list[str]]:
    """One character after the other: the obvious way."""
    ucs2 = any(character not in GSM7_BASIC and character not in GSM7_EXTENSION for character in text)
    single, part = (70, 67) if ucs2 else (160, 153)
    total = sum(units_of(character, ucs2=ucs2) for character in text)
    parts, room = [""], single if total <= single else part
    for character in text:
        if units_of(character, ucs2=ucs2) > room:
            parts.append("")
            room = part
        parts[-1] += character
        room -= units_of(character, ucs2=ucs2)
    return SmsSize("UCS-2" if ucs2 else "GSM-7", total, len(parts)), parts


def test_alphabet_has_137_characters() -> None:
    """GSM-7 encodes 127 characters in one septet and 10 in two, none of them twice."""
    assert (len(GSM7_BASIC), len(GSM7_EXTENSION)) == (127, 10)
    assert len(set(GSM7_BASIC + GSM7_EXTENSION)) == 137


@pytest.mark.parametrize("case", SEGMENT_CASES, ids=lambda case: case.id)
def test_known_size(case: SegmentCase) -> None:
    """Each text of the table has its encoding, units and parts."""
    assert measure(case.text) == SmsSize(case.encoding, case.units, case.parts)  # type: ignore[arg-type]


def test_known_sizes_as_a_column() -> None:
    """The column of all texts of the table has the same sizes."""
    column = measure_column(pa.array([case.text for case in SEGMENT_CASES]))
    assert column.units.to_pylist() == [case.units for case in SEGMENT_CASES]
    assert column.segments.to_pylist() == [case.parts for case in SEGMENT_CASES]
    assert column.ucs2.to_pylist() == [case.encoding == "UCS-2" for case in SEGMENT_CASES]


def test_column_types() -> None:
    """The columns have the types of the messages' schema, also without any row."""
    for texts in ([], ["a"], ["ç\U0001f600"]):
        sizes = measure_column(pa.array(texts, pa.string()))
        assert [column.type for column in sizes] == [pa.int32(), pa.int32(), pa.bool_()]


@given(TEXTS)
def test_packing_equals_the_slow_packer(text: str) -> None:
    """Size and parts are what a packer finds that goes from character to character."""
    size, parts = pack_slowly(text)
    assert measure(text) == size
    assert split_parts(text) == parts


@given(st.lists(TEXTS, max_size=8))
def test_column_equals_single_texts(texts: list[str]) -> None:
    """A column of texts has the sizes that each text has alone."""
    column = measure_column(pa.array(texts, pa.string()))
    sizes = [measure(text) for text in texts]
    assert column.units.to_pylist() == [size.units for size in sizes]
    assert column.segments.to_pylist() == [size.segments for size in sizes]
    assert column.ucs2.to_pylist() == [size.encoding == "UCS-2" for size in sizes]


@given(TEXTS)
def test_pessimistic_size_is_never_smaller(text: str) -> None:
    """The pessimistic count has at least the units and parts of the standard one."""
    standard, pessimistic = measure(text), measure_pessimistic(text)
    assert pessimistic.encoding == standard.encoding
    assert pessimistic.units >= standard.units
    assert pessimistic.segments >= standard.segments


@pytest.mark.parametrize(
    ("text", "units", "segments"),
    [("&" * 80, 160, 1), ("@" * 81, 162, 2), ("a\n", 3, 1), ("ç" * 70, 70, 1), ("ç" * 127, 127, 3), ("€", 2, 1)],
)
def test_pessimistic_size(text: str, units: int, segments: int) -> None:
    """`& $ @` and line breaks count double, and a part of several in UCS-2 has 63 units."""
    size = measure_pessimistic(text)
    assert (size.units, size.segments) == (units, segments)


def test_guilty_characters_are_named() -> None:
    """Each character that forces UCS-2 is named with its position; extension characters are not guilty."""
    assert ucs2_characters("Noël €") == ((2, "ë"),)
    assert ucs2_characters("ça, là\u2019") == ((0, "ç"), (6, "\u2019"))
    assert ucs2_characters("Été à 10 € [ici]") == ((0, "É"),)[1:]
