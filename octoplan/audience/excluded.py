"""
The rows that get no message, read again one by one for whoever mends the list.

Invariants:
- A value leaves this module only as its shape.
- Nothing is kept: the rows are read again when they are asked for, and an audience holds their numbers only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.audience import rules
from octoplan.audience.engine import Engine
from octoplan.audience.phone_faults import explain_number
from octoplan.audience.readers.together import place_in_file
from octoplan.audience.resolve import Audience
from octoplan.audience.sources import Sources
from octoplan.values.shape import shape_of


@dataclass(frozen=True, slots=True)
class ExcludedRow:
    """`place` is `file:line`, `shape` that of the number (`None` without one), `note` what is wrong with it."""

    place: str
    shape: str | None
    note: str


@dataclass(frozen=True, slots=True)
class ExcludedRows:
    """Rows with one reason, of which there are `count`; the first are in `rows`, in the order of the source."""

    reason: str
    count: int
    rows: tuple[ExcludedRow, ...] = field(default=())

    @property
    def explanation(self) -> str:
        """What the reason means."""
        return rules.EXPLANATIONS[self.reason]


def read_excluded(audience: Audience, reasons: Collection[str], region: str | None) -> tuple[ExcludedRows, ...]:
    """
    Every reason for which rows are left out, with its first rows for those of `reasons`.

    `region` is what the numbers were read with. The audience may be closed.
    """
    wanted = [row for each in audience.exclusions if each.reason in reasons for row in each.rows]
    values = dict(_read_numbers(audience.sources, wanted))

    def described(reason: str, row: int) -> ExcludedRow:
        value = values[row]
        note = "" if value is None else explain_number(reason, value, region)
        return ExcludedRow(place_in_file(audience.sources.records, row), value and shape_of(value), note)

    return tuple(
        ExcludedRows(
            each.reason,
            each.count,
            tuple(described(each.reason, row) for row in each.rows) if each.reason in reasons else (),
        )
        for each in audience.exclusions
    )


def _read_numbers(sources: Sources, wanted: Collection[int]) -> Iterator[tuple[int, str | None]]:
    """What is in the column of the numbers, in these records."""
    if not wanted:
        return
    chosen, last = pa.array(wanted, pa.int64()), max(wanted)
    with Engine(sources.records.files()) as engine:
        for batch in sources.records.stream(engine, [sources.phone]):
            found = batch.filter(pc.is_in(batch.column("row"), value_set=chosen))
            yield from zip(found.column("row").to_pylist(), found.column(f"c{sources.phone}").to_pylist(), strict=True)
            if len(batch) and batch.column("row")[-1].as_py() >= last:
                return
