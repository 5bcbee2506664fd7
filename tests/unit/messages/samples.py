"""Invented recipients for the tests of messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import pyarrow as pa

from octoplan.audience.schemas import RECIPIENTS
from octoplan.digests import number_hash


def phone(number: int) -> str:
    """A French mobile from the block 06 12 34 00 00 to 99 99 of textbooks."""
    return f"+336123{40000 + number}"


def recipients(columns: Mapping[str, Sequence[str | None]], countries: Sequence[str] = ("FR",)) -> pa.Table:
    """One recipient for each value, with the columns `v_<name>`, in the order in which an audience comes."""
    count = len(next(iter(columns.values()), ()))
    phones = [phone(number) for number in range(count)]
    data = {
        "hash": [number_hash(each) for each in phones],
        "phone": phones,
        "country": [countries[number % len(countries)] for number in range(count)],
        "row": list(range(1, count + 1)),
    }
    schema = RECIPIENTS
    for name in sorted(columns):
        schema = schema.append(pa.field(f"v_{name}", pa.string()))
        data[f"v_{name}"] = list(columns[name])
    return pa.table(data, schema=schema).sort_by([("hash", "ascending"), ("phone", "ascending")])


def batches_of(table: pa.Table, cuts: Sequence[int] = ()) -> Callable[[], Iterator[pa.RecordBatch]]:
    """The table again and again as Arrow batches, cut at the given rows."""
    edges = sorted({0, table.num_rows, *(cut for cut in cuts if 0 < cut < table.num_rows)})

    def read() -> Iterator[pa.RecordBatch]:
        for start, stop in pairwise(edges):
            yield from table.slice(start, stop - start).combine_chunks().to_batches()

    return read
