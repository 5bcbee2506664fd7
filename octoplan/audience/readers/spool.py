"""
What has to be put aside on disk before it can be read: unpacked files, and rows that come from elsewhere.

Invariants:
- Everything is in a private folder, which goes with the last thing that needs it, at the latest with the process.
- What is written is bounded, so that neither a small file nor a query can fill the disk.
"""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import IO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from octoplan.audience import rules
from octoplan.audience.engine import Engine, quote_text
from octoplan.audience.readers.port import Relation, guarded, record_schema, unreadable
from octoplan.diagnostics import Place
from octoplan.limits import (
    CONTACT_FIELD_BYTES_MAX,
    SOURCE_BYTES_MAX,
    SPOOL_BYTES_MAX,
    UNPACKED_FREE_BYTES,
    UNPACKED_RATIO_MAX,
)

CHUNK_BYTES: Final = 1024 * 1024
PACKED: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""First bytes of compressed files -> Arrow's name of the method."""


class Folder:
    """A private folder, removed when this object goes."""

    def __init__(self) -> None:
        self.path = Path(mkdtemp(prefix="octoplan-"))
        self.remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


# --- compressed files ------------------------------------------------------------------------------------------------


def unpack(path: Path, shown: str, place: Place | None) -> tuple[Path, Folder | None]:
    """
    The file to read instead of `path`: itself, or an unpacked copy in a folder of its own.

    :raises InvalidInput: if it is no whole compressed file, or grows over a bound.
    """
    method = _method(path)
    if method is None:
        return path, None
    folder = Folder()
    most = min(SOURCE_BYTES_MAX, max(UNPACKED_FREE_BYTES, UNPACKED_RATIO_MAX * path.stat().st_size))
    try:
        with pa.input_stream(path, compression=method) as packed, (folder.path / "unpacked").open("xb") as file:
            _copy(packed, file, most)
    except _TooMuch:
        folder.remove()
        detail = f"`{shown}` unpacks to more than {most // 1024**2} MiB"
        raise unreadable(rules.SOURCE_TOO_LARGE.at(place, detail)) from None
    except (OSError, pa.ArrowException):
        folder.remove()
        detail = f"`{shown}` is not a whole {method} file"
        raise unreadable(rules.UNREADABLE_SOURCE.at(place, detail)) from None
    return folder.path / "unpacked", folder


class _TooMuch(Exception):
    """More bytes than the bound."""


def _method(path: Path) -> str | None:
    if not path.is_file():
        return None  # what is missing or a pipe is reported by who reads it
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError:
        return None
    return next((method for mark, method in PACKED.items() if head.startswith(mark)), None)


def _copy(packed: pa.NativeFile, file: IO[bytes], most: int) -> None:
    written = 0
    while chunk := packed.read(CHUNK_BYTES):
        written += len(chunk)
        if written > most:
            raise _TooMuch
        file.write(chunk)


# --- rows from elsewhere ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpooledRecords:
    """Rows that were put aside, in their order, as text; `rows` and `faulty` count them."""

    shown: str
    names: tuple[str, ...]
    rows: int
    faulty: int
    flaws: Mapping[int, str] = field(repr=False)
    folder: Folder = field(repr=False)

    @property
    def path(self) -> Path:
        """The file with the rows."""
        return self.folder.path / "rows.parquet"

    def flaw(self, column: int) -> str | None:
        """What was seen while the rows were put aside."""
        return self.flaws.get(column)

    def files(self) -> Sequence[Path]:
        """The file with the rows."""
        return (self.path,)

    def relation(self, engine: Engine, columns: Sequence[int]) -> str | None:
        """See `Records`."""
        names = ", ".join(f"c{index}" for index in columns)
        return None if self.faulty else f"(SELECT {names} FROM {self._scan(engine)})"  # noqa: S608

    def relations(self, engine: Engine, columns: Sequence[int]) -> Sequence[Relation] | None:
        """See `Records`."""
        names = "".join(f", c{index}" for index in columns)
        return None if self.faulty else [Relation(f"(SELECT row{names} FROM {self._scan(engine)})", None)]  # noqa: S608

    def stream(self, engine: Engine, columns: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """See `Records`; a row is the line or number that its source gave it."""
        sql = f"SELECT row, faulty{''.join(f', c{index}' for index in columns)} FROM {self._scan(engine)}"  # noqa: S608
        return guarded(engine.stream(sql), self.shown)

    def place_of(self, row: int) -> int | str:
        """The row itself."""
        return row

    def _scan(self, engine: Engine) -> str:
        return f"read_parquet({quote_text(engine.links[self.path])})"


def spool(
    shown: str,
    names: Sequence[str],
    batches: Iterable[pa.RecordBatch],
    place: Place | None,
    flaws: Mapping[int, str] | None = None,
) -> SpooledRecords:
    """
    Put rows aside: `batches` have the columns of `record_schema` for all of `names`.

    Empty text becomes null, and a row with a field over the limit faulty. `flaws` may be filled while `batches` run.

    :raises InvalidInput: if there is more than may be put aside.
    """
    folder = Folder()
    schema = record_schema(range(len(names)))
    rows = faulty = size = 0
    try:
        with pq.ParquetWriter(folder.path / "rows.parquet", schema, compression="zstd", use_dictionary=True) as writer:
            for batch in batches:
                checked = _checked(batch, schema)
                rows, faulty = rows + len(batch), faulty + (pc.sum(checked.column("faulty")).as_py() or 0)
                size += checked.nbytes
                if size > SPOOL_BYTES_MAX:
                    detail = f"`{shown}` gives more than {SPOOL_BYTES_MAX // 1024**3} GiB"
                    raise unreadable(rules.SOURCE_TOO_LARGE.at(place, detail))
                writer.write_batch(checked)
    except BaseException:
        folder.remove()
        raise
    return SpooledRecords(shown, tuple(name.strip() for name in names), rows, faulty, flaws or {}, folder)


def _checked(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    row, faulty, *values = batch.columns
    for value in values:
        too_long = pc.greater(pc.fill_null(pc.binary_length(value), 0), CONTACT_FIELD_BYTES_MAX)
        faulty = pc.or_(faulty, too_long)
    sound = pc.invert(faulty)
    kept = [pc.if_else(pc.and_(sound, pc.not_equal(pc.fill_null(value, ""), "")), value, None) for value in values]
    return pa.RecordBatch.from_arrays([row, faulty, *kept], schema=schema)


def batches_of(
    rows: Iterable[tuple[int, bool, Sequence[str | None]]], width: int, rows_per_batch: int = 16_384
) -> Iterator[pa.RecordBatch]:
    """Rows one by one (number, whether faulty, values) as batches of `record_schema`."""
    schema = record_schema(range(width))
    waiting: list[tuple[int, bool, Sequence[str | None]]] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == rows_per_batch:
            yield _batch(waiting, schema)
            waiting = []
    if waiting:
        yield _batch(waiting, schema)


def _batch(rows: list[tuple[int, bool, Sequence[str | None]]], schema: pa.Schema) -> pa.RecordBatch:
    numbers, faulty, values = zip(*rows, strict=True)
    columns = list(zip(*values, strict=True)) or [() for _ in range(len(schema) - 2)]
    arrays = [pa.array(each, kind) for each, kind in zip([numbers, faulty, *columns], schema.types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
