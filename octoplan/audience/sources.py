"""
What a campaign asks of its contacts, and whether the files can answer: looked at before anything is read.

Every file, column, region and filter is looked at, and all findings come at once, each at the field that asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Final, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from octoplan.audience import rules
from octoplan.audience.engine import Engine
from octoplan.audience.phones import is_region, normalise_phones
from octoplan.audience.readers.columns import find_column
from octoplan.audience.readers.port import Records
from octoplan.audience.readers.source import Source, no_place, open_source
from octoplan.audience.suppression import SuppressionList, SuppressionSpec, inspect_suppression
from octoplan.audience.where import WhereError, compile_where
from octoplan.diagnostics import Finding, InvalidInput, Place, require_no_errors
from octoplan.digests import DigestKey
from octoplan.limits import EXCLUSION_EXAMPLES_MAX

PROBLEM: Final = "The audience cannot be resolved"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PlannedSuppression:
    """
    Who was suppressed when a plan was approved: keyed digests of 8 bytes, and the key to recognise them with.

    The audience is then resolved as it was planned; who was suppressed since is named apart, so that batches keep their
    members and only lose them.
    """

    key: DigestKey
    digests: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class AudienceSpec:
    """
    What to read and whom to take; plain values, so that nothing here depends on how a campaign is written.

    `columns` maps a template variable to a column; of `variables`, those not in it are columns of the same name. With
    `landlines` numbers that get no SMS are taken too, and counted in a warning. `allow_numbers` are the only numbers
    that may be written to, in any spelling; `None` allows all. `planned` is for carrying out an approved plan.
    `threads` is `None` for all cores.

    `sample` and `limit` take only the first numbers in the order of their hash: so many, or a share from 0 to 1 of all
    hashes, in which each campaign finds the same people. `examples_max` rows are named for each reason of exclusion.
    `places` gives the place of a campaign field by its path, such as `recipients.columns.first_name`.
    """

    contacts: Source
    phone: str
    region: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    variables: tuple[str, ...] = ()
    where: str | None = None
    key: str | None = None
    sample: int | Decimal | None = None
    limit: int | None = None
    landlines: bool = False
    suppressions: tuple[SuppressionSpec, ...] = ()
    allow_numbers: tuple[str, ...] | None = field(default=None, repr=False)
    planned: PlannedSuppression | None = field(default=None, repr=False)
    examples_max: int = EXCLUSION_EXAMPLES_MAX
    threads: int | None = None
    places: Callable[[str], Place | None] = field(default=no_place, repr=False)


@dataclass(frozen=True, slots=True)
class Filter:
    """SQL that is true where a row is selected, over the columns `c<index>`."""

    sql: str = "true"
    columns: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that is needed to read: the columns by index, variables in name order."""

    records: Records
    phone: int
    key: int | None
    variables: Mapping[str, int]
    where: Filter
    suppressions: tuple[SuppressionList, ...]

    def columns(self) -> list[int]:
        """Every column that is needed, once."""
        keys = () if self.key is None else (self.key,)
        return sorted({self.phone, *keys, *self.variables.values(), *self.where.columns})


def inspect_sources(spec: AudienceSpec) -> tuple[Sources, tuple[Finding, ...]]:
    """
    Look at every file before any is read, so that all findings come at once.

    :raises InvalidInput: with all of them, if one is an error.
    """
    findings = [*_check_regions(spec), *_check_allow_list(spec)]
    suppressions = [_collect(findings, partial(inspect_suppression, item)) for item in spec.suppressions]
    records = _collect(findings, partial(open_source, spec.contacts))
    sources = None if records is None else _inspect_columns(findings, spec, records)
    noted = require_no_errors(dict.fromkeys(findings), PROBLEM)  # one column can be asked for twice
    if sources is None:
        raise AssertionError("what could not be found has an error finding")
    lists = tuple(item for item in suppressions if item is not None)
    return replace(sources, suppressions=lists), noted


