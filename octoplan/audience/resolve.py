"""
From contacts to the audience: who would be written to, and why everybody else would not.

Invariants:
- Every record of the contacts file is a recipient or counted under exactly one reason: `rows` is the sum of both.
- A number is at most one recipient. Among its rows the smallest row key wins, never "the first": neither the order of
  the file, its name or encoding, nor threads, locale or time zone change who is written to or with which values.
- Nothing here can hold a contact back silently: a suppression or allow-list that cannot be read is an error.
- Findings, exclusions and `repr` hold lines, counts and names of columns; never a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from octoplan.audience import rules
from octoplan.audience.contacts import Layout, find_column, read_layout, read_records
from octoplan.audience.encoding import inspect_text
from octoplan.audience.engine import Engine, quote_text
from octoplan.audience.phones import is_region, normalise_phones
from octoplan.audience.schemas import RECIPIENTS
from octoplan.audience.suppression import (
    SuppressionList,
    SuppressionSpec,
    inspect_suppression,
    load_suppression,
)
from octoplan.audience.where import WhereError, compile_where
from octoplan.diagnostics import Finding, InvalidInput, Place, require_no_errors
from octoplan.digests import DigestKey, content_digest
from octoplan.limits import EXCLUSION_EXAMPLES_MAX

SET_PURPOSE: Final = "octoplan/audience-set/v1"
PROBLEM: Final = "The audience cannot be resolved"

T = TypeVar("T")


def no_place(_path: str) -> Place | None:
    """For callers that know no places."""
    return None


@dataclass(frozen=True, slots=True)
class AudienceSpec:
    """
    What to read and whom to take; plain values, so that nothing here depends on how a campaign is written.

    `contacts` is absolute and already known to be inside the project; `shown_path` is what findings call it. `columns`
    maps a template variable to a column; of `variables`, those not in it are columns of the same name. `allow_numbers`
    are the only numbers that may be written to, in any spelling; `None` allows all. `threads` is `None` for all cores.
    `places` gives the place of a campaign field by its path, such as `recipients.columns.first_name`.
    """

    contacts: Path
    shown_path: str
    phone: str
    region: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    variables: tuple[str, ...] = ()
    where: str | None = None
    key: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    suppressions: tuple[SuppressionSpec, ...] = ()
    allow_numbers: tuple[str, ...] | None = field(default=None, repr=False)
    threads: int | None = None
    places: Callable[[str], Place | None] = field(default=no_place, repr=False)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """
    One reason for which rows get no message. `reason` is a stable code, explained by `explanation`.

    `examples` are lines of the contacts file, the first few; never values.
    """

    reason: str
    count: int
    examples: tuple[int, ...]
    explanation: str


@dataclass(frozen=True, slots=True)
class Audience:
    """
    The resolved recipients, kept by an engine of its own until `close`; a context manager.

    `rows` counts the records of the file, `unique` the valid numbers of selected rows before suppression and
    allow-list, `recipients` those that are left. `exclusions` are sorted by reason, and their counts are
    `rows - recipients`. `countries` counts recipients.
    """

    rows: int
    recipients: int
    unique: int
    exclusions: tuple[Exclusion, ...]
    findings: tuple[Finding, ...]
    countries: Mapping[str, int]
    schema: pa.Schema
    _engine: Engine = field(repr=False)

    def __enter__(self) -> Audience:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the data. May be called again."""
        self._engine.close()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """
        The recipients, sorted by `hash, phone`, with the columns of `RECIPIENTS` and `v_<variable>` in name order.

        May be called again, also while another iteration is under way. Where batches are cut means nothing. Every
        column but `row`, which is for reports, depends only on the contents of the rows.
        """
        for batch in self._engine.stream("SELECT * FROM recipient"):
            yield pa.RecordBatch.from_arrays(batch.columns, schema=self.schema)

    def set_digest(self, key: DigestKey) -> str:
        """
        A keyed digest `s1_…` of the set of valid numbers before suppression, sorted, one a line.

        Two audiences have the same one if and only if their lists name the same numbers.
        """
        digest = hashlib.sha256()
        for batch in self._engine.stream("SELECT phone || chr(10) FROM winner ORDER BY phone"):
            whole = pa.ListArray.from_arrays(pa.array([0, len(batch)], pa.int32()), batch.column(0))
            digest.update(pc.binary_join(whole, "")[0].as_buffer())
        return content_digest(key, "s1", SET_PURPOSE, digest.digest())


