"""
The one place that opens DuckDB: a private database in memory that cannot reach anything but the files it was given.

Invariants:
- Only the named files can be read, through links with names of our own, so that no path is ever part of SQL text.
- No network, no extension, no other file, no setting can be reached after `_LOCK` ran; Python variables neither.
- It spills to a private directory, which goes when the engine is closed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final

import duckdb
import pyarrow as pa

from octoplan.audience import rules
from octoplan.diagnostics import InvalidInput
from octoplan.limits import ARROW_ROWS_PER_BATCH, ENGINE_MEMORY

_CONFIG: Final[dict[str, Any]] = {
    "memory_limit": ENGINE_MEMORY,
    "preserve_insertion_order": True,
    "python_enable_replacements": False,
    "allow_persistent_secrets": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}
_LOCK: Final = (
    "SET enable_progress_bar = false",
    "SET TimeZone = 'UTC'",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
"""In this order, after the files are named: what comes last forbids every later change."""
_OUT_OF_ROOM: Final = ("Out of Memory Error", "No space left on device")
"""In the engine's words, for an error after the first rows has lost its kind."""


class Engine:
    """
    A context manager that owns the connection and its directory. `links` maps each given file to the path to read.

    `threads` changes time, never a result; `None` means all cores. Every query raises `InvalidInput` where memory and
    disk do not suffice.
    """

    def __init__(self, files: Sequence[Path], threads: int | None = None) -> None:
        self._directory = TemporaryDirectory(prefix="octoplan-")
        folder = Path(self._directory.name)
        try:
            self.links: Mapping[Path, str] = _link(files, folder)
            self._connection = connect(folder, list(self.links.values()), threads)
        except BaseException:
            self._directory.cleanup()
            raise

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the data and the directory. May be called again."""
        self._connection.close()
        self._directory.cleanup()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement whose result is small, and return all of it."""
        with _out_of_room_told():
            rows: list[tuple[Any, ...]] = self._connection.execute(sql, parameters).fetchall()
            return rows

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Run a query of one row with one column."""
        return self.rows(sql, parameters)[0][0]

    def column(self, sql: str) -> pa.Array:
        """Run a query of one column whose result is small."""
        with _out_of_room_told():
            column = self._connection.sql(sql).to_arrow_table().column(0).combine_chunks()
        return column if isinstance(column, pa.Array) else pa.concat_arrays(column.chunks)

    def stream(self, sql: str, rows_per_batch: int = ARROW_ROWS_PER_BATCH) -> Iterator[pa.RecordBatch]:
        """Run a query on a connection of its own and hand on its result as it comes; the memory is one batch."""
        cursor = self._connection.cursor()
        try:
            with _out_of_room_told(), cursor.sql(sql).to_arrow_reader(rows_per_batch) as reader:
                yield from _with_errors_of_the_engine(reader)
        finally:
            cursor.close()

    def transform(self, incoming: pa.Table | pa.RecordBatch, sql: str) -> pa.Table:
        """Run a query over `incoming`, which it calls by that name."""
        self._connection.register("incoming", _as_table(incoming))
        try:
            with _out_of_room_told():
                return self._connection.sql(sql).to_arrow_table()
        finally:
            self._connection.unregister("incoming")

    def pipe(self, incoming: pa.RecordBatchReader, sql: str) -> Iterator[pa.RecordBatch]:
        """Run a query over a stream of batches, which it calls `incoming`, in their order."""
        cursor = self._connection.cursor()
        cursor.register("incoming", incoming)
        try:
            with _out_of_room_told(), cursor.sql(sql).to_arrow_reader(ARROW_ROWS_PER_BATCH) as reader:
                yield from _with_errors_of_the_engine(reader)
        finally:
            cursor.close()


def quote_text(text: str) -> str:
    """`text` as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def quote_name(name: str) -> str:
    """`name` as the name of a column or table in SQL."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def _out_of_room_told() -> Iterator[None]:
    """What does not fit is no fault of a row or a filter, and reading it in another way would not help."""
    try:
        yield
    except duckdb.Error as error:
        if not any(words in str(error) for words in _OUT_OF_ROOM):
            raise
        detail = f"checking it takes more than {ENGINE_MEMORY} of memory, and more than there is for temporary files"
        hint = "make room in the folder for temporary files (TMPDIR), or give the list fewer or shorter columns"
        raise InvalidInput("The audience cannot be read", findings=[rules.OUT_OF_ROOM.at(None, detail, hint)]) from None


def _with_errors_of_the_engine(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """The batches of a query; an error after the first ones reaches us as one of Arrow's, which says nothing else."""
    try:
        yield from reader
    except (OSError, pa.ArrowException) as error:
        raise duckdb.Error(str(error)) from None


def _as_table(data: pa.Table | pa.RecordBatch) -> pa.Table:
    return data if isinstance(data, pa.Table) else pa.Table.from_batches([data])


def _link(files: Sequence[Path], folder: Path) -> dict[Path, str]:
    links = {file: str(folder / f"file-{number}") for number, file in enumerate(dict.fromkeys(files))}
    for file, link in links.items():
        os.symlink(file.absolute(), link)  # noqa: PTH211
    return links


def connect(
    folder: Path, readable: Sequence[str], threads: int | None, spill_max: str | None = None
) -> duckdb.DuckDBPyConnection:
    """
    A locked database that can read the paths `readable` and spill to `folder`, at most `spill_max` such as `8GB`.

    The caller closes it, and checks every statement that is not its own: a readable path could be written.
    """
    config = _CONFIG | {"temp_directory": str(folder / "spill")}
    if spill_max is not None:
        config["max_temp_directory_size"] = spill_max
    if threads is not None:
        config["threads"] = threads
    connection = duckdb.connect(":memory:", config=config)
    try:
        paths = ", ".join(quote_text(path) for path in readable)
        connection.execute(f"SET allowed_paths = [{paths}]")
        for statement in _LOCK:
            connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection
