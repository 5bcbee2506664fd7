"""
Lists of numbers that get nothing, in whatever form people keep them.

Invariants:
- A list that cannot be read stops the plan: without it, people who said STOP would be written to.
- In doubt a number is suppressed: one that is too doubtful to be written to still takes its likely meaning off.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.audience import rules
from octoplan.audience.contacts import Layout, find_column, read_layout, read_records
from octoplan.audience.encoding import inspect_text
from octoplan.audience.engine import Engine
from octoplan.audience.phones import normalise_phones
from octoplan.diagnostics import Finding, InvalidInput, Place


@dataclass(frozen=True, slots=True)
class SuppressionSpec:
    """
    One list: CSV with a header that has the column `phone`, or, without `phone`, one number a line.

    `path` is absolute; `region` is for numbers without a country code; `place` is where the project names the list.
    """

    path: Path
    shown_path: str
    phone: str | None = None
    region: str | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class SuppressionList:
    """A list that was looked at: where its numbers are."""

    spec: SuppressionSpec
    layout: Layout
    column: int


def inspect_suppression(spec: SuppressionSpec) -> tuple[SuppressionList, tuple[Finding, ...]]:
    """
    Find the numbers of a list.

    :raises InvalidInput: if the file is missing or cannot be read, or the column is not certain.
    """
    text, findings = inspect_text(spec.path, spec.shown_path, None, spec.place)
    layout = read_layout(text, None, spec.place)
    if spec.phone is not None:
        column, found = find_column(layout, spec.phone, spec.place)
        findings += found
    else:
        layout, column, found = _only_column(layout, spec)
    if column is None:
        raise InvalidInput("A suppression list cannot be read", findings=[*findings, *found])
    return SuppressionList(spec, layout, column), findings


def _only_column(layout: Layout, spec: SuppressionSpec) -> tuple[Layout, int | None, tuple[Finding, ...]]:
    if layout.width > 1:
        detail = f"`{spec.shown_path}` has {layout.width} columns"
        finding = rules.SUPPRESSION_COLUMN.at(spec.place, detail, "name the column of the numbers with `phone:`")
        return layout, None, (finding,)
    is_number = any(mark.isdigit() for mark in layout.names[0])
    return replace(layout, lines_before=0) if is_number else layout, 0, ()


def load_suppression(engine: Engine, source: SuppressionList, region: str | None) -> tuple[Finding, ...]:
    """Add the numbers to the table `suppressed (phone)`; a warning counts the entries that are no numbers."""
    entries = unreadable = 0
    for batch in read_records(engine, source.layout, [source.column]):
        numbers = normalise_phones(batch.column(2), source.spec.region or region)
        phone, reason = numbers.field("phone"), numbers.field("reason")
        blank = pc.and_(pc.equal(reason, rules.EMPTY_NUMBER), pc.invert(batch.column(1)))
        entries += len(batch) - (pc.sum(blank).as_py() or 0)
        unreadable += phone.null_count - (pc.sum(blank).as_py() or 0)
        engine.append("suppressed", pa.table({"phone": phone.drop_null()}))
    if not unreadable:
        return ()
    detail = f"{unreadable} of {entries} entries of `{source.spec.shown_path}` could not be read as phone numbers"
    return (rules.UNREADABLE_SUPPRESSION.at(source.spec.place, detail),)