@dataclass(frozen=True, slots=True)
class _Sources:
    """What was looked at before anything is read: columns by index, the filter as SQL over `c<index>`."""

    layout: Layout
    phone: int
    key: int | None
    variables: Mapping[str, int]
    where: _Filter
    suppressions: tuple[SuppressionList, ...]

    def columns(self) -> list[int]:
        """Every column that is needed, once."""
        keys = () if self.key is None else (self.key,)
        return sorted({self.phone, *keys, *self.variables.values(), *self.where.columns})


@dataclass(frozen=True, slots=True)
class _Filter:
    sql: str = "true"
    columns: frozenset[int] = frozenset()


def resolve_audience(spec: AudienceSpec) -> Audience:
    """
    Read the contacts and the suppression lists, and decide about every row. The caller closes what it gets.

    :raises InvalidInput: with all findings, if a file, a column, the filter or a list cannot be used as it is.
    """
    sources, findings = _inspect(spec)
    files = [sources.layout.text.path, *(item.spec.path for item in sources.suppressions)]
    engine = Engine(files, spec.threads)
    try:
        findings += _load_lists(engine, spec, sources)
        rows = _load_contacts(engine, spec, sources)
        _decide(engine, spec, sources)
        return _summarise(engine, rows, findings, sources)
    except BaseException:
        engine.close()
        raise


def _inspect(spec: AudienceSpec) -> tuple[_Sources, tuple[Finding, ...]]:
    """
    Look at every file before any is read, so that all findings come at once.

    :raises InvalidInput: with all of them, if one is an error.
    """
    findings = [*_check_regions(spec), *_check_allow_list(spec)]
    suppressions = [_collect(findings, partial(inspect_suppression, item)) for item in spec.suppressions]
    layout = _collect(findings, partial(_inspect_contacts, spec))
    sources = None if layout is None else _inspect_columns(findings, spec, layout)
    noted = require_no_errors(dict.fromkeys(findings), PROBLEM)  # one column can be asked for twice
    if sources is None:
        raise AssertionError("what could not be found has an error finding")
    lists = tuple(item for item in suppressions if item is not None)
    return replace(sources, suppressions=lists), noted


def _inspect_contacts(spec: AudienceSpec) -> tuple[Layout, tuple[Finding, ...]]:
    place = spec.places("recipients.path")
    declared = spec.places("recipients.encoding") if spec.encoding else place
    text, findings = inspect_text(spec.contacts, spec.shown_path, spec.encoding, declared)
    delimiter = spec.places("recipients.delimiter") if spec.delimiter else place
    return read_layout(text, spec.delimiter, delimiter), findings


def _inspect_columns(findings: list[Finding], spec: AudienceSpec, layout: Layout) -> _Sources | None:
    """`None` if a column is missing; the findings then say which."""

    def find(name: str, field_path: str) -> int | None:
        return _collect(findings, partial(find_column, layout, name, spec.places(field_path)))

    phone = find(spec.phone, "recipients.phone")
    key = None if spec.key is None else find(spec.key, "recipients.key")
    found = {name: find(*_column_of(spec, name)) for name in _variables(spec)}
    where = _inspect_where(findings, spec, layout) if spec.where is not None else _Filter()
    variables = {name: index for name, index in found.items() if index is not None}
    return None if phone is None else _Sources(layout, phone, key, variables, where, ())


def _variables(spec: AudienceSpec) -> list[str]:
    return sorted({*spec.columns, *spec.variables})


def _column_of(spec: AudienceSpec, variable: str) -> tuple[str, str]:
    """The name of the variable's column, and the campaign field that asks for it."""
    if variable in spec.columns:
        return spec.columns[variable], f"recipients.columns.{variable}"
    return variable, "message.template"


