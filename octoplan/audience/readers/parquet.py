"""
Parquet files, read by the engine; every plain type becomes one exact text.

Whole numbers and decimals are written as they are, dates and times as ISO 8601 (times with an offset in UTC), flags as
`true` and `false`. A float keeps its point, `612340001.0`, which is how a number that a spreadsheet made is recognised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from octoplan.audience import rules
from octoplan.audience.engine import Engine, quote_name, quote_text
from octoplan.audience.readers.port import Relation, guarded, unreadable
from octoplan.diagnostics import Place
from octoplan.limits import CONTACT_COLUMNS_MAX, CONTACT_FIELD_BYTES_MAX

_PLAIN: Final = frozenset(
    [
        *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"),
        *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
        *("BOOLEAN", "FLOAT", "DOUBLE", "UUID", "DATE", "TIME", '"NULL"'),
    ]
)
_TIMES: Final = frozenset(["TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"])


def text_sql(value: str, kind: str) -> str | None:
    """SQL of the exact text of `value`, whose type DuckDB calls `kind`; `None` if it has no text of its own."""
    if kind == "VARCHAR":
        return value
    if kind in _PLAIN or kind.startswith(("DECIMAL(", "ENUM(")):
        return f"CAST({value} AS VARCHAR)"
    if kind in _TIMES:
        return f"replace(CAST({value} AS VARCHAR), ' ', 'T')"
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"replace(CAST(CAST({value} AS TIMESTAMP) AS VARCHAR), ' ', 'T') || 'Z'"  # the engine's zone is UTC
    return None


@dataclass(frozen=True, slots=True)
class ParquetRecords:
    """One file: the names of its columns as they are written, their types, and what must live as long as the file."""

    path: Path
    shown: str
    written: tuple[str, ...]
    kinds: tuple[str, ...]
    keep: object = field(default=None, repr=False, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The names without spaces around."""
        return tuple(name.strip() for name in self.written)

    def flaw(self, column: int) -> str | None:
        """Lists, structures and bytes have no text."""
        return None if text_sql("x", self.kinds[column]) else f"it holds {self.kinds[column][:40]}, which is no text"

    def files(self) -> Sequence[Path]:
        """The file."""
        return (self.path,)

    def relation(self, engine: Engine, columns: Sequence[int]) -> str:
        """See `Records`; a field over the limit is an error."""
        too_long = f"> {CONTACT_FIELD_BYTES_MAX} THEN error('long')"
        fields = ", ".join(
            f"CASE WHEN strlen({text}) {too_long} ELSE nullif({text}, '') END AS {name}"
            for name, text in self._texts(columns)
        )
        return f"(SELECT {fields} FROM {self._scan(engine)})"  # noqa: S608

    def relations(self, engine: Engine, columns: Sequence[int]) -> Sequence[Relation] | None:
        """See `Records`."""
        return [Relation(self.relation(engine, columns), 1)]

    def stream(self, engine: Engine, columns: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """See `Records`; a row is the number of the record, from 1."""
        fields = ", ".join(f"nullif({text}, '') AS {name}" for name, text in self._texts(columns))
        shown = "".join(f", CASE WHEN NOT faulty THEN c{index} END AS c{index}" for index in columns)
        long = " OR ".join(f"coalesce(strlen(c{index}), 0) > {CONTACT_FIELD_BYTES_MAX}" for index in columns)
        sql = f"""
            SELECT row, faulty{shown} FROM (SELECT *, {long} AS faulty FROM (
                SELECT row_number() OVER () AS row, {fields} FROM {self._scan(engine)}))"""  # noqa: S608
        return guarded(engine.stream(sql), self.shown)

    def place_of(self, row: int) -> int | str:
        """The number of the record, from 1."""
        return row

    def _texts(self, columns: Sequence[int]) -> Iterator[tuple[str, str]]:
        for index in columns:
            text = text_sql(quote_name(self.written[index]), self.kinds[index])
            yield f"c{index}", text or "NULL::VARCHAR"

    def _scan(self, engine: Engine) -> str:
        return f"read_parquet({quote_text(engine.links[self.path])})"


def inspect_parquet(path: Path, shown: str, place: Place | None) -> ParquetRecords:
    """
    Read the names and types of the columns.

    :raises InvalidInput: if it is no Parquet file.
    """
    if not path.is_file():
        detail = f"`{shown}` {'is not a regular file' if path.exists() else 'does not exist'}"
        raise unreadable(rules.MISSING_FILE.at(place, detail))
    try:
        with Engine([path]) as engine:
            columns = engine.rows(f"DESCRIBE SELECT * FROM read_parquet({quote_text(engine.links[path])})")  # noqa: S608
    except duckdb.Error:
        raise unreadable(rules.UNREADABLE_SOURCE.at(place, f"`{shown}` is no sound Parquet file")) from None
    if len(columns) > CONTACT_COLUMNS_MAX:
        detail = f"`{shown}` has {len(columns)} columns; at most {CONTACT_COLUMNS_MAX} are read"
        raise unreadable(rules.TOO_MANY_COLUMNS.at(place, detail))
    return ParquetRecords(path, shown, tuple(name for name, *_ in columns), tuple(kind for _, kind, *_ in columns))
