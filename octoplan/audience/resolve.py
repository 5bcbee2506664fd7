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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from octoplan.audience import rules
from octoplan.audience.contacts import read_records
from octoplan.audience.engine import Engine, quote_text
from octoplan.audience.phones import normalise_phones
from octoplan.audience.schemas import RECIPIENTS
from octoplan.audience.sources import (
    PROBLEM,
    AudienceSpec,
    PlannedSuppression,
    Sources,
    conversion_finding,
    inspect_sources,
    read_allowed,
)
from octoplan.audience.suppression import load_suppression
from octoplan.diagnostics import Finding, InvalidInput
from octoplan.digests import DigestKey, content_digest
from octoplan.limits import EXCLUSION_EXAMPLES_MAX

__all__ = ["Audience", "AudienceSpec", "Exclusion", "resolve_audience"]

SET_PURPOSE: Final = "octoplan/audience-set/v1"
SUPPRESSION_PURPOSE: Final = "octoplan/suppressed/v1"


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
    suppressed_since: frozenset[str] = field(repr=False)
    """E.164 numbers that are among the recipients only because the plan was approved before they were suppressed."""
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

    def suppressed_digests(self, key: DigestKey) -> list[bytes]:
        """Keyed digests, 8 bytes each and sorted, of the numbers of the list that are suppressed."""
        return sorted(_suppression_digest(key, phone) for phone in _suppressed_winners(self._engine))


def _suppressed_winners(engine: Engine) -> list[str]:
    return [phone for (phone,) in engine.rows("SELECT phone FROM winner WHERE phone IN (FROM suppressed)")]


def _suppression_digest(key: DigestKey, phone: str) -> bytes:
    return key.mac(SUPPRESSION_PURPOSE, phone.encode("ascii"))[:8]


def resolve_audience(spec: AudienceSpec) -> Audience:
    """
    Read the contacts and the suppression lists, and decide about every row. The caller closes what it gets.

    :raises InvalidInput: with all findings, if a file, a column, the filter or a list cannot be used as it is.
    """
    sources, findings = inspect_sources(spec)
    files = [sources.layout.text.path, *(item.spec.path for item in sources.suppressions)]
    engine = Engine(files, spec.threads)
    try:
        findings += _load_lists(engine, spec, sources)
        rows = _load_contacts(engine, spec, sources)
        names = [f"v{number}" for number in range(len(sources.variables))]
        engine.rows(_WINNER.format(content=_content_sql(names)))
        since = _suppress_as_planned(engine, spec.planned) if spec.planned else frozenset[str]()
        _decide(engine, spec, sources)
        return _summarise(engine, rows, findings, sources, since)
    except BaseException:
        engine.close()
        raise


def _load_lists(engine: Engine, spec: AudienceSpec, sources: Sources) -> tuple[Finding, ...]:
    engine.rows("CREATE TABLE suppressed (phone VARCHAR)")
    engine.rows("CREATE TABLE allowed (phone VARCHAR)")
    engine.append("allowed", read_allowed(spec))
    lists = [load_suppression(engine, item, spec.region) for item in sources.suppressions]
    return tuple(finding for findings in lists for finding in findings)


def _load_contacts(engine: Engine, spec: AudienceSpec, sources: Sources) -> int:
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
            finding = conversion_finding(spec.places("recipients.where"), error)
            raise InvalidInput(PROBLEM, findings=[finding]) from None
        engine.append("contact", _with_numbers(marked, spec.region))
        rows += len(batch)
    return rows


def _mark_sql(sources: Sources) -> str:
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


def _decide(engine: Engine, spec: AudienceSpec, sources: Sources) -> None:
    """From `winner` (one row a number) make `fate` (why not, for every row) and `recipient` (the rest, in order)."""
    allow = "NOT EXISTS (FROM allowed a WHERE a.phone = c.phone)" if spec.allow_numbers is not None else "false"
    engine.rows(_FATE.format(not_allowed=allow))
    columns = "".join(f', c.v{number} AS "{number}"' for number in range(len(sources.variables)))
    engine.rows(_RECIPIENT.format(values=columns))


def _suppress_as_planned(engine: Engine, planned: PlannedSuppression) -> frozenset[str]:
    """
    Put back into `suppressed` exactly who was in it when the plan was made; the answer is who came since.

    Who was taken off the list since stays suppressed: a plan never grows.
    """
    now = {_suppression_digest(planned.key, phone): phone for phone in _suppressed_winners(engine)}
    since = frozenset(phone for digest, phone in now.items() if digest not in planned.digests)
    gone = planned.digests - now.keys()
    engine.rows("CREATE TABLE since (phone VARCHAR)")
    engine.append("since", pa.table({"phone": pa.array(sorted(since), pa.string())}))
    engine.rows("DELETE FROM suppressed WHERE phone IN (FROM since)")
    if gone:
        every = (phone for (phone,) in engine.rows("SELECT phone FROM winner"))
        back = [phone for phone in every if _suppression_digest(planned.key, phone) in gone]
        engine.append("suppressed", pa.table({"phone": pa.array(back, pa.string())}))
    return since


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


def _summarise(
    engine: Engine, rows: int, findings: tuple[Finding, ...], sources: Sources, since: frozenset[str]
) -> Audience:
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
        suppressed_since=since,
        _engine=engine,
    )
