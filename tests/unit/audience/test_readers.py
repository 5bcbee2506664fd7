from __future__ import annotations

import gzip
import json
import sqlite3
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from octoplan.audience.engine import Engine
from octoplan.audience.readers.columns import find_column
from octoplan.audience.readers.port import Records, Relation
from octoplan.audience.readers.source import Source, SourceFile, kind_of, open_source
from octoplan.diagnostics import Finding, InvalidInput
from octoplan.limits import CONTACT_FIELD_BYTES_MAX

from .conftest import Write
from .support import see
from .workbooks import PARTS, workbook

LONG = "x" * (CONTACT_FIELD_BYTES_MAX + 1)


def opened(*paths: Path, **fields: Any) -> Records:
    files = tuple(SourceFile(path, path.name) for path in paths)
    return open_source(Source("list", files, **fields))[0]


def failure(*paths: Path, **fields: Any) -> Finding:
    with pytest.raises(InvalidInput) as caught:
        opened(*paths, **fields)
    return caught.value.findings[-1]


def numbered(engine: Engine, relation: Relation) -> list[tuple[int, list[Any]]]:
    """The rows of a relation with their numbers."""
    rows = engine.rows(f"FROM {relation.sql}")
    if relation.first_row is None:
        return [(row, values) for row, *values in rows]
    return [(number, list(row)) for number, row in enumerate(rows, relation.first_row)]


def read(records: Records) -> list[tuple[int | str, list[Any] | None]]:
    """Place and values of each record, `None` for a faulty one; both ways of reading agree."""
    columns = [index for index in range(len(records.names)) if records.flaw(index) is None]
    with Engine(records.files()) as engine:
        batches = [batch for batch in records.stream(engine, columns) for batch in batch.to_pylist()]
        streamed = [
            (records.place_of(row["row"]), None if row["faulty"] else [row[f"c{index}"] for index in columns])
            for row in batches
        ]
        relations = records.relations(engine, columns)
        if relations and all(values is not None for _, values in streamed):
            whole = [place for relation in relations for place in _numbered(records, engine, relation, columns)]
            assert whole == streamed
    return streamed


def _numbered(
    records: Records, engine: Engine, relation: Relation, columns: list[int]
) -> list[tuple[int | str, list[Any] | None]]:
    rows = engine.rows(f"SELECT {', '.join(f'c{index}' for index in columns)} FROM {relation.sql}")
    if relation.first_row is None:
        numbers = [row for (row,) in engine.rows(f"SELECT row FROM {relation.sql}")]
    else:
        numbers = list(range(relation.first_row, relation.first_row + len(rows)))
    return [(records.place_of(number), list(row)) for number, row in zip(numbers, rows, strict=True)]


# --- compressed and many files ---------------------------------------------------------------------------------------


def test_compressed_files_are_what_is_in_them(write: Write) -> None:
    """Files of gzip and zstd are recognised by their first bytes, whatever they are called."""
    content = b"mobile;name\n0612340001;Zo\xc3\xa9\n"
    zst = pa.compress(content, codec="zstd", asbytes=True)
    for packed in (gzip.compress(content), gzip.compress(content[:5]) + gzip.compress(content[5:]), zst):
        assert read(opened(write(packed, "list.csv.gz"))) == [(2, ["0612340001", "Zoé"])]
    lines = gzip.compress(b'{"mobile": "0612340001"}\n')
    assert read(opened(write(lines, "list.jsonl.gz"))) == [(1, ["0612340001"])]


def test_broken_archive_is_an_error(write: Write) -> None:
    """Half a compressed file is not half a list."""
    whole = gzip.compress(b"mobile\n" + b"0612340001\n" * 1000)
    assert failure(write(whole[:-20], "list.csv.gz")).code == "audience/unreadable-source"


def test_many_files_are_one_source(write: Write) -> None:
    """Rows follow in the order of the files, by columns of the same name, and reports name the file."""
    first = write("mobile;name;a\n0612340001;Zoé;1\n", "1.csv")
    second = write('a,mobile,name\n2,0612340002,"Paul, Jr"\n\n3,0612340003\n', "2.csv")
    assert read(opened(first, second)) == [
        ("1.csv:2", ["0612340001", "Zoé", "1"]),
        ("2.csv:2", ["0612340002", "Paul, Jr", "2"]),
        ("2.csv:4", None),
    ]
    assert read(opened(first, first))[1] == ("1.csv:2", ["0612340001", "Zoé", "1"])
    finding = failure(first, write("mobile;prenom\n0612340002;x\n", "3.csv"))
    assert (finding.code, finding.detail) == ("audience/other-columns", "`3.csv` has other columns than `1.csv`")