def _inspect_where(findings: list[Finding], spec: AudienceSpec, layout: Layout) -> _Filter:
    place = spec.places("recipients.where")
    used: set[int] = set()

    def column(name: str) -> str:
        index = _collect(findings, partial(find_column, layout, name, place))
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
        return _Filter()
    except duckdb.Error as error:
        findings.append(_bad_types(place, error))
        return _Filter()
    return _Filter(sql, frozenset(used))


def _bad_types(place: Place | None, error: duckdb.Error) -> Finding:
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
    unreadable = _allowed(spec).filter(pc.field("phone").is_null()).num_rows
    if unreadable:
        detail = f"{unreadable} of {len(spec.allow_numbers or ())} entries could not be read"
        yield rules.BAD_ALLOW_LIST.at(spec.places("environment.allow_numbers"), detail)


def _allowed(spec: AudienceSpec) -> pa.Table:
    """A column `phone`, null where an entry is no number that may be written to."""
    numbers = normalise_phones(pa.array(spec.allow_numbers or (), pa.string()), _region(spec))
    phone, reason = numbers.field("phone"), numbers.field("reason")
    return pa.table({"phone": pc.if_else(pc.is_null(reason), phone, None)})


def _region(spec: AudienceSpec) -> str | None:
    return spec.region if spec.region is not None and is_region(spec.region) else None


def _load_lists(engine: Engine, spec: AudienceSpec, sources: _Sources) -> tuple[Finding, ...]:
    engine.rows("CREATE TABLE suppressed (phone VARCHAR)")
    engine.rows("CREATE TABLE allowed (phone VARCHAR)")
    engine.append("allowed", _allowed(spec))
    lists = [load_suppression(engine, item, spec.region) for item in sources.suppressions]
    return tuple(finding for findings in lists for finding in findings)


def _load_contacts(engine: Engine, spec: AudienceSpec, sources: _Sources) -> int:
    """Fill `contact`, one row a record, `reason` null where it can be written to; the answer is how many."""
    values = "".join(f", v{number} VARCHAR" for number in range(len(sources.variables)))
    engine.rows(
        "CREATE TABLE contact (row BIGINT, reason VARCHAR, phone VARCHAR, country VARCHAR, raw VARCHAR, key VARCHAR"
        f"{values})"
    )
    mark, rows = _mark_sql(sources), 0
    for batch in read_records(engine, sources.layout, sources.columns()):
        try:
            marked = engine.transform(batch, mark)
        except duckdb.Error as error:
            finding = _bad_types(spec.places("recipients.where"), error)
            raise InvalidInput(PROBLEM, findings=[finding]) from None
        engine.append("contact", _with_numbers(marked, spec.region))
        rows += len(batch)
    return rows


def _mark_sql(sources: _Sources) -> str:
    """The columns of `contact` but for what is known only once the number is read."""
    key = "NULL::VARCHAR" if sources.key is None else f"c{sources.key}"
    values = "".join(f", c{index} AS v{number}" for number, index in enumerate(sources.variables.values()))
    return f"""
        SELECT row, c{sources.phone} AS raw, {key} AS key{values}, CASE
            WHEN faulty THEN {quote_text(rules.FAULTY_ROW)}
            WHEN NOT ({sources.where.sql}) THEN {quote_text(rules.NOT_SELECTED)}
        END AS reason FROM incoming"""  # noqa: S608


def _with_numbers(marked: pa.Table, region: str | None) -> pa.Table:
    """Add phone and country; numbers of rows that are out already are not read."""
    marked = marked.combine_chunks()
    raw, reason = marked["raw"].combine_chunks(), marked["reason"].combine_chunks()
    numbers = normalise_phones(pc.if_else(pc.is_null(reason), raw, None), region)
    reason = pc.coalesce(reason, numbers.field("reason"))
    usable = pc.is_null(reason)
    return (
        marked.set_column(marked.schema.get_field_index("reason"), "reason", reason)
        .append_column("phone", pc.if_else(usable, numbers.field("phone"), None))
        .append_column("country", pc.if_else(usable, numbers.field("country"), None))
    )


