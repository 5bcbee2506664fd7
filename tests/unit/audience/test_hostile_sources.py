"""Files and queries that would take all time, memory or disk: each ends soon, as a finding."""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from octoplan.audience.encoding import inspect_text
from octoplan.audience.engine import Engine
from octoplan.audience.readers.confined import PROCESS_BYTES_MAX
from octoplan.audience.readers.query import Query, query_files, query_sqlite
from octoplan.audience.readers.source import Source, SourceFile, open_source
from octoplan.audience.readers.text import read_layout
from octoplan.diagnostics import Finding, InvalidInput
from octoplan.limits import CONTACT_LINE_BYTES_MAX, SOURCE_BYTES_MAX, UNPACKED_FREE_BYTES

from .conftest import Write
from .support import problems
from .workbooks import PARTS, workbook


@pytest.fixture(autouse=True)
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Whatever is put aside is here, and gone in the end."""
    folder = tmp_path / "private"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def failure(path: Path, **fields: Any) -> Finding:
    try:
        open_source(Source(path.name, (SourceFile(path, path.name),), **fields))
    except InvalidInput as error:
        return error.findings[-1]
    raise AssertionError("it was read")


# --- bombs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["list.csv.gz", "list.jsonl.gz"])
@pytest.mark.parametrize("method", ["gzip", "zstd"])
def test_archive_that_unpacks_to_far_more(write: Write, name: str, method: str) -> None:
    """A few kilobytes cannot become gigabytes: unpacking stops at a bound, and what was unpacked goes."""
    piece = pa.compress(bytes(2**20), codec=method, asbytes=True)
    path = write(piece * (UNPACKED_FREE_BYTES // 2**20 + 1), name)
    assert path.stat().st_size * 100 < UNPACKED_FREE_BYTES
    assert failure(path).code == "audience/source-too-large"


def test_archive_in_an_archive(write: Write) -> None:
    """Only one layer is unpacked; the next is no text."""
    assert (
        failure(write(gzip.compress(gzip.compress(b"mobile\n", 0)), "list.csv.gz")).code == "audience/unreadable-text"
    )


def bomb(size: int) -> str:
    return '<w><row><c t="str"><v>' + "x" * size + "</v></c></row></w>"


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"xl/sharedStrings.xml": "<sst>" + f"<si><t>{'x' * 100_000}</t></si>" * 700 + "</sst>"}, "unpacks to more"),
        ({"xl/worksheets/sheet1.xml": "<w>" + " " * UNPACKED_FREE_BYTES + "</w>"}, "unpacks to more"),
        ({"xl/worksheets/sheet1.xml": '<w a="' + "x" * 20_000_000 + '"/>'}, "endless"),
        ({"xl/styles.xml": '<!DOCTYPE s [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><s>&b;</s>'}, "declarations"),
        ({"xl/workbook.xml": '<!DOCTYPE w SYSTEM "file:///etc/passwd">' + PARTS["xl/workbook.xml"]}, "declarations"),
    ],
    ids=["texts", "spaces", "attribute", "entities", "document-type"],
)
def test_workbook_that_unpacks_to_far_more(write: Write, parts: dict[str, str], reason: str) -> None:
    """Shared texts, spaces, an endless attribute, entities, and other files."""
    finding = failure(write(workbook([], parts=parts), "a.xlsx"))
    assert finding.code == "audience/unreadable-source"
    assert reason in finding.detail


def test_elements_in_elements(write: Write) -> None:
    """Depth costs the parser nothing that counts."""
    assert failure(write(workbook([], parts={"xl/worksheets/sheet1.xml": "<a>" * 100_000}), "a.xlsx"))


def test_workbook_whose_index_lies(write: Write) -> None:
    """The size that the archive's index gives is not believed."""
    whole = bytearray(workbook([], parts={"xl/worksheets/sheet1.xml": "<w>" + " " * UNPACKED_FREE_BYTES + "</w>"}))
    real, claimed = (UNPACKED_FREE_BYTES + 7).to_bytes(4, "little"), (100).to_bytes(4, "little")
    assert whole.count(real) == 2
    finding = failure(write(bytes(whole).replace(real, claimed), "a.xlsx"))
    assert finding.code == "audience/unreadable-source"


def test_cell_at_the_end_of_the_world(write: Write) -> None:
    """A sheet with its first and its last possible cell is two cells, not seventeen billion."""
    rows = ['<c r="A1" t="str"><v>mobile</v></c>', '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>']
    assert problems(write(workbook(rows), "a.xlsx")) == []


def test_parquet_that_unpacks_to_far_more(tmp_path: Path) -> None:
    """One text of 32 MB, packed to almost nothing, is a faulty row."""
    text = pa.array(["x" * 2**25], pa.large_string())
    pq.write_table(pa.table({"mobile": text}), tmp_path / "a.parquet", compression="zstd", use_dictionary=False)
    assert (tmp_path / "a.parquet").stat().st_size < 2**20
    records, _ = open_source(Source("a", (SourceFile(tmp_path / "a.parquet", "a.parquet"),)))
    with Engine(records.files()) as engine:
        assert [batch.column("faulty").to_pylist() for batch in records.stream(engine, [0])] == [[True]]


# --- files -----------------------------------------------------------------------------------------------------------


