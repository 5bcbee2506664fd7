from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from octoplan.messages.evaluate import Values
from octoplan.messages.measure import Piece, guilty_characters, join_pieces, measure_pieces
from octoplan.values.sms_size import measure, ucs2_characters

CHARACTERS = st.sampled_from("abé€{}^\\[~]| \n\t@$ç中\u0301ï\u00a0\u2003\U0001f600\U00010000\uffff")
SHORT = st.text(CHARACTERS, max_size=6)
LONG = st.builds(
    "{}{}{}".format,
    SHORT,
    st.builds(lambda text, count: text * count, st.sampled_from("a€ç\U0001f600"), st.integers(0, 160)),
    SHORT,
)
TEXTS = st.one_of(SHORT, SHORT, LONG)
CELLS = st.one_of(st.none(), TEXTS, TEXTS, TEXTS)


@dataclass
class Case:
    """A template as what stands in it: static text, or the number of a column; and the rows."""

    pattern: list[str | int]
    rows: list[list[str | None]]

    def pieces(self, *, shared: bool) -> list[Piece]:
        """As the product has them; `shared` brings a dictionary with texts that no row has."""
        columns = []
        for number in range(3):
            column = pa.array([*(row[number] for row in self.rows), "ç unused", None], pa.string())
            column = column.dictionary_encode() if shared else column
            columns.append(Values.of(column.slice(0, len(self.rows))))
        return [part if isinstance(part, str) else columns[part] for part in self.pattern]

    def texts(self) -> list[str | None]:
        """What each row reads, joined one by one; `None` where a value is missing."""
        found = []
        for row in self.rows:
            parts = [part if isinstance(part, str) else row[part] for part in self.pattern]
            found.append(None if None in parts else "".join(part or "" for part in parts))
        return found


CASES = st.builds(
    Case,
    st.lists(st.one_of(TEXTS, st.integers(0, 2), st.integers(0, 2)), max_size=7),
    st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=6),
)


@settings(max_examples=250, deadline=None)
@given(case=CASES, shared=st.booleans())
@example(case=Case(["a" * 152, 0, "b" * 152], [["€", "", ""], ["b", "", ""], [None, "", ""]]), shared=True)
@example(case=Case([0, "ç" + "a" * 65, 0], [["a" * 34, "", ""], ["\U0001f600" * 17, "", ""]]), shared=False)
def test_sizes_are_those_of_the_joined_text(case: Case, shared: bool) -> None:
    """Units, parts, alphabet, characters and blankness equal those of the text as the recipient reads it."""
    pieces, texts = case.pieces(shared=shared), case.texts()
    measured = measure_pieces(pieces, len(texts))
    assert measured.is_whole.to_pylist() == [text is not None for text in texts]
    assert join_pieces(pieces, len(texts)).to_pylist() == texts
    whole = measured.whole()
    got = zip(*(column.to_pylist() for column in (*whole.size, whole.characters, whole.is_blank)), strict=True)
    sizes = [(measure(text), text) for text in texts if text is not None]
    assert list(got) == [
        (size.units, size.segments, size.encoding == "UCS-2", len(text), not text.strip()) for size, text in sizes
    ]


@settings(max_examples=150, deadline=None)
@given(case=CASES, shared=st.booleans())
def test_guilty_characters_are_those_of_the_texts(case: Case, shared: bool) -> None:
    """For each character that forces UCS-2: the number of rows in whose text it stands, counted one by one."""
    pieces, texts = case.pieces(shared=shared), case.texts()
    where = pa.array([text is not None and measure(text).encoding == "UCS-2" for text in texts], pa.bool_())
    expected: Counter[str] = Counter()
    for text, counts in zip(texts, where.to_pylist(), strict=True):
        expected.update({character for _, character in ucs2_characters(text or "")} if counts else ())
    assert guilty_characters(pieces, where) == expected
