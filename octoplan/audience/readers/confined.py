"""
Runs one query in a process of its own, which can do little: started by `query.py` as `python -m`, never imported.

The process has no environment, no rights that matter, a bound on its memory, files and time, and is killed if it takes
too long. It reads a request (JSON) from stdin and writes the rows (Arrow) to stdout; or it ends with code 3 and one
line of JSON on stderr, which holds nothing of the rows. That it dies in any other way is an answer too.
"""

from __future__ import annotations

import json
import resource
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any, Final, NoReturn
from urllib.parse import quote

import duckdb
import pyarrow as pa

from octoplan.audience.engine import connect, quote_name
from octoplan.audience.readers.parquet import text_sql
from octoplan.audience.readers.port import record_schema
from octoplan.audience.readers.spool import batches_of
from octoplan.limits import CONTACT_COLUMNS_MAX, QUERY_SPILL_MAX, QUERY_VALUE_BYTES_MAX

FAILED: Final = 3
PROCESS_BYTES_MAX: Final = 2 * 1024**3
FILE_BYTES_MAX: Final = 16 * 1024**3
ROWS_PER_BATCH: Final = 16_384
STEPS_PER_LOOK: Final = 100_000
"""Instructions of SQLite between two looks at the clock."""


def main() -> None:
    """Answer the request on stdin."""
    request = json.load(sys.stdin)
    seconds = int(request["seconds"]) + 1
    resource.setrlimit(resource.RLIMIT_DATA, (PROCESS_BYTES_MAX, PROCESS_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, FILE_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (2 * seconds, 2 * seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        {"duckdb": _run_duckdb, "sqlite": _run_sqlite}[request["engine"]](request)
    except MemoryError:
        _fail("memory")
    except BrokenPipeError:
        raise SystemExit(1) from None


def _fail(kind: str, detail: str = "") -> NoReturn:
    """`kind` is `query` (the person's SQL, `detail` says what), `data` (a value or row), `memory` or `time`."""
    sys.stderr.write(json.dumps({"kind": kind, "detail": detail[:500]}) + "\n")
    raise SystemExit(FAILED)


def _write(names: list[str], flaws: dict[int, str], batches: Iterable[pa.RecordBatch]) -> None:
    """The schema's metadata holds the names, which need not differ, and what is wrong with columns."""
    about = {"names": json.dumps(names), "flaws": json.dumps(flaws)}
    schema = record_schema(range(len(names))).with_metadata(about)
    with pa.ipc.new_stream(sys.stdout.buffer, schema) as stream:
        for batch in batches:
            stream.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))


# --- DuckDB, over the project's files --------------------------------------------------------------------------------


def _run_duckdb(request: dict[str, Any]) -> None:
    # One thread: what a query gives without ORDER BY must not depend on how many there are.
    connection = connect(Path(request["folder"]), request["readable"], 1, QUERY_SPILL_MAX)
    try:
        for table in request["tables"]:
            columns = ", ".join(quote_name(name) for name in table["names"])
            view = f"CREATE VIEW {quote_name(table['name'])} ({columns}) AS SELECT * FROM {table['sql']}"  # noqa: S608
            connection.execute(view)
        relation = connection.sql(request["query"])
        if relation is None:
            _fail("query", "it gives no rows")
        names, kinds = list(relation.columns), [str(kind) for kind in relation.types]
        if len(names) > CONTACT_COLUMNS_MAX:
            _fail("query", f"it gives {len(names)} columns; at most {CONTACT_COLUMNS_MAX} are read")
        _write(names, _flaws(kinds), _duckdb_batches(connection, relation.sql_query(), kinds))
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.SyntaxException) as error:
        _fail("query", str(error).splitlines()[0].partition(": ")[2])
    except duckdb.OutOfMemoryException:
        _fail("memory")
    except (duckdb.Error, OSError):
        _fail("data")  # what the engine says then quotes a value


def _flaws(kinds: list[str]) -> dict[int, str]:
    texts = (text_sql("x", kind) for kind in kinds)
    return {
        index: f"it is of the type {kind[:40]}, which is no text; convert it in the query"
        for index, (text, kind) in enumerate(zip(texts, kinds, strict=True))
        if text is None
    }


def _duckdb_batches(connection: duckdb.DuckDBPyConnection, query: str, kinds: list[str]) -> Iterator[pa.RecordBatch]:
    schema, first = record_schema(range(len(kinds))), 1
    plain = [f"c{index}" for index in range(len(kinds))]
    texts = ", ".join(text_sql(name, kind) or "NULL::VARCHAR" for name, kind in zip(plain, kinds, strict=True))
    # Renamed by place: the names of a result need not differ. The line feeds end a comment.
    renamed = f"SELECT {texts} FROM (\n{query}\n) t({', '.join(plain)})"  # noqa: S608
    with connection.sql(renamed).to_arrow_reader(ROWS_PER_BATCH) as reader:
        for batch in reader:
            rows = pa.array(range(first, first + len(batch)), pa.int64())
            faulty = pa.nulls(len(batch), pa.bool_()).fill_null(False)  # noqa: FBT003
            yield pa.RecordBatch.from_arrays([rows, faulty, *batch.columns], schema=schema)
            first += len(batch)


# --- SQLite, over a file of the project ------------------------------------------------------------------------------

_ALLOWED: Final = frozenset([sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE])
_FORBIDDEN_FUNCTIONS: Final = frozenset(
    ["load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "random", "randomblob", "sqlite_offset"]
)


def _authorize(action: int, _first: str | None, second: str | None, _base: str | None, _trigger: str | None) -> int:
    """Reading, and functions that neither reach outside nor differ from run to run."""
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _run_sqlite(request: dict[str, Any]) -> None:
    until = monotonic() + float(request["seconds"])
    # Immutable: no lock and no journal is made beside the file, and nothing beside it is read.
    uri = f"file:{quote(request['path'])}?mode=ro&immutable=1"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, QUERY_VALUE_BYTES_MAX)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.set_authorizer(_authorize)
        connection.set_progress_handler(lambda: int(monotonic() > until), STEPS_PER_LOOK)
        cursor = connection.execute(request["query"])
        names = [name for name, *_ in cursor.description or ()]
        if not names or len(names) > CONTACT_COLUMNS_MAX:
            _fail("query", f"it gives {len(names)} columns; 1 to {CONTACT_COLUMNS_MAX} are read")
        _write(names, {}, batches_of(_sqlite_rows(cursor), len(names), ROWS_PER_BATCH))
    except sqlite3.OperationalError as error:
        _fail("time" if "interrupted" in str(error) else "query", str(error))
    except (sqlite3.ProgrammingError, sqlite3.Warning) as error:
        _fail("query", str(error))
    except sqlite3.DatabaseError as error:
        kinds = {"authoriz": "query", "too big": "memory"}
        _fail(next((kind for mark, kind in kinds.items() if mark in str(error)), "data"), str(error))
    except (sqlite3.Error, ValueError, UnicodeError, OverflowError):
        _fail("data")


def _sqlite_rows(cursor: sqlite3.Cursor) -> Iterator[tuple[int, bool, list[str | None]]]:
    """A row with bytes in it is faulty: they have no text."""
    for number, values in enumerate(cursor, 1):
        faulty = any(isinstance(value, bytes) for value in values)
        yield number, faulty, [None if faulty or value is None else _text(value) for value in values]


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else repr(value)


if __name__ == "__main__":
    main()
