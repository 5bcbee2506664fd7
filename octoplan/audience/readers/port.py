"""
What every kind of source of contacts can do, whatever it is made of.

Invariants:
- Every value is text, exactly as the source has it; an empty one is null.
- A record is handed on exactly once, faulty or not: nothing is dropped, and nothing aborts the reading.
- Nothing but `files` is read, and only through the engine's links.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import duckdb
import pyarrow as pa

from octoplan.audience import rules
from octoplan.audience.engine import Engine
from octoplan.diagnostics import Finding, InvalidInput, Place

PROBLEM: Final = "The audience cannot be read"


@dataclass(frozen=True, slots=True)
class Relation:
    """
    SQL of a relation in the order of its source. Its rows are numbered from `first_row`; `None`: it has a column `row`.
    """

    sql: str
    first_row: int | None


class Records(Protocol):
    """Contacts that were looked at: their columns by name, and a way to read them."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, without spaces around."""

    @property
    def shown(self) -> str:
        """What findings call the source."""

    def flaw(self, column: int) -> str | None:
        """Why the column cannot be used, such as `it holds lists`; `None` if it can."""

    def files(self) -> Sequence[Path]:
        """What the engine must be able to read."""

    def relation(self, engine: Engine, columns: Sequence[int]) -> str | None:
        """
        SQL of a relation with exactly the text columns `c<index>` for `columns`, one row a record, in the order of the
        source; `None` if this source cannot promise that.

        Reading it may fail with `duckdb.Error` where a record turns out to be faulty: then `stream` gives all of them.
        """

    def relations(self, engine: Engine, columns: Sequence[int]) -> Sequence[Relation] | None:
        """
        What `relation` gives, in parts whose rows have the numbers that `stream` gives them; `None` if it cannot be
        said without looking at every record.
        """

    def stream(self, engine: Engine, columns: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """
        Every record, in the order of the source: `row` (int64, rising), `faulty` (bool), and `c<index>` for `columns`.

        A faulty record has null in every column.
        """

    def place_of(self, row: int) -> int | str:
        """What reports show for the record that `stream` calls `row`: the line of the file, or `file:line`."""


def record_schema(columns: Sequence[int]) -> pa.Schema:
    """What `Records.stream` gives."""
    return pa.schema([("row", pa.int64()), ("faulty", pa.bool_()), *((f"c{index}", pa.string()) for index in columns)])


def guarded(batches: Iterator[pa.RecordBatch], shown: str) -> Iterator[pa.RecordBatch]:
    """`batches`, with the engine's errors as a finding; its own words could quote a value."""
    try:
        yield from batches
    except duckdb.Error:
        raise unreadable(
            rules.UNREADABLE_SOURCE.at(Place(shown), f"`{shown}` is damaged, or too large to read")
        ) from None


def unreadable(*findings: Finding) -> InvalidInput:
    """The error of a source that cannot be used."""
    return InvalidInput(PROBLEM, findings=findings)
