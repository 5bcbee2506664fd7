from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from octoplan.audience.engine import Engine
from octoplan.audience.kernel import Ask
from octoplan.audience.numbering import Numbers
from octoplan.audience.phone_rules import PhoneRules
from octoplan.audience.readers.port import record_schema, unreadable
from octoplan.diagnostics import Finding, InvalidInput

BROKEN = Finding("audience/example", "The source broke", "error", "after a thousand records")


class Breaking:
    """A source that gives a thousand records and then breaks, as a database that is too slow does."""

    names = ("mobile",)
    shown = "crm"

    def flaw(self, column: int) -> str | None:
        return None

    def files(self) -> Sequence[Path]:
        return ()

    def relation(self, engine: Engine, columns: Sequence[int]) -> str | None:
        return None

    def relations(self, engine: Engine, columns: Sequence[int]) -> None:
        return None

    def stream(self, engine: Engine, columns: Sequence[int]) -> Iterator[pa.RecordBatch]:
        for start in range(0, 1_000, 100):
            values = [list(range(start, start + 100)), [False] * 100, ["0612340001"] * 100]
            yield pa.RecordBatch.from_arrays([pa.array(each) for each in values], schema=record_schema(columns))
        raise unreadable(BROKEN)

    def line_of(self, number: int) -> int | str:
        return number

    def place_of(self, row: int) -> int | str:
        return row


def test_what_a_source_says_arrives_as_it_said_it() -> None:
    """An error in the middle of a stream is the source's own finding, not one of the engine that reads the stream."""
    taken: list[int] = []
    with Engine(()) as engine:
        numbers = Numbers(engine, PhoneRules.load("FR"), Breaking(), Ask(phone=0), (0,))
        with pytest.raises(InvalidInput) as caught:
            numbers.each(lambda batch: taken.append(len(batch)), taken.clear)
    assert list(caught.value.findings) == [BROKEN]
    assert sum(taken) <= 1_000
