"""The contacts of a campaign: every record of their source, shuffled if it can be written to and counted if not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from octoplan.audience.engine import Engine
from octoplan.audience.kernel import Ask, Exclusions, numbered
from octoplan.audience.numbering import Numbers
from octoplan.audience.partitions import Partitions
from octoplan.audience.phone_rules import PhoneRules
from octoplan.audience.sources import PROBLEM, AudienceSpec, Sources, conversion_finding
from octoplan.diagnostics import InvalidInput


@dataclass(slots=True)
class Numbered:
    """How many records there are, and which of them are out."""

    rows: int = 0
    exclusions: Exclusions = field(default_factory=Exclusions)


def number_contacts(
    engine: Engine, spec: AudienceSpec, sources: Sources, into: Partitions, told: Callable[[int], None]
) -> Numbered:
    """
    Number every record and put those that can be written to `into` partitions; `told` hears of the rows that go by.

    :raises InvalidInput: if the filter fails on a value.
    """
    ask = Ask(sources.phone, sources.key, tuple(sources.variables.values()), sources.where.sql)
    found = Numbered()

    def take(batch: pa.RecordBatch) -> None:
        into.shuffle(numbered(batch, found.exclusions))
        found.rows += len(batch)
        told(len(batch))

    def start_again() -> None:
        into.clear()
        found.rows, found.exclusions = 0, Exclusions()

    numbers = Numbers(engine, PhoneRules.load(spec.region), sources.records, ask, tuple(sources.columns()))
    try:
        numbers.each(take, start_again)
    except duckdb.Error as error:
        finding = conversion_finding(spec.places("recipients.where"), error)
        raise InvalidInput(PROBLEM, findings=[finding]) from None
    return found
