"""
Rows by the first bits of their hash: the shuffle between the two steps, on one machine.

Invariants:
- A row is in exactly one partition, and all rows of a number in the same one; partitions in their order hold ascending
  hashes.
- Memory is bounded: beyond `PARTITION_MEMORY_BYTES` rows wait in a private directory, which goes with the object.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.limits import PARTITION_MEMORY_BYTES

PARTITION_BITS: Final = 5
"""32 partitions: of ten million rows each has some 300,000, which fit a processor's cache while they are sorted."""
PARTITIONS: Final = 1 << PARTITION_BITS
_HASH_BITS: Final = 64


class Partitions:
    """
    Rows with a column `hash` (uint64), kept apart by its first bits.

    `folder` exists and belongs to the caller; a file a partition is made in it when memory is not enough.
    """

    def __init__(self, schema: pa.Schema, folder: Path, name: str) -> None:
        self.schema = schema
        self.rows = 0
        self._waiting: list[list[pa.RecordBatch]] = [[] for _ in range(PARTITIONS)]
        self._bytes = 0
        self._paths = [folder / f"{name}-{number}" for number in range(PARTITIONS)]
        self._files: list[pa.ipc.RecordBatchStreamWriter] = []
        self._closed = False

    def shuffle(self, rows: pa.RecordBatch) -> None:
        """Add rows of any partition."""
        number = pc.shift_right(rows.column("hash"), pa.scalar(_HASH_BITS - PARTITION_BITS, pa.uint64()))
        number = number.cast(pa.uint8())
        ordered = rows.take(pc.array_sort_indices(number))
        start = 0
        for counted in sorted(pc.value_counts(number).to_pylist(), key=lambda each: each["values"]):
            self._add(counted["values"], ordered.slice(start, counted["counts"]))
            start += counted["counts"]
        self._bound_memory(ordered.nbytes)

    def put(self, number: int, rows: pa.Table) -> None:
        """Add rows that all belong to partition `number`."""
        for batch in rows.combine_chunks().to_batches():
            self._add(number, batch)
        self._bound_memory(rows.nbytes)

    def take(self, number: int) -> pa.Table:
        """All rows of a partition; may be called again."""
        return pa.Table.from_batches(self.batches(number), self.schema)

    def batches(self, number: int) -> Iterator[pa.RecordBatch]:
        """The rows of a partition in the order in which they were added; a mistake of ours after `close`."""
        if self._closed:
            raise AssertionError("the rows are asked for after they were given up")
        if self._files:
            self._files[number].close()
            with pa.OSFile(str(self._paths[number])) as file, pa.ipc.open_stream(file) as reader:
                yield from reader
        yield from self._waiting[number]

    def drop(self, number: int) -> None:
        """Forget the rows of a partition that is done with."""
        self._waiting[number].clear()
        if self._files:
            self._files[number].close()
            self._paths[number].unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget everything, to begin anew."""
        for number in range(PARTITIONS):
            self.drop(number)
        self.rows = self._bytes = 0
        self._files = []

    def close(self) -> None:
        """Forget everything for good. May be called again."""
        self.clear()
        self._closed = True

    def _add(self, number: int, rows: pa.RecordBatch) -> None:
        self._waiting[number].append(rows)
        self.rows += rows.num_rows

    def _bound_memory(self, added: int) -> None:
        self._bytes += added
        if self._bytes < PARTITION_MEMORY_BYTES:
            return
        if not self._files:
            self._files = [pa.ipc.new_stream(str(path), self.schema) for path in self._paths]
        for file, waiting in zip(self._files, self._waiting, strict=True):
            if waiting:
                file.write_table(pa.Table.from_batches(waiting, self.schema).combine_chunks())
                waiting.clear()
        self._bytes = 0
