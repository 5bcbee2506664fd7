"""Several files as one source: their records one file after the other, with the same columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.audience import rules
from octoplan.audience.engine import Engine
from octoplan.audience.readers.port import Records, Relation, record_schema, unreadable
from octoplan.diagnostics import Finding, Place

ROWS_PER_FILE: Final = 1 << 40
"""More rows than a file can have: a row of all is the number of its file times this, and its row there."""


@dataclass(frozen=True, slots=True)
class TogetherRecords:
    """At least two `parts`; `columns` gives for each part the index of each of the first part's columns."""

    shown: str
    parts: tuple[Records, ...]
    columns: tuple[tuple[int, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the first file."""
        return self.parts[0].names

    def flaw(self, column: int) -> str | None:
        """The first that a file has."""
        flaws = (part.flaw(indices[column]) for part, indices in zip(self.parts, self.columns, strict=True))
        return next((flaw for flaw in flaws if flaw), None)

    def files(self) -> Sequence[Path]:
        """All files of all parts."""
        return [file for part in self.parts for file in part.files()]

    def relation(self, engine: Engine, columns: Sequence[int]) -> str | None:
        """See `Records`; only if every part has one."""
        relations = [self._relation(part, engine, columns) for part in range(len(self.parts))]
        if None in relations:
            return None
        return f"({' UNION ALL '.join(f'SELECT * FROM {each}' for each in relations)})"  # noqa: S608

    def relations(self, engine: Engine, columns: Sequence[int]) -> Sequence[Relation] | None:
        """See `Records`; only if every part has some."""
        found: list[Relation] = []
        for number, (part, indices) in enumerate(zip(self.parts, self.columns, strict=True)):
            inner = part.relations(engine, sorted({indices[index] for index in columns}))
            if inner is None:
                return None
            fields = ", ".join(f"c{indices[index]} AS c{index}" for index in columns)
            found += [_moved(relation, fields, number * ROWS_PER_FILE) for relation in inner]
        return found

    def stream(self, engine: Engine, columns: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """See `Records`."""
        schema = record_schema(columns)
        for number, (part, indices) in enumerate(zip(self.parts, self.columns, strict=True)):
            wanted = [indices[index] for index in columns]
            for batch in part.stream(engine, wanted):
                rows = pc.add(batch.column("row"), number * ROWS_PER_FILE)
                values = [batch.column(f"c{index}") for index in wanted]
                yield pa.RecordBatch.from_arrays([rows, batch.column("faulty"), *values], schema=schema)

    def place_of(self, row: int) -> int | str:
        """`file:line`."""
        part = self.parts[row // ROWS_PER_FILE]
        return f"{part.shown}:{part.place_of(row % ROWS_PER_FILE)}"

    def _relation(self, part: int, engine: Engine, columns: Sequence[int]) -> str | None:
        indices = self.columns[part]
        inner = self.parts[part].relation(engine, sorted({indices[index] for index in columns}))
        fields = ", ".join(f"c{indices[index]} AS c{index}" for index in columns)
        return inner and f"(SELECT {fields} FROM {inner})"  # noqa: S608


def row_at(records: Records, place: str) -> int | None:
    """The record that is on a line as `place_of` or a person writes it, `17` or `file:17`; `None` for no such line."""
    file, _, line = place.rpartition(":")
    if not (line.isascii() and line.isdecimal()):
        return None
    if not isinstance(records, TogetherRecords):
        return int(line) if file in ("", records.shown) else None
    return next((n * ROWS_PER_FILE + int(line) for n, part in enumerate(records.parts) if part.shown == file), None)


def place_in_file(records: Records, row: int) -> str:
    """`file:line` of a record, also where there is only one file."""
    place = records.place_of(row)
    return place if isinstance(place, str) else f"{records.shown}:{place}"


def _moved(relation: Relation, fields: str, by: int) -> Relation:
    """The relation with other names for its columns, and its rows numbered from further on."""
    if relation.first_row is None:
        return Relation(f"(SELECT row + {by} AS row, {fields} FROM {relation.sql})", None)  # noqa: S608
    return Relation(f"(SELECT {fields} FROM {relation.sql})", relation.first_row + by)  # noqa: S608


def join_records(shown: str, parts: Sequence[Records], place: Place | None) -> Records:
    """
    `parts` (one at least) as one source: each has the columns of the first, in any order.

    :raises InvalidInput: if a file has other columns than the first.
    """
    if len(parts) == 1:
        return parts[0]
    findings = [finding for part in parts[1:] if (finding := _check_names(part, parts[0], place))]
    if findings:
        raise unreadable(*findings)
    columns = [_indices(part.names, parts[0].names) for part in parts]
    return TogetherRecords(shown, tuple(parts), tuple(columns))


def _check_names(part: Records, first: Records, place: Place | None) -> Finding | None:
    if sorted(part.names) == sorted(first.names):
        return None
    detail = f"`{part.shown}` has other columns than `{first.shown}`"
    return rules.OTHER_COLUMNS.at(place, detail, "files that are read together have the same names in their headers")


def _indices(names: Sequence[str], wanted: Sequence[str]) -> tuple[int, ...]:
    """Where each wanted name is; of columns with one name, the first is the first."""
    places = [index for _, index in sorted((name, index) for index, name in enumerate(names))]
    order = [index for _, index in sorted((name, index) for index, name in enumerate(wanted))]
    return tuple(place for _, place in sorted(zip(order, places, strict=True)))
