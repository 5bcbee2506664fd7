from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from octoplan.audience.encoding import inspect_text
from octoplan.audience.engine import Engine
from octoplan.audience.readers.columns import find_column
from octoplan.audience.readers.text import read_layout
from octoplan.diagnostics import InvalidInput
from octoplan.limits import CONTACT_FIELD_BYTES_MAX, CONTACT_LINE_BYTES_MAX

from .conftest import Write


def layout_of(path: Path, delimiter: str | None = None) -> Any:
    return read_layout(inspect_text(path, "list.csv", None, None)[0], delimiter, None)


def records(path: Path, columns: tuple[int, ...] = (0, 1)) -> list[tuple[Any, ...]]:
    """Line, whether faulty, and the values."""
    layout = layout_of(path)
    with Engine([path]) as engine:
        batches = list(layout.stream(engine, columns))
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found_in_the_header(write: Write, delimiter: str) -> None:
    """The delimiter that cuts the header into most columns is taken."""
    layout = layout_of(write(delimiter.join(["name", "mobile"]) + "\n1,5;2\n"))
    assert (layout.delimiter, layout.names) == (delimiter, ("name", "mobile"))


def test_delimiter_inside_quotes_does_not_count(write: Write) -> None:
    """A quoted name that holds delimiters is one column."""
    assert layout_of(write('"a,b,c";mobile\n')).names == ("a,b,c", "mobile")


def test_declared_delimiter_wins(write: Write) -> None:
    """A declared delimiter is taken as it is; `tab` is a name for one that cannot be seen."""
    assert layout_of(write("a#b;c\n"), "#").names == ("a", "b;c")
    assert layout_of(write("a\tb;c;d\n"), "tab").names == ("a", "b;c;d")


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n", "a", "\x1f"])
def test_delimiter_is_one_mark(write: Write, delimiter: str) -> None:
    """Quotes, line ends, letters, control characters and several characters cannot separate fields."""
    with pytest.raises(InvalidInput) as caught:
        layout_of(write("a;b\n"), delimiter)
    assert [finding.code for finding in caught.value.findings] == ["audience/bad-delimiter"]


def test_header_may_be_spaced_and_late(write: Write) -> None:
    """Blank lines before the header, `sep=`, spaces around names and a line break in a name are the world's."""
    layout = layout_of(write('\n  \nsep=;\n Mobile ;"First\nname"\n1;2\n'))
    assert (layout.names, layout.lines_before) == (("Mobile", "First\nname"), 5)


@pytest.mark.parametrize("content", ["", "\n \n", "\ufeff"])
def test_file_without_a_header(write: Write, content: str) -> None:
    """An empty file is an error, not an audience of nobody."""
    with pytest.raises(InvalidInput) as caught:
        layout_of(write(content))
    assert [finding.code for finding in caught.value.findings] == ["audience/empty-file"]


def test_header_is_bounded(write: Write) -> None:
    """A header of thousands of columns is refused before anything is made for each of them."""
    with pytest.raises(InvalidInput) as caught:
        layout_of(write(";".join("abcdefgh" * 100) + "\n"))
    assert [finding.code for finding in caught.value.findings] == ["audience/too-many-columns"]


@pytest.mark.parametrize(
    ("wanted", "index", "codes"),
    [
        ("Prénom", 0, []),
        ("prenom", 0, ["audience/inexact-column"]),
        ("MOBILE phone", 1, ["audience/inexact-column"]),
        ("id", 2, []),
        ("ID", 3, []),
        ("Id", None, ["audience/ambiguous-column"]),
        ("ville", None, ["audience/ambiguous-column"]),
        ("prenm", None, ["audience/missing-column"]),
    ],
)
def test_columns_by_name(write: Write, wanted: str, index: int | None, codes: list[str]) -> None:
    """Exactly so; else ignoring case, spaces and accents with a warning; several or none is an error."""
    layout = layout_of(write("Prénom;mobilePhone;id;ID;ville;ville\n"))
    found, findings = find_column(layout, wanted, None)
    assert (found, [finding.code for finding in findings]) == (index, codes)


