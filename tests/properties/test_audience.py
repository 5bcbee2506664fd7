from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import phonenumbers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from octoplan.audience import rules
from octoplan.audience.encoding import inspect_text
from octoplan.audience.engine import Engine
from octoplan.audience.phones import read_phone
from octoplan.audience.readers.port import Records
from octoplan.audience.readers.text import read_layout
from tests.data.generate import as_csv, customers
from tests.unit.audience.support import see

FIELDS = {"columns": {"first_name": "prenom", "shop": "magasin"}, "where": "consent = 'oui'"}
REGIONS = st.sampled_from(["FR", "GB", "US", "DE", "IT", "BR", "AU", "JP", "AR", "MX", "KZ", "BS", None])
DIGITS = st.text("0123456789", min_size=3, max_size=14)
NUMBERS = st.one_of(
    st.text("0123456789+()-. /x#~٠１", max_size=20),
    st.builds("{}{}".format, st.sampled_from(["", "0", "+", "00", "+33", "0033", "+1", "+49 0", "011", "+39"]), DIGITS),
    st.text(max_size=12),
)


@settings(max_examples=800, deadline=None)
@given(text=NUMBERS, region=REGIONS)
@example(text="+33 (0)6 12 34 00 01", region="FR")
@example(text="0612340001;ext=5", region="FR")
def test_numbers_are_the_library_s(text: str, region: str | None) -> None:
    """Whatever is written, the number is libphonenumber's or none; and a valid one is only left out for doubt."""
    phone, country, reason = read_phone(text, region)
    try:
        parsed = phonenumbers.parse(text.strip(), region)
    except phonenumbers.NumberParseException:
        assert phone is None
        return
    if phonenumbers.is_valid_number(parsed) and reason != rules.SPREADSHEET_NUMBER:
        assert phone == phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        assert country == phonenumbers.region_code_for_number(parsed)
        assert reason in (None, rules.AMBIGUOUS_NUMBER)
    else:
        assert reason is not None


FIELD = st.text(st.characters(exclude_characters="\r\n\x00", exclude_categories=["Cs"]), max_size=6)
QUOTED = st.builds('"{}"'.format, FIELD.map(lambda text: text.replace('"', '""')))
ROW = st.lists(
    st.one_of(FIELD, QUOTED, st.sampled_from(["", '""', " ", "NULL", "#", "\x1f", "\t", "é" * 40])), max_size=3
)
PLAIN_ROW = st.lists(FIELD.map(lambda text: text.replace('"', "")), min_size=2, max_size=3)
FILES = st.one_of(st.lists(ROW, max_size=12), st.lists(PLAIN_ROW, max_size=12))


def _records(records: Records, columns: list[int]) -> tuple[list[list[Any]] | None, list[list[Any]]]:
    """What the relation gives (`None` if it gives nothing, or gives up), and what the stream gives."""
    with Engine(records.files()) as engine:
        streamed = [list(row.values()) for batch in records.stream(engine, columns) for row in batch.to_pylist()]
        try:
            relation = records.relation(engine, columns)
            native = None if relation is None else [list(row) for row in engine.rows(f"FROM {relation}")]
            for part in records.relations(engine, columns) or ():
                assert part.first_row is not None
                assert list(range(part.first_row, part.first_row + len(streamed))) == [row for row, *_ in streamed]
            return native, streamed
        except duckdb.Error:
            return None, streamed