def test_file_of_many_gigabytes(tmp_path: Path) -> None:
    """A file over the bound is not even looked at; made of nothing, it takes no place on the disk."""
    path = tmp_path / "list.csv"
    with path.open("wb") as file:
        file.write(b"mobile\n")
        os.truncate(path, SOURCE_BYTES_MAX + 1)
    assert failure(path).code == "audience/source-too-large"
    assert failure(path, kind="json").code == "audience/source-too-large"


def test_field_of_a_hundred_megabytes(tmp_path: Path) -> None:
    """A line without an end is read in bounded pieces, and is a faulty row."""
    path = tmp_path / "list.csv"
    piece = b"x" * CONTACT_LINE_BYTES_MAX
    with path.open("wb") as file:
        file.write(b"mobile;name\n0612340001;")
        for _ in range(100):
            file.write(piece)
        file.write(b"\n0612340002;y\n")
    records = read_layout(inspect_text(path, "list.csv", None, None)[0], None, None)
    with Engine(records.files()) as engine:
        rows = [row for batch in records.stream(engine, [0]) for row in batch.to_pylist()]
    assert rows == [{"row": 2, "faulty": True, "c0": None}, {"row": 3, "faulty": False, "c0": "0612340002"}]


def test_object_without_an_end(tmp_path: Path) -> None:
    """An element of an array is bounded too."""
    path = tmp_path / "list.json"
    path.write_text('[{"a": "' + "x" * (3 * CONTACT_LINE_BYTES_MAX), encoding="utf-8")
    assert failure(path).code == "audience/unreadable-source"


def test_objects_with_ever_new_keys(tmp_path: Path) -> None:
    """Columns are bounded, wherever they come from."""
    path = tmp_path / "list.jsonl"
    path.write_text("\n".join(json.dumps({f"key{n}": 1}) for n in range(600)), encoding="utf-8")
    assert failure(path).code == "audience/too-many-columns"


# --- queries ---------------------------------------------------------------------------------------------------------

DOUBLING = ", ".join(f"d{n} AS (SELECT s||s||s||s||s||s||s||s AS s FROM d{n - 1})" for n in range(1, 12))


def failed_query(text: str, seconds: float = 60) -> Finding:
    with pytest.raises(InvalidInput) as caught:
        query_files(Query(text, "the query", None, seconds), {})
    return caught.value.findings[0]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) AS n FROM range(1000000000) a, range(1000000000) b WHERE a.range * b.range % 7 = 3",
        "WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM r) SELECT max(a) FROM r",
        "SELECT regexp_matches(string_agg(a.range::text, ''), '(1|2)*3') FROM range(100000000) a",
    ],
    ids=["cross-join", "recursion", "text"],
)
def test_query_without_an_end(text: str) -> None:
    """It is stopped after its time, whatever it is busy with."""
    assert failed_query(text, seconds=1).code in ("audience/source-too-slow", "audience/source-too-large")


def test_query_whose_texts_double() -> None:
    """The engine counts this memory late; the process has a bound, and dies alone."""
    text = f"WITH d0 AS (SELECT 'xxxxxxxxxxxxxxxx' AS s), {DOUBLING} SELECT s FROM d11"
    assert failed_query(text).code == "audience/source-too-large"
    kilobytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert kilobytes * 1024 < PROCESS_BYTES_MAX + 2**29


@pytest.mark.parametrize(
    "text",
    [
        "SELECT string_agg(sha256(range::text), '') AS a FROM range(100000000)",
        "SELECT mode(sha256(range::text)) AS a FROM range(100000000)",
    ],
    ids=["one-text", "one-list"],
)
def test_query_that_takes_all_memory(text: str) -> None:
    """Memory and disk are bounded, and so is the time that it takes to fill them."""
    assert failed_query(text, seconds=4).code in ("audience/source-too-large", "audience/source-too-slow")


def test_query_that_gives_too_long_a_text() -> None:
    """A value over the bound on fields makes a faulty row, as in a file."""
    made = query_files(Query("SELECT string_agg('xxxxxxxx', '') AS a FROM range(100000)", "q"), {})
    assert (made.rows, made.faulty) == (1, 1)


def test_query_with_many_columns() -> None:
    """The bound on columns holds for what a query gives."""
    finding = failed_query(f"SELECT {', '.join(f'{n} AS a{n}' for n in range(600))}")
    assert finding.detail == "it gives 600 columns; at most 512 are read"


@pytest.mark.parametrize(
    "text",
    [
        "WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM r) SELECT max(a) FROM r",
        "WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM r) SELECT a FROM r",
    ],
)
def test_sqlite_query_without_an_end(write: Write, text: str) -> None:
    """SQLite looks at the clock while it works."""
    empty = b"SQLite format 3\0" + bytes(84)
    path = write(empty, "app.db")
    with pytest.raises(InvalidInput) as caught:
        query_sqlite(Query(text, "app.db", None, 1), path, "app.db", None)
    assert caught.value.findings[0].code in ("audience/source-too-slow", "audience/unreadable-source")


def test_query_process_knows_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were there a way to ask for variables, the process would have none to give."""
    monkeypatch.setenv("MAPLE_KEY", "zlib")
    given: list[dict[str, str]] = []
    start = subprocess.Popen

    def note(*arguments: Any, **options: Any) -> Any:
        given.append(options["env"])
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", note)
    query_files(Query("SELECT 1 AS a", "q"), {})
    assert [sorted(names) for names in given] == [["PYTHONPATH", "TMPDIR"]]