def test_kinds_may_be_mixed(write: Write, tmp_path: Path) -> None:
    """Each of several files is read by its own ending."""
    pq.write_table(pa.table({"name": ["Paul"], "mobile": ["0612340002"]}), tmp_path / "b.parquet")
    records = opened(write("mobile,name\n0612340001,Zoé\n", "a.csv"), tmp_path / "b.parquet")
    assert [values for _, values in read(records)] == [["0612340001", "Zoé"], ["0612340002", "Paul"]]


def test_no_file_is_an_error() -> None:
    """A pattern that no file has is not an empty list."""
    assert failure().code == "audience/missing-file"


def test_every_broken_file_is_named(write: Write, tmp_path: Path) -> None:
    """All files of a source are looked at before anything is said."""
    with pytest.raises(InvalidInput) as caught:
        opened(tmp_path / "gone.csv", write("", "empty.csv"), write("a\n", "good.csv"))
    assert [finding.code for finding in caught.value.findings] == ["audience/missing-file", "audience/empty-file"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.csv", "csv"), ("a", "csv"), ("a.PARQUET", "parquet"), ("a.ndjson.gz", "json"), ("a.xlsx", "xlsx")],
)
def test_kind_is_in_the_name(name: str, kind: str) -> None:
    """Without `source` the ending decides, and csv is what is left."""
    assert kind_of(name) == kind


# --- parquet ---------------------------------------------------------------------------------------------------------