@settings(max_examples=30, deadline=None)
@given(
    rows=FILES,
    header=st.sampled_from(["a", "a;b", "a;b;c", "\n\na;b", "\ufeffa;b;c"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    ending=st.sampled_from(["", "\n", "\n\n", " "]),
)
@example(rows=[["x", "y"], [], ["", ""], ["\ufeffz", ""]], header="a;b", line_end="\r\n", ending="\n")
@example(rows=[["x"], [], [""], [" "], ["z"]], header="a", line_end="\n", ending="\n\n")
@example(rows=[["x", "y"], ["1"], ["2", "3"]], header="a;b", line_end="\n", ending="")
@example(rows=[["1", "2", ""]], header="a;b", line_end="\n", ending="")
@example(rows=[["1", "2", "", ""], ["3", "4"]], header="a;b", line_end="\n", ending="")
@example(rows=[['"1"', "2", ""]], header="a;b", line_end="\n", ending="")
@example(rows=[['"1"', ' "2"']], header="a;b", line_end="\n", ending="")
@example(rows=[['a"b', "c"]], header="a;b", line_end="\n", ending="")
@example(rows=[['"a"b', "c"]], header="a;b", line_end="\n", ending="")
@example(rows=[['"a', 'b"']], header="a;b", line_end="\n", ending="")
@example(rows=[['"a""b"', '""'], ['"c;d"', "e"]], header="a;b", line_end="\n", ending="")
@example(rows=[['"1" ', "2"]], header="a;b", line_end="\n", ending="")
@example(rows=[['"', "2"], ["3", '4"']], header="a;b", line_end="\n", ending="")
def test_all_readers_agree(rows: list[list[str]], header: str, line_end: str, ending: str) -> None:
    """
    What the engine reads natively, what it cuts line by line, and what Python's csv reads are the same records; where
    the native reader cannot promise that, it says so or fails.
    """
    content = line_end.join([header, *(";".join(row) for row in rows)]) + ending.replace("\n", line_end)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "list.csv"
        path.write_bytes(content.encode())
        text, _ = inspect_text(path, "list.csv", None, None)
        columns = [len(header.strip().split(";")) - 1]
        native, streamed = _records(read_layout(text, ";", None), columns)
        careful = read_layout(replace(text, clean=False), ";", None)
        assert _records(careful, columns) == (None, streamed)
        if native is not None:
            assert native == [values for _, _, *values in streamed]
            assert not any(faulty for _, faulty, *_ in streamed)
        elif text.clean and not text.quoted:
            assert any(faulty for _, faulty, *_ in streamed) or " " in content


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000), threads=st.sampled_from([1, 2, 4]))
def test_only_the_rows_matter(seed: int, threads: int) -> None:
    """Shuffled rows, another file name, line ends, delimiter and number of threads give the same bytes."""
    random = Random(seed)
    header, *rows = customers(random, 400, 120)
    with TemporaryDirectory() as folder:
        first, second = Path(folder) / "a.csv", Path(folder) / "renamed.txt"
        first.write_bytes(as_csv([header, *rows], ";", "\n").encode())
        random.shuffle(rows)
        second.write_bytes(as_csv([header, *rows], "\t", "\r\n").encode("utf-16"))
        one, other = see(first, threads=1, **FIELDS), see(second, threads=threads, **FIELDS)
    assert one.without_rows == other.without_rows
    assert (one.digest, one.reasons, one.audience.countries) == (other.digest, other.reasons, other.audience.countries)


PROGRAM = """
import hashlib, sys
from pathlib import Path
import pyarrow as pa
from tests.unit.audience.support import see
seen = see(Path(sys.argv[1]), columns={"first_name": "prenom", "shop": "magasin"}, where="consent = 'oui'")
with pa.BufferOutputStream() as sink:
    with pa.ipc.new_stream(sink, seen.table.schema) as stream:
        stream.write_table(seen.table)
    print(hashlib.sha256(sink.getvalue()).hexdigest(), seen.digest)
"""


def test_another_machine_gives_the_same_bytes(tmp_path: Path) -> None:
    """Processes with another locale, time zone, hash seed and working directory give the same bytes."""
    root = Path(__file__).parents[2]
    path = root / "data" / "customers.csv"
    settings_of = [
        {"LC_ALL": "C", "TZ": "UTC", "PYTHONHASHSEED": "1"},
        {"LC_ALL": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "2", "PYTHONUTF8": "1"},
    ]
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(path)],
            env={**os.environ, "PYTHONPATH": str(root), **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for environment in settings_of
    }
    assert len(outputs) == 1
