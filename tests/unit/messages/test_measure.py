from __future__ import annotations

from collections.abc import Sequence

import orjson
import pyarrow as pa
import pytest

from octoplan.messages.compose import contact_column
from octoplan.messages.evaluate import Values
from octoplan.messages.measure import Piece, Sizes, guilty_characters, join_pieces, measure_pieces
from octoplan.values.sms_size import measure
from tests.unit.messages.samples import phone


def values(*texts: str | None) -> Values:
    return Values.of(pa.array(texts, pa.string()))


def sizes(pieces: Sequence[Piece], count: int) -> list[tuple[int, int, bool, int, bool]]:
    """Units, segments, UCS-2, characters and blankness of each row; all of them are whole."""
    measured = measure_pieces(pieces, count)
    assert measured.is_whole.to_pylist() == [True] * count
    return rows_of(measured)


def rows_of(measured: Sizes) -> list[tuple[int, int, bool, int, bool]]:
    columns = (*measured.size, measured.characters, measured.is_blank)
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


def test_a_text_without_values() -> None:
    """Static text is the same for every row, and counted once."""
    assert sizes(["Bonjour", " €"], 3) == [(10, 1, False, 9, False)] * 3
    assert sizes([], 2) == [(0, 1, False, 0, True)] * 2


def test_a_value_used_several_times() -> None:
    """Each use counts."""
    name = values("ab", "c")
    assert sizes(["x", name, "-", name, name], 2) == [(8, 1, False, 8, False), (5, 1, False, 5, False)]


def test_one_value_turns_the_whole_text_into_ucs2() -> None:
    """Then extension characters count once, and characters beyond the first plane twice."""
    assert sizes(["€€ ", values("a", "ç", "\U0001f600")], 3) == [
        (6, 1, False, 4, False),
        (4, 1, True, 4, False),
        (5, 1, True, 4, False),
    ]


@pytest.mark.parametrize(
    ("static", "value"),
    [
        ("a" * 152, "€" + "b" * 151),
        ("ç" + "a" * 65, "\U0001f600" + "b" * 65),
        ("a" * 151, "€" + "b" * 8),
        ("€" * 76 + "a", "€" * 40),
        ("ç" + "a" * 65, "\U0001f600" + "b" * 4),
        ("ç" + "a" * 66, "\U0001f600" * 30),
        ("a" * 159, "b"),
        ("a" * 159, "€"),
        ("a" * 159 + "ç", ""),
    ],
)
def test_a_pair_on_a_boundary(static: str, value: str) -> None:
    """
    A character of two units moves to the next part as a whole; so the parts are those of the joined text, in the first
    two cases one more than units by part.
    """
    pieces: list[Piece] = [static, values(value, "a"), "b"]
    for (units, segments, ucs2, *_), text in zip(sizes(pieces, 2), join_pieces(pieces, 2).to_pylist(), strict=True):
        size = measure(text)
        assert (units, segments, ucs2) == (size.units, size.segments, size.encoding == "UCS-2")


def test_a_missing_value_makes_no_text() -> None:
    """A row without one of its values is not whole, and does not change the others."""
    pieces: list[Piece] = ["a" * 160 + "€", values("x", None, None), values("y", "y", None)]
    measured = measure_pieces(pieces, 3)
    assert measured.is_whole.to_pylist() == [True, False, False]
    assert rows_of(measured.whole()) == sizes(["a" * 160 + "€", values("x"), values("y")], 1)
    assert join_pieces(pieces, 3).to_pylist() == ["a" * 160 + "€xy", None, None]


def test_blank_is_what_has_nothing_to_read() -> None:
    """White space of any kind in every piece; one visible character is enough."""
    assert [row[-1] for row in sizes([" \n", values("", " \u00a0", "\u2003", ".")], 4)] == [True, True, True, False]
    assert [row[-1] for row in sizes(["a", values("", " ")], 2)] == [False, False]


def test_very_long_values_stay_too_long() -> None:
    """What is cut off for counting is far beyond what the API takes, for one use or hundreds of uses of a value."""
    for uses, length in ((1, 60_000), (2, 30_000), (300, 3_000)):
        value = values("e" * length, "e")
        (long, *_), (short, *_) = sizes([value] * uses, 2)
        assert long > 15_000
        assert short == uses


def test_no_rows() -> None:
    """Nothing is measured, and no text is joined."""
    assert sizes(["a", values()], 0) == []
    assert join_pieces(["a"], 0).to_pylist() == []
    assert guilty_characters(["ç"], pa.array([], pa.bool_())) == {}


def test_guilty_characters_are_counted_by_rows() -> None:
    """Each character that forces UCS-2 counts once a row, wherever and how often it stands in the text."""
    pieces: list[Piece] = ["ç€", values("ëa", "ëçë", "a", "ï"), values("ë", None, "", "ï")]
    where = pa.array([True, False, True, True])
    assert guilty_characters(pieces, where) == {"ç": 3, "ë": 1, "ï": 1}
    assert guilty_characters(["abc", values("é", "à")], pa.array([True, True])) == {}


def test_contacts_share_what_their_values_share() -> None:
    """A value that many rows have is escaped once, and stands in each of their contacts."""
    column = pa.DictionaryArray.from_arrays(pa.array([1, 0, 1, 1], pa.int32()), pa.array(['a"b', "c\\d", "nobody's"]))
    phones = pa.array([phone(number) for number in range(4)])
    contacts = contact_column([("first_name", Values.of(column)), ("param1", values("x", "y", "x", "z"))], phones)
    for number, contact in enumerate(contacts.to_pylist()):
        expected = {
            "first_name": ["c\\d", 'a"b', "c\\d", "c\\d"][number],
            "param1": "xyxz"[number],
            "phone_number": phone(number),
        }
        assert contact.encode() == orjson.dumps(expected, option=orjson.OPT_SORT_KEYS)


def test_contacts_without_values_or_people() -> None:
    """A number alone is a contact; nobody has none; a missing value gives none."""
    assert contact_column([], pa.array([phone(1)])).to_pylist() == [f'{{"phone_number":"{phone(1)}"}}']
    assert contact_column([("param1", values())], pa.array([], pa.string())).to_pylist() == []
    given = [("first_name", values("a", None))]
    assert contact_column(given, pa.array([phone(1), phone(2)])).to_pylist()[1] is None


def test_values_by_what_is_distinct() -> None:
    """A dictionary, with null as a value of its own; the rows are what they were, whatever stands in it twice."""
    column = pa.array(["b", None, "a", "b"])
    for each in (column, column.dictionary_encode(), pa.chunked_array([column]).combine_chunks()):
        found = Values.of(each)
        assert found.codes.null_count == 0
        assert found.rows().to_pylist() == column.to_pylist()
        assert len(found.texts) == 3
        assert found.filter(pa.array([False, True, True, False])).rows().to_pylist() == [None, "a"]