def test_parquet_values_become_exact_text(tmp_path: Path) -> None:
    """Every plain type has one text, which loses nothing."""
    noon = datetime(2027, 3, 20, 12, 30, 5, tzinfo=UTC)
    columns = {
        "text": (["0612340001", ""], ["0612340001", None]),
        "whole": (pa.array([2**63 - 1, None], pa.int64()), ["9223372036854775807", None]),
        "decimal": ([Decimal("1.10"), Decimal("-0.05")], ["1.10", "-0.05"]),
        "float": ([612340001.0, 0.1], ["612340001.0", "0.1"]),
        "flag": ([True, False], ["true", "false"]),
        "day": ([date(2027, 3, 20), None], ["2027-03-20", None]),
        "hour": ([time(8, 5), None], ["08:05:00", None]),
        "local": (pa.array([noon.replace(tzinfo=None), None], pa.timestamp("us")), ["2027-03-20T12:30:05", None]),
        "moment": (pa.array([noon, None], pa.timestamp("us", "Europe/Paris")), ["2027-03-20T12:30:05Z", None]),
        "word": (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
    }
    pq.write_table(pa.table({name: values for name, (values, _) in columns.items()}), tmp_path / "a.parquet")
    rows = [list(row) for row in zip(*(expected for _, expected in columns.values()), strict=True)]
    assert read(opened(tmp_path / "a.parquet")) == [(1, rows[0]), (2, rows[1])]


def test_float_numbers_are_a_spreadsheets(tmp_path: Path) -> None:
    """A phone column of floats is recognised for what it is, not read with a digit too many."""
    pq.write_table(pa.table({"mobile": [33612340001.0]}), tmp_path / "a.parquet")
    assert see(tmp_path / "a.parquet").reasons == {"spreadsheet-number": 1}


def test_nested_columns_are_refused_if_they_are_asked_for(tmp_path: Path) -> None:
    """Lists, structures and bytes have no text; the other columns can be used."""
    pq.write_table(
        pa.table({"mobile": ["0612340001"], "tags": [["a"]], "home": [{"city": "Lyon"}], "raw": [b"\xff"]}),
        tmp_path / "a.parquet",
    )
    records = opened(tmp_path / "a.parquet")
    assert read(records) == [(1, ["0612340001"])]
    for name in ("tags", "home", "raw"):
        index, (finding,) = find_column(records, name, None)
        assert (index, finding.code) == (None, "audience/unusable-column")


def test_long_field_in_parquet_is_faulty(tmp_path: Path) -> None:
    """The bound on fields holds for every kind of file; the other rows are read."""
    pq.write_table(pa.table({"a": ["x", LONG, "y"]}), tmp_path / "a.parquet")
    assert read(opened(tmp_path / "a.parquet")) == [(1, ["x"]), (2, None), (3, ["y"])]


def test_damaged_parquet_is_an_error(write: Write, tmp_path: Path) -> None:
    """What is no Parquet file, or is damaged inside, is a finding."""
    assert failure(write("mobile\n", "a.parquet")).code == "audience/unreadable-source"
    assert failure(tmp_path / "gone.parquet").code == "audience/missing-file"
    pq.write_table(pa.table({"mobile": [f"06{n:08}" for n in range(5000)]}), tmp_path / "b.parquet", compression="zstd")
    content = bytearray((tmp_path / "b.parquet").read_bytes())
    content[100:4000] = bytes(3900)
    records = opened(write(bytes(content), "b.parquet"))
    with Engine(records.files()) as engine, pytest.raises(InvalidInput) as caught:
        list(records.stream(engine, [0]))
    assert caught.value.findings[0].code == "audience/unreadable-source"


# --- json ------------------------------------------------------------------------------------------------------------


def test_json_numbers_are_taken_as_written(write: Write) -> None:
    """A number keeps each of its characters; missing keys, null and empty text are all null."""
    array = '[{"mobile": 33612340001, "n": 1.10},\n {"n": 1e3, "mobile": "0612340002", "flag": true},\n{"n": ""}]'
    expected = [
        (1, ["33612340001", "1.10", None]),
        (2, ["0612340002", "1e3", "true"]),
        (3, [None, None, None]),
    ]
    assert read(opened(write(array, "a.json"))) == expected
    lines = "\n".join(json.dumps(record) for record in json.loads(array, parse_float=str))
    assert [place for place, _ in read(opened(write(lines, "a.jsonl")))] == [1, 2, 3]


def test_line_that_is_no_object_is_faulty(write: Write) -> None:
    """One bad line of NDJSON costs one row."""
    bad = [
        "[]",
        "7",
        '{"a": 1',
        '{"a": 1} 2',
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        "[" * 5000,
        '{"a": "%s"}' % ("x" * 2**21),
    ]
    lines = "\n".join(['\ufeff{"a": "x"}', "", *bad, '{"a": "y"}'])
    found = read(opened(write(lines, "a.jsonl")))
    assert found == [(1, ["x"]), *((line, None) for line in range(3, 3 + len(bad))), (3 + len(bad), ["y"])]


@pytest.mark.parametrize(
    "content",
    ['[{"a": 1}', '[{"a": 1} {"a": 2}]', '[{"a": 1}] 2', '[{"a": 1, "a": 2}]', '[{"a": tru}]', "[" * 5000, "[{"],
)
def test_broken_array_is_an_error(write: Write, content: str) -> None:
    """An array that cannot be followed to its end is not read as the part before."""
    finding = failure(write(content, "a.json"))
    assert (finding.code, str(finding.place)) == ("audience/unreadable-source", "a.json:1")


def test_long_array_in_one_line(write: Write) -> None:
    """The elements of an array are read one by one, wherever the pieces of the file end."""
    records = [{"mobile": f"06{n:08}", "n": n} for n in range(20_000)]
    found = read(opened(write(json.dumps(records), "a.json")))
    assert [values for _, values in found] == [[record["mobile"], str(record["n"])] for record in records]


def test_nested_json_is_refused_if_it_is_asked_for(write: Write) -> None:
    """A column with one object in it cannot be used, nor can an element that is no object."""
    records = opened(write('[{"a": "x", "b": {"c": 1}}, {"a": "y", "b": "z"}, 5]', "a.json"))
    assert read(records) == [(1, ["x"]), (1, ["y"]), (1, None)]
    assert find_column(records, "b", None)[1][0].code == "audience/unusable-column"


@pytest.mark.parametrize("content", ["[]", "", "5\n6\n", "[[]]", "{}"])
def test_json_without_keys_is_empty(write: Write, content: str) -> None:
    """Where there is no key there is no column."""
    assert failure(write(content, "a.json")).code == "audience/empty-file"


# --- workbooks -------------------------------------------------------------------------------------------------------


def cell(name: str, value: str, kind: str = "n", style: int = 0) -> str:
    return f'<c r="{name}" t="{kind}" s="{style}"><v>{value}</v></c>'


def test_workbook_cells_become_exact_text(write: Write) -> None:
    """Shared and inline texts, numbers with all digits, flags, dates by their format, and gaps in a row."""
    rows = [
        '<c t="s"><v>0</v></c><c t="inlineStr"><is><t>n</t></is></c>'
        + "".join(cell(f"{x}1", x, "str") for x in "CDEF"),
        '<c t="s"><v>1</v></c>' + cell("B2", "33612340001") + cell("D2", "1", "b") + cell("E2", "46466", style=1),
        cell("A3", "3.3612340001E10") + cell("B3", "1.1") + cell("E3", "46466.5", style=2) + cell("F3", "2.5", style=3),
        '<row r="9">'
        + cell("A9", "3.36123400012345678E17")
        + cell("C9", "#N/A", "e")
        + cell("E9", "0.5", style=1)
        + "</row>",
    ]
    records = opened(write(workbook(rows), "a.xlsx"))
    assert records.names == ("mobile", "n", "C", "D", "E", "F")
    assert read(records) == [
        (2, ["Zoé", "33612340001", None, "true", "2027-03-20", None]),
        (3, ["33612340001", "1.1", None, None, "2027-03-20T12:00:00", "2.5"]),
        (9, ["3.36123400012345678E17", None, "#N/A", None, "12:00:00", None]),
    ]


def test_sheet_is_chosen_by_name(write: Write) -> None:
    """Without a name it is the first; one that is not there is an error that lists what is."""
    path = write(workbook([cell("A1", "one", "str")], [cell("A1", "two", "str")]), "a.xlsx")
    assert opened(path).names == ("one",)
    assert opened(path, sheet="Other").names == ("two",)
    finding = failure(path, sheet="Third")
    assert finding.detail == "`a.xlsx`: it has no sheet `Third`, but `List`, `Other`"


def test_cell_beyond_the_header_makes_its_row_faulty(write: Write) -> None:
    """A value without a column is not dropped, however far away it is."""
    rows = [cell("A1", "a", "str"), cell("XFD2", "1"), cell("A3", "x", "str"), cell("B4", "1"), cell("A5", LONG, "str")]
    assert read(opened(write(workbook(rows), "a.xlsx"))) == [(2, None), (3, ["x"]), (4, None), (5, None)]


@pytest.mark.parametrize(
    "parts",
    [
        {"xl/workbook.xml": "<workbook>"},
        {"xl/_rels/workbook.xml.rels": "<r/>"},
        {"xl/worksheets/sheet1.xml": PARTS["xl/styles.xml"] + "x"},
        {"xl/styles.xml": "<styleSheet><cellXfs><xf numFmtId='x'/></cellXfs></styleSheet>"},
        {"xl/worksheets/sheet1.xml": "<w><row><c t='s'><v>99</v></c></row></w>"},
        {"xl/worksheets/sheet1.xml": "<w><row r='x'/></w>"},
        {"xl/worksheets/sheet1.xml": "<w><row><c r='1A'><v>1</v></c></row></w>"},
    ],
)
def test_damaged_workbook_is_an_error(write: Write, parts: dict[str, str]) -> None:
    """Whatever part is wrong, it is a finding, not a traceback."""
    assert (
        failure(write(workbook([cell("A1", "a", "str")], parts=parts), "a.xlsx")).code == "audience/unreadable-source"
    )


def test_what_is_no_workbook_is_an_error(write: Write) -> None:
    """A text, or half a file, called .xlsx."""
    assert failure(write("mobile\n", "a.xlsx")).code == "audience/unreadable-source"
    assert failure(write(workbook([cell("A1", "a", "str")])[:-30], "a.xlsx")).code == "audience/unreadable-source"
    assert failure(write(workbook([]), "a.xlsx")).code == "audience/empty-file"


# --- queries ---------------------------------------------------------------------------------------------------------


def table(*paths: Path) -> tuple[SourceFile, ...]:
    return tuple(SourceFile(path, path.name) for path in paths)


def test_query_joins_files_of_several_kinds(write: Write, tmp_path: Path) -> None:
    """Every column of a table is text, also a number of Parquet; the result is text again."""
    customers = write("id;mobile;shop\n007;0612340001;a\n8;0612340002;b\n9;0612340003;a\n", "customers.csv")
    pq.write_table(pa.table({"shop": ["a", "b"], "city": ["Lyon", "Paris"], "staff": [3, 4]}), tmp_path / "s.parquet")
    query = """
        -- who lives in Lyon
        SELECT c.id, c.mobile, s.staff || '!' AS staff, 1.10::decimal(5, 2) AS price, date '2027-03-20' AS day
        FROM customers c JOIN shops s USING (shop) WHERE city LIKE 'L%' ORDER BY id DESC;
    """
    tables = {"customers": table(customers), "shops": table(tmp_path / "s.parquet")}
    records = opened(kind="sql", query=query, tables=tables)
    assert records.names == ("id", "mobile", "staff", "price", "day")
    assert read(records) == [
        (1, ["9", "0612340003", "3!", "1.10", "2027-03-20"]),
        (2, ["007", "0612340001", "3!", "1.10", "2027-03-20"]),
    ]


def test_query_reads_what_only_python_can_cut(write: Write) -> None:
    """A table may be of any encoding and quoting; columns without a name get one."""
    path = write('a;;A\r\n"x\r\ny";é;3\r\n'.encode("utf-16"), "t.csv")
    records = opened(
        kind="sql",
        query='SELECT a, column_2, "A_3" FROM (SELECT * FROM t) s(a, column_2, "A_3")',
        tables={"t": table(path)},
    )
    assert read(records) == [(1, ["x\r\ny", "é", "3"])]


def test_faulty_row_of_a_table_is_an_error(write: Write) -> None:
    """A join would drop it without a word, so it is named."""
    path = write("a;b\n1;2\n3\n4;5;6\n", "t.csv")
    finding = failure(kind="sql", query="SELECT a FROM t", tables={"t": table(path)})
    assert (finding.code, finding.detail) == ("audience/faulty-table", "`t.csv` has 2 faulty rows: 3, 4")


def test_conversion_that_fails_does_not_show_the_value(write: Write) -> None:
    """The engine's words would quote somebody's name."""
    path = write("name\nAubrac\n", "t.csv")
    finding = failure(kind="sql", query="SELECT name::integer AS n FROM t", tables={"t": table(path)})
    assert finding.code == "audience/bad-query"
    assert "Aubrac" not in repr(finding)


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("SELECT nothing FROM t", 'Referenced column "nothing" not found in FROM clause!'),
        ("SELECT a FROM u", "there is no table `u`; the campaign names `t`"),
        ("SELECT * FROM read_text('x')", "it cannot read from `read_text`"),
        ("SELEC", 'syntax error at or near "SELEC"'),
        ("SELECT random() FROM t", "it cannot use the function `random`"),
        (
            "SELECT current_date FROM t",
            "it cannot use `current_date`, which differs from run to run; write a column with its table",
        ),
        (
            "SELECT * FROM t USING SAMPLE 5",
            "it cannot sample, which differs from run to run",
        ),
        ("SELECT 1 AS a; SELECT 2 AS a", "it holds 2 statements; one SELECT is asked for"),
    ],
)
def test_query_that_cannot_be_used_says_why(write: Write, query: str, detail: str) -> None:
    """What the person who wrote it has to change."""
    finding = failure(kind="sql", query=query, tables={"t": table(write("a\n1\n", "t.csv"))})
    assert (finding.code, finding.detail) == ("audience/bad-query", detail)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "app.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE people (id INTEGER, mobile TEXT, size REAL, photo BLOB)")
        rows = [(2**62, "0612340001", 612340001.0, None), (2, None, 0.1, None), (3, "", None, b"\xff")]
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", rows)
    connection.close()
    return path


