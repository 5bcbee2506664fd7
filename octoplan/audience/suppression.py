"""
Lists of numbers that get nothing, in whatever form people keep them.

Invariants:
- A list that cannot be read stops the plan: without it, people who said STOP would be written to. One that is empty
  does not, for there may be nobody yet.
- In doubt a number is suppressed: one that is too doubtful to be written to still takes its likely meaning off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.audience import rules
from octoplan.audience.engine import Engine
from octoplan.audience.kernel import Ask, leading_bits
from octoplan.audience.numbering import Numbers
from octoplan.audience.partitions import Partitions
from octoplan.audience.phone_rules import PhoneRules
from octoplan.audience.readers.columns import find_column
from octoplan.audience.readers.port import Records
from octoplan.audience.readers.source import Source, open_source
from octoplan.audience.readers.text import TextRecords
from octoplan.audience.schemas import RECIPIENTS
from octoplan.diagnostics import Finding, InvalidInput, Place

SUPPRESSED_SCHEMA: Final = pa.schema([RECIPIENTS.field("hash"), RECIPIENTS.field("phone")])


@dataclass(frozen=True, slots=True)
class SuppressionSpec:
    """
    One list: the numbers are in the column `phone`, or, without it, in the only column, which then needs no header.

    `region` is for numbers without a country code; `place` is where the project names the list.
    """

    source: Source
    phone: str | None = None
    region: str | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class SuppressionList:
    """A list that was looked at: where its numbers are."""

    spec: SuppressionSpec
    records: Records
    column: int


def inspect_suppression(spec: SuppressionSpec) -> tuple[SuppressionList | None, tuple[Finding, ...]]:
    """
    Find the numbers of a list; `None` for one without even a header, which a warning tells.

    :raises InvalidInput: if the file is missing or cannot be read, or the column is not certain.
    """
    records, findings = open_source(replace(spec.source, if_empty=rules.EMPTY_SUPPRESSION))
    if not records.names:
        return None, findings
    if spec.phone is not None:
        column, found = find_column(records, spec.phone, spec.place)
    else:
        records, column, found = _only_column(records, spec)
    findings += found
    if column is None:
        raise InvalidInput("A suppression list cannot be read", findings=findings)
    return SuppressionList(spec, records, column), findings


def _only_column(records: Records, spec: SuppressionSpec) -> tuple[Records, int | None, tuple[Finding, ...]]:
    if len(records.names) > 1:
        detail = f"`{records.shown}` has {len(records.names)} columns"
        finding = rules.SUPPRESSION_COLUMN.at(spec.place, detail, "name the column of the numbers with `phone:`")
        return records, None, (finding,)
    is_number = any(mark.isdigit() for mark in records.names[0])
    if is_number and isinstance(records, TextRecords):
        return replace(records, lines_before=0), 0, ()
    return records, 0, ()


@dataclass(slots=True)
class Entries:
    """What a list holds besides blank lines: how many entries, and how many of them are no numbers."""

    all: int = 0
    unreadable: int = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Count what `numbers_sql` gave."""
        blank = pc.sum(pc.equal(batch.column("reason"), rules.EMPTY_NUMBER)).as_py() or 0
        self.all += len(batch) - blank
        self.unreadable += batch.column("phone").null_count - blank


def load_suppression(
    engine: Engine, source: SuppressionList, region: str | None, into: Partitions, told: Callable[[int], None]
) -> tuple[Finding, ...]:
    """
    Add the numbers to `into` (columns of `SUPPRESSED_SCHEMA`); a warning counts the entries that are no numbers.

    `told` hears of the entries that go by.
    """
    entries = Entries()

    def take(batch: pa.RecordBatch) -> None:
        entries.add(batch)
        found = batch.filter(batch.column("phone").is_valid())
        columns = [leading_bits(found.column("hash")), found.column("phone")]
        into.shuffle(pa.RecordBatch.from_arrays(columns, schema=SUPPRESSED_SCHEMA))
        told(len(batch))

    def start_again() -> None:
        # Numbers taken twice are suppressed once.
        entries.all = entries.unreadable = 0

    ask = Ask(source.column, doubtful=True)
    phones = PhoneRules.load(source.spec.region or region)
    Numbers(engine, phones, source.records, ask, (source.column,)).each(take, start_again)
    if not entries.unreadable:
        return ()
    detail = (
        f"{entries.unreadable} of {entries.all} entries of `{source.records.shown}` could not be read as phone numbers"
    )
    return (rules.UNREADABLE_SUPPRESSION.at(source.spec.place, detail),)
