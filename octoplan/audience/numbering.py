"""
Step one over a whole source: every record read and its number, in the order of the source.

Invariant: the answers do not depend on how a source is read. What the engine reads in one go is read again record by
record if one of them turns out to be faulty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Final

import duckdb
import pyarrow as pa

from octoplan.ahead import ahead
from octoplan.audience.engine import Engine
from octoplan.audience.kernel import Ask, Reading, numbers_sql, with_odd_numbers
from octoplan.audience.phone_rules import BULK_ROWS, PhoneRules
from octoplan.audience.readers.port import Records, Relation, record_schema

WORLD_BYTES: Final = 16 * 1024 * 1024
"""From here on the rules of all countries pay; before, planning a query with all of them takes longer than it saves."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Reads the numbers of one source. `columns` are all that `ask` uses, its filter too."""

    engine: Engine
    phones: PhoneRules
    records: Records
    ask: Ask
    columns: tuple[int, ...]

    def each(self, take: Callable[[pa.RecordBatch], None], start_again: Callable[[], None]) -> None:
        """
        Call `take` with every record, in the order of the source and the columns of `numbers_sql`.

        `start_again` is called if what was taken has to be forgotten: then every record comes once more.

        :raises duckdb.Error: if the filter fails on a value.
        """
        relations = self.records.relations(self.engine, self.columns)
        if relations is not None:
            try:
                for relation in relations:
                    self._read(take, self._of_relation(relation))
            except duckdb.Error:
                start_again()
            else:
                return
        self._read(take, self._of_stream())

    def _read(self, take: Callable[[pa.RecordBatch], None], batches: Iterator[pa.RecordBatch]) -> None:
        for batch in ahead(batches):
            take(with_odd_numbers(self.phones, batch, self.ask))

    def _of_relation(self, relation: Relation) -> Iterator[pa.RecordBatch]:
        """All records in one query, which may run on all cores. Their order is their number."""
        sample = self.engine.column(f"SELECT c{self.ask.phone} FROM {relation.sql} LIMIT {BULK_ROWS}")  # noqa: S608
        row = "" if relation.first_row is None else "0::BIGINT AS row, "
        sound = f"(SELECT {row}false AS faulty, * FROM {relation.sql})"  # noqa: S608
        batches = self.engine.stream(numbers_sql(self._reading(sample), sound, self.ask))
        yield from batches if relation.first_row is None else _counted(batches, relation.first_row)

    def _of_stream(self) -> Iterator[pa.RecordBatch]:
        """Record by record, faulty ones too."""
        batches = self.records.stream(self.engine, self.columns)
        first = list(islice(batches, 1))
        if not first:
            return
        reading = self._reading(first[0].column(f"c{self.ask.phone}"))
        raised: list[Exception] = []
        records = _noting(chain(first, batches), raised)
        incoming = pa.RecordBatchReader.from_batches(record_schema(self.columns), records)
        try:
            yield from self.engine.pipe(incoming, numbers_sql(reading, "incoming", self.ask))
        except duckdb.Error:
            if raised:
                raise raised[0] from None
            raise

    def _reading(self, sample: pa.Array) -> Reading:
        """For many rows the compiled rules; for few, whose query would take longer to plan than to run, the library."""
        if len(sample) < BULK_ROWS:
            return self.phones.select_odd
        size = sum(path.stat().st_size for path in self.records.files())
        return partial(
            self.phones.select, codes=self.phones.codes_in(sample[:BULK_ROWS]), world=not 0 < size < WORLD_BYTES
        )


def _noting(batches: Iterable[pa.RecordBatch], raised: list[Exception]) -> Iterator[pa.RecordBatch]:
    """`batches`; what they raise is kept, for the engine that reads them makes an error of its own of it."""
    try:
        yield from batches
    except Exception as error:
        raised.append(error)
        raise


def _counted(batches: Iterable[pa.RecordBatch], row: int) -> Iterator[pa.RecordBatch]:
    """`batches` with the numbers of their records, which begin at `row`."""
    for batch in batches:
        yield batch.set_column(0, "row", pa.arange(row, row + len(batch)))
        row += len(batch)