def test_sqlite_values_become_exact_text(database: Path) -> None:
    """Whole numbers keep all digits, floats their point; bytes make a row faulty. Nothing is left beside the file."""
    records = opened(database, kind="sql", query="SELECT * FROM people ORDER BY id DESC")
    assert records.names == ("id", "mobile", "size", "photo")
    assert read(records) == [
        (1, ["4611686018427387904", "0612340001", "612340001.0", None]),
        (2, None),
        (3, ["2", None, "0.1", None]),
    ]
    assert [path.name for path in database.parent.iterdir()] == ["app.db"]


def test_sqlite_in_use_is_refused(database: Path) -> None:
    """What was written last is beside the file, so the list would be too old."""
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("DELETE FROM people")
        connection.commit()
        finding = failure(database, kind="sql", query="SELECT * FROM people")
    connection.close()
    assert finding.code == "audience/unreadable-source"
    assert "app.db-wal" in finding.detail


def test_what_is_no_sqlite_file_is_an_error(write: Write, tmp_path: Path) -> None:
    """A text, a missing file, and a damaged file."""
    assert failure(write("a"), kind="sql", query="SELECT 1").code == "audience/unreadable-source"
    assert failure(tmp_path / "gone", kind="sql", query="SELECT 1").code == "audience/missing-file"
    broken = write(b"SQLite format 3\0" + b"x" * 5000, "broken.db")
    assert failure(broken, kind="sql", query="SELECT * FROM people").code == "audience/unreadable-source"
