"""The contacts of a campaign: every record of their source, shuffled if it can be written to and counted if not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from octoplan.audience import rules
from octoplan.audience.engine import Engine
from octoplan.audience.kernel import Ask, Exclusions, numbered, with_landlines
from octoplan.audience.numbering import Numbers
from octoplan.audience.partitions import Partitions
from octoplan.audience.phone_rules import PhoneRules
from octoplan.audience.sources import PROBLEM, AudienceSpec, Sources, conversion_finding
from octoplan.diagnostics import Finding, InvalidInput


@dataclass(slots=True)
class Numbered:
    """How many records there are, which of them are out, and how many are in although their numbers get no SMS."""

    rows: int = 0
    exclusions: Exclusions = field(default_factory=Exclusions)
    landlines: int = 0


def number_contacts(
    engine: Engine, spec: AudienceSpec, sources: Sources, into: Partitions, told: Callable[[int], None]
) -> Numbered:
    """
    Number every record and put those that can be written to `into` partitions; `told` hears of the rows that go by.

    :raises InvalidInput: if the filter fails on a value.
    """
    ask = Ask(sources.phone, sources.key, tuple(sources.variables.values()), sources.where.sql, doubtful=spec.landlines)
    found = Numbered(exclusions=Exclusions(most=spec.examples_max))

    def take(batch: pa.RecordBatch) -> None:
        if spec.landlines:
            batch, kept = with_landlines(batch)
            found.landlines += kept
        into.shuffle(numbered(batch, found.exclusions))
        found.rows += len(batch)
        told(len(batch))

    def start_again() -> None:
        into.clear()
        found.rows, found.exclusions, found.landlines = 0, Exclusions(most=spec.examples_max), 0

    numbers = Numbers(engine, PhoneRules.load(spec.region), sources.records, ask, tuple(sources.columns()))
    try:
        numbers.each(take, start_again)
    except duckdb.Error as error:
        finding = conversion_finding(spec.places("recipients.where"), error)
        raise InvalidInput(PROBLEM, findings=[finding]) from None
    return found


def check_landlines(spec: AudienceSpec, found: Numbered) -> tuple[Finding, ...]:
    """A warning that counts what is paid for and most likely not delivered."""
    if not found.landlines:
        return ()
    detail = f"{found.landlines} of {found.rows} rows have such a number, and are written to all the same"
    hint = "`on_landline: exclude` leaves them out"
    return (rules.KEPT_LANDLINES.at(spec.places("recipients.on_landline"), detail, hint),)