def _decide(engine: Engine, spec: AudienceSpec, sources: _Sources) -> None:
    """Make `winner` (one row a number), `fate` (why not, for every row) and `recipient` (the rest, in order)."""
    names = [f"v{number}" for number in range(len(sources.variables))]
    allow = "NOT EXISTS (FROM allowed a WHERE a.phone = c.phone)" if spec.allow_numbers is not None else "false"
    engine.rows(_WINNER.format(content=_content_sql(names)))
    engine.rows(_FATE.format(not_allowed=allow))
    columns = "".join(f', c.v{number} AS "{number}"' for number in range(len(sources.variables)))
    engine.rows(_RECIPIENT.format(values=columns))


def _content_sql(values: list[str]) -> str:
    """
    SHA-256 of a row's used columns, each with its length in bytes before it, so that no two rows look alike.

    The number is in it as it is written; null is not the same as empty.
    """
    parts = (f"coalesce(strlen({name}) || ':' || {name}, '-')" for name in ["raw", *values])
    return f"sha256({' || '.join(parts)})"


_WINNER: Final = """
    CREATE TABLE winner AS
    WITH number AS (SELECT phone, min(row) AS row, count(*) AS rows FROM contact WHERE reason IS NULL GROUP BY phone),
    ranked AS (
        SELECT phone, c.row, row_number() OVER (
            PARTITION BY phone ORDER BY key NULLS LAST, {content}, c.row) AS rank
        FROM contact c JOIN number n USING (phone) WHERE n.rows > 1 AND c.reason IS NULL)
    SELECT phone, row FROM number WHERE rows = 1 UNION ALL SELECT phone, row FROM ranked WHERE rank = 1"""
"""
Only rows that share a number are ranked: by the declared key, then by content. There is one priority, so it is not in
the order. The line comes last: it decides only between rows that are equal, and then which one is not seen.
"""

_FATE: Final = f"""
    CREATE TABLE fate AS
    SELECT c.row, CASE
        WHEN c.reason IS NOT NULL THEN c.reason
        WHEN NOT EXISTS (FROM winner w WHERE w.row = c.row) THEN {quote_text(rules.DUPLICATE)}
        WHEN EXISTS (FROM suppressed s WHERE s.phone = c.phone) THEN {quote_text(rules.SUPPRESSED)}
        WHEN {{not_allowed}} THEN {quote_text(rules.NOT_ALLOWED)}
    END AS reason FROM contact c"""  # noqa: S608

_RECIPIENT: Final = """
    CREATE TABLE recipient AS
    SELECT sha256(c.phone) AS hash, c.phone, c.country, c.row{values}
    FROM contact c JOIN fate f USING (row) WHERE f.reason IS NULL ORDER BY hash, c.phone"""

_EXCLUSIONS: Final = f"""
    SELECT reason, count(*), min(row, {EXCLUSION_EXAMPLES_MAX})
    FROM fate WHERE reason IS NOT NULL GROUP BY reason ORDER BY reason"""  # noqa: S608


def _summarise(engine: Engine, rows: int, findings: tuple[Finding, ...], sources: _Sources) -> Audience:
    exclusions = tuple(
        Exclusion(reason, count, tuple(examples), rules.EXPLANATIONS[reason])
        for reason, count, examples in engine.rows(_EXCLUSIONS)
    )
    countries = "SELECT country, count(*) FROM recipient GROUP BY country ORDER BY country"
    variables = [pa.field(f"v_{name}", pa.string()) for name in sources.variables]
    return Audience(
        rows=rows,
        recipients=engine.value("SELECT count(*) FROM recipient"),
        unique=engine.value("SELECT count(*) FROM winner"),
        exclusions=exclusions,
        findings=findings,
        countries=dict(engine.rows(countries)),
        schema=pa.schema([*RECIPIENTS, *variables]),
        _engine=engine,
    )