def test_missing_column_names_the_nearest_and_the_rest(write: Write) -> None:
    """A missing column is explained by what there is."""
    _, (finding,) = find_column(layout_of(write("Prénom;mobile\n")), "mobil", None)
    assert finding.hint == "did you mean `mobile`?"
    assert finding.detail == "no column `mobil` in `list.csv`, which has `Prénom`, `mobile`"


def test_file_without_names_shows_nobody_s_number(write: Write) -> None:
    """Where the first line is somebody's row, no part of it is in the finding."""
    _, (finding,) = find_column(layout_of(write("Aubrac;0612340001\n")), "mobile", None)
    assert "Aubrac" not in str(finding)
    assert "0612340001" not in str(finding)


def test_clean_file(write: Write) -> None:
    """Lines are counted as an editor counts them; blank lines are no records, and empty fields are null."""
    path = write("a;b\n1;2\n\n3;\n  \n;\nfive;6;7\neight\n9; ten \n")
    assert records(path) == [
        (2, False, "1", "2"),
        (4, False, "3", None),
        (6, False, None, None),
        (7, True, None, None),
        (8, True, None, None),
        (9, False, "9", " ten "),
    ]


def test_quoted_file(write: Write) -> None:
    """Quoted delimiters, line breaks and doubled quotes are part of a value; the line is that where a record begins."""
    path = write('a;b\r\n1;"x\r\ny"\r\n\r\n2;"q;""z"""\r\n"";3\r\n4\r\n5;5" wide\r\n')
    assert records(path) == [
        (2, False, "1", "x\r\ny"),
        (5, False, "2", 'q;"z"'),
        (6, False, None, "3"),
        (7, True, None, None),
        (8, False, "5", '5" wide'),
    ]


def test_broken_quote_is_faulty(write: Write) -> None:
    """A row with something after its closing quote is faulty; the next row is not."""
    assert records(write('a;b\n1;"x"y\n2;z\n')) == [(2, True, None, None), (3, False, "2", "z")]


def test_unclosed_quote_counts_every_line_it_swallows(write: Write) -> None:
    """Nobody is lost in a quote that is never closed: each of its lines is a faulty row."""
    assert records(write('a;b\n1;2\n3;"4\n5;6\n7;8\n')) == [
        (2, False, "1", "2"),
        *((line, True, None, None) for line in (3, 4, 5)),
    ]


def test_unclosed_quote_swallows_a_bounded_part(write: Write) -> None:
    """After a quote that is not closed for a long while, reading goes on with the lines that follow."""
    path = write('a;b\n1;"2\n' + "3;4\n" * 50_000 + "last;5\n")
    found = records(path)
    assert len(found) == 50_002
    assert found[-1] == (50_003, False, "last", "5")


@pytest.mark.parametrize("quote", ["", '"'])
def test_field_over_the_limit_is_faulty(write: Write, quote: str) -> None:
    """A field that is too long makes its row faulty, and only that row, however the file is read."""
    long = quote + "é" * (CONTACT_FIELD_BYTES_MAX // 2 + 1) + quote
    fits = quote + "é" * (CONTACT_FIELD_BYTES_MAX // 2) + quote
    found = records(write(f"a;b\n1;{long}\n2;{fits}\n3;x\n"), (0,))
    assert found == [(2, True, None), (3, False, "2"), (4, False, "3")]


def test_endless_line_is_faulty(write: Write) -> None:
    """A line over the limit is skipped without being held in memory whole."""
    path = write("a;b\n1;" + "x" * (3 * CONTACT_LINE_BYTES_MAX) + '\n2;"y"\n')
    assert records(path) == [(2, True, None, None), (3, False, "2", "y")]


def test_cut_line_is_faulty_whatever_is_left_of_it(write: Write) -> None:
    """A line over the limit is never taken as the shorter line that its beginning would be."""
    fields = ["x" * (CONTACT_FIELD_BYTES_MAX - 1_000)] * 16 + ["y" * 30_000]
    assert len(";".join(fields)) > CONTACT_LINE_BYTES_MAX
    path = write(";".join("abcdefghijklmnopq") + '\n"";' + ";".join(fields[1:]) + "\n" + ";".join(fields) + "\n")
    assert [record[:2] for record in records(path, (16,))] == [(2, False), (3, True)]
