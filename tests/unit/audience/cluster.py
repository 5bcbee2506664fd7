"""
The kernel as a distributed engine would drive it: map batches, shuffle by hash, map partitions. No file, no campaign.

Partitions are cut by `hash * count >> 64`, which any engine can do, and not by the bits that octoplan uses itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from octoplan.audience.engine import Engine
from octoplan.audience.kernel import (
    Ask,
    Divided,
    Exclusions,
    Reading,
    choose,
    cut_at,
    divide,
    numbered,
    numbers_sql,
    row_schema,
    with_odd_numbers,
)
from octoplan.audience.phone_rules import PhoneRules
from octoplan.audience.rules import OVER_LIMIT
from octoplan.audience.schemas import recipients_schema
from octoplan.digests import number_hash

Numbered = tuple[str, str | None, Sequence[str | None], int]
"""A number, the key, the values and the record: a row between the steps."""


def step_one(
    phones: PhoneRules, records: Iterable[pa.RecordBatch], ask: Ask, exclusions: Exclusions, read: Reading | None = None
) -> Iterator[pa.RecordBatch]:
    """Records (`row`, `faulty`, `c<index>`) to rows with a number."""
    sql = numbers_sql(read or phones.select_odd, "incoming", ask)
    with Engine(()) as engine:
        for batch in records:
            for answers in engine.transform(batch, sql).to_batches():
                yield numbered(with_odd_numbers(phones, answers, ask), exclusions)


def numbered_rows(rows: Sequence[Numbered], hashes: dict[str, int] | None = None) -> pa.Table:
    """Rows between the steps made by hand; `hashes` stand for other ones than the numbers have."""
    schema = row_schema(len(rows[0][2]) if rows else 0)
    columns = [
        [(hashes or {}).get(phone, number_hash(phone)) for phone, *_ in rows],
        [phone for phone, *_ in rows],
        ["FR"] * len(rows),
        [row for *_, row in rows],
        [key for _, key, *_ in rows],
        *([values[number] for _, _, values, _ in rows] for number in range(len(schema) - 5)),
    ]
    return pa.table(dict(zip(schema.names, columns, strict=True)), schema=schema)


def partition(rows: pa.Table, count: int) -> list[pa.Table]:
    """The shuffle: rows with equal hashes come together, partitions in order hold rising hashes."""
    found: list[list[int]] = [[] for _ in range(count)]
    for index, each in enumerate(rows.column("hash").to_pylist()):
        found[each * count >> 64].append(index)
    return [rows.take(pa.array(indices, pa.int64())) for indices in found]


def slices(table: pa.Table, rows: int) -> Iterator[pa.RecordBatch]:
    """The table in batches of so many rows."""
    for start in range(0, table.num_rows, rows):
        yield from table.slice(start, rows).combine_chunks().to_batches()


@dataclass
class Resolved:
    """What all partitions together gave."""

    recipients: list[pa.Table] = field(default_factory=list)
    suppressed: list[str] = field(default_factory=list)
    exclusions: Exclusions = field(default_factory=Exclusions)
    unique: int = 0

    @property
    def table(self) -> pa.Table:
        """The recipients in order, every column made anew: equal tables have equal bytes."""
        whole = pa.concat_tables(self.recipients)
        plain = [each.type.value_type if pa.types.is_dictionary(each.type) else each.type for each in whole.schema]
        columns = [pa.array(column.to_pylist(), kind) for column, kind in zip(whole.columns, plain, strict=True)]
        return pa.table(columns, names=whole.column_names)

    @property
    def phones(self) -> list[str]:
        numbers: list[str] = self.table.column("phone").to_pylist()
        return numbers

    def add(self, divided: Divided) -> None:
        self.recipients.append(divided.recipients)
        self.suppressed += divided.suppressed.to_pylist()
        self.exclusions.merge(divided.exclusions)
        assert sum(divided.countries.values()) == divided.recipients.num_rows


def step_two(
    rows: pa.Table,
    variables: Sequence[str],
    *,
    partitions: int = 1,
    suppressed: Iterable[str] = (),
    allowed: Iterable[str] | None = None,
    hashes: dict[str, int] | None = None,
    limit: int | None = None,
) -> Resolved:
    """Rows with a number to recipients, a partition at a time; suppressed numbers are shuffled like rows."""
    resolved = Resolved()
    off = partition(numbered_rows([(phone, None, (), 0) for phone in suppressed], hashes), partitions)
    may = None if allowed is None else pa.array(list(allowed), pa.string())
    parts = [choose(part) for part in partition(rows, partitions)]
    cut = None if limit is None else cut_at(OVER_LIMIT, parts, may, limit)
    for winners, suppressed_here in zip(parts, off, strict=True):
        resolved.unique += len(winners.phones)
        phones = suppressed_here.column("phone").combine_chunks()
        phones = (
            phones if isinstance(phones, pa.Array) else pa.concat_arrays([pa.array([], pa.string()), *phones.chunks])
        )
        resolved.add(divide(winners, phones, may, recipients_schema(variables), [cut] if cut else []))
    return resolved


def as_bytes(table: pa.Table) -> bytes:
    """The table as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content