def _inspect_columns(findings: list[Finding], spec: AudienceSpec, records: Records) -> Sources | None:
    """`None` if a column is missing; the findings then say which."""

    def find(name: str, field_path: str) -> int | None:
        return _collect(findings, partial(find_column, records, name, spec.places(field_path)))

    phone = find(spec.phone, "recipients.phone")
    key = None if spec.key is None else find(spec.key, "recipients.key")
    found = {name: find(*_column_of(spec, name)) for name in _variables(spec)}
    where = _inspect_where(findings, spec, records) if spec.where is not None else Filter()
    variables = {name: index for name, index in found.items() if index is not None}
    return None if phone is None else Sources(records, phone, key, variables, where, ())


def _variables(spec: AudienceSpec) -> list[str]:
    return sorted({*spec.columns, *spec.variables})


def _column_of(spec: AudienceSpec, variable: str) -> tuple[str, str]:
    """The name of the variable's column, and the campaign field that asks for it."""
    if variable in spec.columns:
        return spec.columns[variable], f"recipients.columns.{variable}"
    return variable, "message.template"


def _inspect_where(findings: list[Finding], spec: AudienceSpec, records: Records) -> Filter:
    place = spec.places("recipients.where")
    used: set[int] = set()

    def column(name: str) -> str:
        index = _collect(findings, partial(find_column, records, name, place))
        if index is None:
            return "NULL"
        used.add(index)
        return f"c{index}"

    try:
        with Engine(()) as engine:
            sql = compile_where(engine, spec.where or "", column)
            nothing = ", ".join(f"NULL::VARCHAR AS c{index}" for index in {0, *used})
            engine.rows(f"SELECT {sql} FROM (SELECT {nothing}) WHERE false")  # noqa: S608
    except WhereError as error:
        findings.append(rules.BAD_WHERE.at(place, str(error)))
        return Filter()
    except duckdb.Error as error:
        findings.append(conversion_finding(place, error))
        return Filter()
    return Filter(sql, frozenset(used))


def conversion_finding(place: Place | None, error: duckdb.Error) -> Finding:
    """What DuckDB says before it has seen a row names columns and types only; later it quotes the row."""
    if isinstance(error, duckdb.BinderException | duckdb.CatalogException):
        detail = str(error).splitlines()[0].partition(": ")[2]
    else:
        detail = "a value could not be converted to the type that the filter asks for"
    hint = "columns are text: compare with text, or convert with `try_cast(… as integer)`"
    return rules.BAD_WHERE.at(place, detail, hint)


def _collect(findings: list[Finding], look: Callable[[], tuple[T | None, tuple[Finding, ...]]]) -> T | None:
    """What `look` finds, or `None`; its findings are kept either way."""
    try:
        value, found = look()
    except InvalidInput as error:
        findings.extend(error.findings)
        return None
    findings.extend(found)
    return value


def _check_regions(spec: AudienceSpec) -> Iterator[Finding]:
    asked = [(spec.region, spec.places("recipients.region"))]
    asked += [(item.region, item.place) for item in spec.suppressions]
    for region, place in asked:
        if region is not None and not is_region(region):
            hint = {"UK": "the United Kingdom is `GB`"}.get(
                region.upper(), "two capital letters of ISO 3166, such as `FR`"
            )
            yield rules.UNKNOWN_REGION.at(place, f"`{region}` is no region with phone numbers", hint)


def _check_allow_list(spec: AudienceSpec) -> Iterator[Finding]:
    unreadable = read_allowed(spec).filter(pc.field("phone").is_null()).num_rows
    if unreadable:
        detail = f"{unreadable} of {len(spec.allow_numbers or ())} entries could not be read"
        yield rules.BAD_ALLOW_LIST.at(spec.places("environment.allow_numbers"), detail)


def read_allowed(spec: AudienceSpec) -> pa.Table:
    """A column `phone`, null where an entry is no number that may be written to."""
    numbers = normalise_phones(pa.array(spec.allow_numbers or (), pa.string()), _region(spec))
    phone, reason = numbers.field("phone"), numbers.field("reason")
    return pa.table({"phone": pc.if_else(pc.is_null(reason), phone, None)})


def _region(spec: AudienceSpec) -> str | None:
    return spec.region if spec.region is not None and is_region(spec.region) else None
