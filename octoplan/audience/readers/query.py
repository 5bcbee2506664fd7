"""
`source: sql`: one SELECT over files of the project, or over an SQLite file of it.

Invariants:
- A query is checked before it runs (`query_check.py`), and runs in a process of its own that is bounded and killed if
  it takes too long (`confined.py`). It gets the files that the campaign names, by links, and no environment.
- Its rows are put aside once; they are numbered as they came.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Final

import pyarrow as pa

from octoplan.audience import rules
from octoplan.audience.engine import Engine
from octoplan.audience.readers.port import Records, unreadable
from octoplan.audience.readers.query_check import QueryError, check_query
from octoplan.audience.readers.spool import SpooledRecords, spool
from octoplan.diagnostics import Place
from octoplan.limits import QUERY_TIME_MAX_S

FAULTY_SHOWN_MAX: Final = 5
ERROR_BYTES_MAX: Final = 10_000
WAL_HINT: Final = "close the program that uses it, or make a copy: `sqlite3 app.db '.backup copy.db'`"


@dataclass(frozen=True, slots=True)
class Query:
    """The SQL, where the campaign has it, what findings call the source, and how many seconds it may take."""

    text: str
    shown: str
    place: Place | None = None
    time_max_s: float = QUERY_TIME_MAX_S


# --- over files ------------------------------------------------------------------------------------------------------


def query_files(query: Query, tables: Mapping[str, Records]) -> SpooledRecords:
    """
    The rows of a query over `tables`, whose columns are all text.

    :raises InvalidInput: if the query is not allowed, fails, or takes too much time, memory or disk; or if a table has
        faulty rows, which nobody would miss in what comes out.
    """
    try:
        with Engine(()) as engine:
            check_query(engine, query.text, tables)
    except QueryError as error:
        raise unreadable(rules.BAD_QUERY.at(query.place, str(error))) from None
    try:
        return _query_as_they_are(query, tables)
    except _BadData:
        whole = {name: _spool_table(records, query.place) for name, records in tables.items()}
    try:
        return _query_as_they_are(query, whole)
    except _BadData:
        detail = "a value could not be converted to the type that the query asks for"
        hint = "columns are text: compare with text, or convert with `try_cast(… as integer)`"
        raise unreadable(rules.BAD_QUERY.at(query.place, detail, hint)) from None


def _query_as_they_are(query: Query, tables: Mapping[str, Records]) -> SpooledRecords:
    files = [file for records in tables.values() for file in records.files()]
    with Engine(files) as engine, TemporaryDirectory(prefix="octoplan-") as folder:
        described = []
        for name, records in tables.items():
            usable = [index for index in range(len(records.names)) if records.flaw(index) is None]
            relation = records.relation(engine, usable)
            if relation is None:
                raise _BadData
            names = _distinct([records.names[index] for index in usable])
            described.append({"name": name, "names": names, "sql": relation})
        request = {"engine": "duckdb", "tables": described, "readable": list(engine.links.values()), "folder": folder}
        return _run(query, request)


def _spool_table(records: Records, place: Place | None) -> SpooledRecords:
    """The table with every row looked at."""
    usable = [index for index in range(len(records.names)) if records.flaw(index) is None]
    with Engine(records.files()) as engine:
        whole = spool(records.shown, [records.names[index] for index in usable], records.stream(engine, usable), place)
    if whole.faulty:
        with Engine(whole.files()) as engine:
            lines = [
                str(records.place_of(row))
                for batch in whole.stream(engine, [])
                for row in batch.filter(batch.column("faulty")).column("row").to_pylist()
            ]
        shown = ", ".join(lines[:FAULTY_SHOWN_MAX]) + (", …" if len(lines) > FAULTY_SHOWN_MAX else "")
        detail = f"`{records.shown}` has {whole.faulty} faulty rows: {shown}"
        raise unreadable(rules.FAULTY_TABLE.at(place, detail, "a query would drop them without a word; mend the file"))
    return whole


def _distinct(names: Sequence[str]) -> list[str]:
    """Names of a table, which have to differ and be there: a column without one gets the name of its place."""
    seen: set[str] = set()
    made = []
    for number, name in enumerate(names, 1):
        made.append(name if name and name.lower() not in seen else f"{name}_{number}")
        seen.add(made[-1].lower())
    return made


# --- over SQLite -----------------------------------------------------------------------------------------------------


def query_sqlite(query: Query, path: Path, shown: str, place: Place | None) -> SpooledRecords:
    """
    The rows of a query over the SQLite file `path`.

    :raises InvalidInput: if it is no such file, is being written to, or as for `query_files`.
    """
    _require_sqlite(path, shown, place)
    try:
        return _run(query, {"engine": "sqlite", "path": str(path)})
    except _BadData as error:
        detail = f"`{shown}`: {error or 'a value cannot be read as text'}"
        raise unreadable(rules.UNREADABLE_SOURCE.at(place, detail)) from None


def _require_sqlite(path: Path, shown: str, place: Place | None) -> None:
    if not path.is_file():
        detail = f"`{shown}` {'is not a regular file' if path.exists() else 'does not exist'}"
        raise unreadable(rules.MISSING_FILE.at(place, detail))
    with path.open("rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            raise unreadable(rules.UNREADABLE_SOURCE.at(place, f"`{shown}` is no SQLite file"))
    for ending in ("-wal", "-journal"):
        beside = path.with_name(path.name + ending)
        if beside.exists() and beside.stat().st_size:
            detail = f"`{shown}` is in use: what was written last is in `{beside.name}`"
            raise unreadable(rules.UNREADABLE_SOURCE.at(place, detail, WAL_HINT))


# --- the process -----------------------------------------------------------------------------------------------------


class _BadData(Exception):
    """A value or row of the data, not the query, stood in the way."""


def _run(query: Query, request: dict[str, Any]) -> SpooledRecords:
    full = {**request, "query": query.text, "seconds": query.time_max_s}
    with _process(query, full) as (output, end):
        try:
            made = _read_rows(query, output)
        except (pa.ArrowException, OSError, EOFError):
            end()
            raise AssertionError("a process that ended well wrote everything") from None
        try:
            end()  # only now is it known that these are all rows
        except BaseException:
            made.folder.remove()
            raise
        return made


def _read_rows(query: Query, output: IO[bytes]) -> SpooledRecords:
    with pa.ipc.open_stream(output) as stream:
        about = stream.schema.metadata
        flaws = {int(index): flaw for index, flaw in json.loads(about[b"flaws"]).items()}
        return spool(query.shown, json.loads(about[b"names"]), stream, query.place, flaws)


@contextmanager
def _process(query: Query, request: dict[str, Any]) -> Iterator[tuple[IO[bytes], Any]]:
    """Its output, and a function that waits for its end and raises what went wrong. It never outlives the block."""
    with TemporaryDirectory(prefix="octoplan-") as folder, (Path(folder) / "error").open("w+b") as error:
        process = subprocess.Popen(
            [sys.executable, "-m", "octoplan.audience.readers.confined"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=error,
            cwd=folder,
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "TMPDIR": folder},
            start_new_session=True,
        )
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(query.time_max_s, stop)
        timer.start()

        def end() -> None:
            process.wait()
            if process.returncode:
                error.seek(0)
                _raise(query, error.read(ERROR_BYTES_MAX), late=late.is_set())

        try:
            assert process.stdin is not None
            assert process.stdout is not None
            with process.stdout as output:
                with process.stdin as stdin:
                    stdin.write(json.dumps(request).encode())
                yield output, end
        finally:
            timer.cancel()
            process.kill()
            process.wait()


def _raise(query: Query, said: bytes, *, late: bool) -> None:
    """The finding for a process that did not end well."""
    try:
        answer = {"kind": "time", "detail": ""} if late else json.loads(said.splitlines()[-1])
    except (ValueError, IndexError):
        answer = {"kind": "memory", "detail": ""}  # it was killed, or died: what else could it have been?
    raise _failure(query, str(answer["kind"]), str(answer["detail"])) from None


def _failure(query: Query, kind: str, detail: str) -> Exception:
    match kind:
        case "data":
            return _BadData(detail)
        case "time":
            detail = f"the query took longer than {query.time_max_s:g} s"
            return unreadable(rules.SOURCE_TOO_SLOW.at(query.place, detail, "select fewer rows, or join by equality"))
        case "memory":
            detail = "the query needs more memory or disk than it may have"
            return unreadable(rules.SOURCE_TOO_LARGE.at(query.place, detail, "select fewer rows, or join by equality"))
    return unreadable(rules.BAD_QUERY.at(query.place, detail))
