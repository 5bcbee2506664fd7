"""
From contacts to the audience: who would be written to, and why everybody else would not.

    inspect every file → read and number the records → shuffle → settle each partition

Invariants:
- Every record of the contacts file is a recipient or counted under exactly one reason: `rows` is the sum of both.
- A number is at most one recipient; see `kernel`, which decides.
- Nothing here can hold a contact back silently: a suppression or allow-list that cannot be read is an error.
- Findings, exclusions and `repr` hold lines, counts and names of columns; never a value.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.audience import rules
from octoplan.audience.contacts import check_landlines, number_contacts
from octoplan.audience.engine import Engine
from octoplan.audience.estimate import estimate_rows
from octoplan.audience.kernel import HASH_BITS, Cut, Divided, Exclusions, Winners, choose, cut_at, divide, row_schema
from octoplan.audience.partitions import PARTITIONS, Partitions
from octoplan.audience.schemas import recipients_schema
from octoplan.audience.sources import AudienceSpec, PlannedSuppression, Sources, inspect_sources, read_allowed
from octoplan.audience.suppression import SUPPRESSED_SCHEMA, load_suppression
from octoplan.diagnostics import Finding
from octoplan.digests import DigestKey, content_digest
from octoplan.limits import ARROW_ROWS_PER_BATCH, EXCLUSION_EXAMPLES_MAX
from octoplan.meter import QUIET, Meter

__all__ = ["Audience", "AudienceSpec", "Exclusion", "resolve_audience"]

SET_PURPOSE: Final = "octoplan/audience-set/v2"
SUPPRESSION_PURPOSE: Final = "octoplan/suppressed/v1"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """
    One reason for which rows get no message. `reason` is a stable code, explained by `explanation`.

    `examples` are lines of the contacts file (`file:line` where there are several), the first few; never values.
    `rows` are the numbers of the same records, for reading them again.
    """

    reason: str
    count: int
    examples: tuple[int | str, ...]
    explanation: str
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Audience:
    """
    The resolved recipients, kept until `close`; a context manager.

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
    sources: Sources = field(repr=False)
    """What was read, for reading some of it again; also after `close`."""
    suppressed_since: frozenset[str] = field(repr=False)
    """E.164 numbers that are among the recipients only because the plan was approved before they were suppressed."""
    _suppressed: tuple[pa.StringArray, ...] = field(repr=False)
    _set: bytes = field(repr=False)
    _settled: Partitions = field(repr=False)
    _close: Callable[[], None] = field(repr=False)
    _without: pa.StringArray | None = field(default=None, repr=False)

    def __enter__(self) -> Audience:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the data. May be called again."""
        self._close()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """
        The recipients, sorted by `hash, phone`, with the columns of `RECIPIENTS` and `v_<variable>` in name order.

        May be called again, also while another iteration is under way, but not after `close`. Where batches are cut
        means nothing. Every column but `row`, which is for reports, depends only on the contents of the rows.
        """
        for batch in _gathered(chain.from_iterable(map(self._settled.batches, range(PARTITIONS)))):
            for start in range(0, len(batch), ARROW_ROWS_PER_BATCH):
                rows = batch.slice(start, ARROW_ROWS_PER_BATCH)
                if self._without is not None:
                    rows = rows.filter(pc.invert(pc.is_in(rows.column("phone"), value_set=self._without)))
                yield rows

    def without(self, rows: pa.Table, reason: str) -> Audience:
        """
        The same audience without some of its recipients (columns of `RECIPIENTS`), who are counted under `reason`.

        Both share the data: closing one closes the other. The digest of the set stays: it is of the list.
        """
        if not rows.num_rows:
            return self
        first = tuple(sorted(rows["row"].to_pylist())[:EXCLUSION_EXAMPLES_MAX])
        places = tuple(map(self.sources.records.place_of, first))
        left_out = Exclusion(reason, rows.num_rows, places, rules.EXPLANATIONS[reason], first)
        countries = Counter(self.countries) - Counter(rows["country"].to_pylist())
        return replace(
            self,
            recipients=self.recipients - rows.num_rows,
            exclusions=tuple(sorted((*self.exclusions, left_out), key=lambda each: each.reason)),
            countries=dict(sorted(countries.items())),
            _without=rows["phone"].combine_chunks(),
        )

    def set_digest(self, key: DigestKey) -> str:
        """
        A keyed digest `s1_…` of the set of valid numbers before suppression.

        Two audiences have the same one if and only if their lists name the same numbers.
        """
        return content_digest(key, "s1", SET_PURPOSE, self._set)

    def suppressed_digests(self, key: DigestKey) -> list[bytes]:
        """Keyed digests, 8 bytes each and sorted, of the numbers of the list that are suppressed."""
        return sorted(_suppression_digest(key, phone) for phones in self._suppressed for phone in phones.to_pylist())


def _gathered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Small neighbours put together: each batch costs every later stage some milliseconds, whatever its size."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        if waiting and sum(map(len, waiting)) + len(batch) > ARROW_ROWS_PER_BATCH:
            yield pa.concat_batches(waiting)
            waiting = []
        waiting.append(batch)
    if waiting:
        yield pa.concat_batches(waiting)


def _suppression_digest(key: DigestKey, phone: str) -> bytes:
    return key.mac(SUPPRESSION_PURPOSE, phone.encode("ascii"))[:8]


def resolve_audience(spec: AudienceSpec, meter: Meter = QUIET) -> Audience:
    """
    Read the contacts and the suppression lists, and decide about every row. The caller closes what it gets.

    :raises InvalidInput: with all findings, if a file, a column, the filter or a list cannot be used as it is.
    """
    with ExitStack() as stack:
        with meter.stage("inspect"):
            sources, findings = inspect_sources(spec)
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="octoplan-")))
        numbered = Partitions(row_schema(len(sources.variables)), folder, "numbered")
        suppressed = Partitions(SUPPRESSED_SCHEMA, folder, "suppressed")
        contact_files = sources.records.files()
        suppression_files = [path for item in sources.suppressions for path in item.records.files()]
        with Engine([*contact_files, *suppression_files], spec.threads) as engine:
            with meter.stage("suppression", estimate_rows(suppression_files)) as told:
                for item in sources.suppressions:
                    findings += load_suppression(engine, item, spec.region, suppressed, told)
            with meter.stage("contacts", estimate_rows(contact_files)) as told:
                contacts = number_contacts(engine, spec, sources, numbered, told)
                findings += check_landlines(spec, contacts)
        settled = Partitions(recipients_schema(sources.variables), folder, "settled")
        stack.callback(settled.close)
        with meter.stage("settle", numbered.rows) as told:
            outcome = _Settling(spec, numbered, suppressed, settled).run(told)
        outcome.exclusions.merge(contacts.exclusions)
        return _audience(contacts.rows, findings, sources, outcome, settled, stack.pop_all().close)


@dataclass(slots=True)
class _Outcome:
    """What settling all partitions has found."""

    exclusions: Exclusions = field(default_factory=Exclusions)
    countries: Counter[str] = field(default_factory=Counter)
    suppressed: list[pa.StringArray] = field(default_factory=list)
    since: frozenset[str] = frozenset()
    unique: int = 0
    numbers: hashlib._Hash = field(default_factory=hashlib.sha256)


class _Settling:
    """Step two, a partition at a time; `threads` partitions are under way at once, and their results stay in order."""

    def __init__(self, spec: AudienceSpec, numbered: Partitions, suppressed: Partitions, settled: Partitions) -> None:
        self._spec = spec
        self._numbered = numbered
        self._suppressed = suppressed
        self._settled = settled
        allowed = None if spec.allow_numbers is None else read_allowed(spec)["phone"].combine_chunks().drop_null()
        self._allowed = allowed

    def run(self, told: Callable[[int], None]) -> _Outcome:
        """Fill `settled`; `told` hears of the rows that are settled."""
        outcome = _Outcome(Exclusions(most=self._spec.examples_max))
        planned = None if self._spec.planned is None else _as_planned(self._spec.planned, self._both())
        if planned is not None:
            outcome.since = planned.since
        cuts = list(self._cuts())
        with ThreadPoolExecutor(self._spec.threads) as pool:

            def settle(number: int) -> tuple[Winners, Divided]:
                winners = choose(self._numbered.take(number), self._spec.examples_max)
                off = self._off(number) if planned is None else planned.suppressed
                return winners, divide(winners, off, self._allowed, self._settled.schema, cuts)

            for number, (winners, divided) in enumerate(_in_order(pool, settle)):
                self._numbered.drop(number)
                self._settled.put(number, divided.recipients)
                _add(outcome, winners, divided)
                told(len(winners.phones) + winners.exclusions.counts.total())
        return outcome

    def _cuts(self) -> Iterator[Cut]:
        """Where the sample ends and where the limit does."""
        asked = ((rules.NOT_SAMPLED, self._spec.sample), (rules.OVER_LIMIT, self._spec.limit))
        for reason, wanted in asked:
            match wanted:
                case int():
                    winners = (choose(self._numbered.take(number)) for number in range(PARTITIONS))
                    cut = cut_at(reason, winners, self._allowed, wanted)
                    yield from () if cut is None else (cut,)
                case Decimal() if wanted < 1:
                    yield Cut(reason, int(wanted * 2**HASH_BITS))

    def _off(self, number: int) -> pa.StringArray:
        return pa.concat_arrays([pa.array([], pa.string()), *self._suppressed.take(number)["phone"].chunks])

    def _both(self) -> Iterator[tuple[pa.StringArray, pa.StringArray]]:
        """The numbers of each partition, and those of them that are suppressed now."""
        for number in range(PARTITIONS):
            phones = choose(self._numbered.take(number)).phones
            yield phones, phones.filter(pc.is_in(phones, value_set=self._off(number)))


def _in_order(
    pool: ThreadPoolExecutor, settle: Callable[[int], tuple[Winners, Divided]]
) -> Iterator[tuple[Winners, Divided]]:
    """The results for every partition in order, with few of them waiting."""
    ahead = [pool.submit(settle, number) for number in range(2)]
    for number in range(2, PARTITIONS + 2):
        done = ahead.pop(0)
        if number < PARTITIONS:
            ahead.append(pool.submit(settle, number))
        yield done.result()


def _add(outcome: _Outcome, winners: Winners, divided: Divided) -> None:
    outcome.exclusions.merge(divided.exclusions)
    outcome.countries += divided.countries
    outcome.suppressed.append(divided.suppressed)
    outcome.unique += len(winners.phones)
    # Each number begins with a plus sign, so they need nothing between them.
    outcome.numbers.update(pc.binary_join(_as_list(winners.phones), "")[0].as_buffer())


def _as_list(phones: pa.StringArray) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array([0, len(phones)], pa.int32()), phones)


@dataclass(frozen=True, slots=True)
class _AsPlanned:
    """Who counts as suppressed, and who was suppressed only after the plan was made."""

    suppressed: pa.StringArray
    since: frozenset[str]


def _as_planned(planned: PlannedSuppression, partitions: Iterator[tuple[pa.StringArray, pa.StringArray]]) -> _AsPlanned:
    """
    Exactly who was suppressed when the plan was made; and who came since.

    Who was taken off the list since stays suppressed: a plan never grows.
    """
    everybody, off = [], []
    for phones, suppressed in partitions:
        everybody.append(phones)
        off += suppressed.to_pylist()
    now = {_suppression_digest(planned.key, phone): phone for phone in off}
    since = frozenset(phone for digest, phone in now.items() if digest not in planned.digests)
    still = [phone for phone in off if phone not in since]
    gone = planned.digests - now.keys()
    if gone:
        back = (phone for phones in everybody for phone in phones.to_pylist())
        still += [phone for phone in back if _suppression_digest(planned.key, phone) in gone]
    return _AsPlanned(pa.array(still, pa.string()), since)


def _audience(
    rows: int,
    findings: tuple[Finding, ...],
    sources: Sources,
    outcome: _Outcome,
    settled: Partitions,
    close: Callable[[], None],
) -> Audience:
    counts, examples = outcome.exclusions.counts, outcome.exclusions.examples
    exclusions = tuple(
        Exclusion(
            reason,
            counts[reason],
            tuple(sources.records.place_of(row) for row in examples[reason]),
            rules.EXPLANATIONS[reason],
            tuple(examples[reason]),
        )
        for reason in sorted(counts)
    )
    return Audience(
        rows=rows,
        recipients=settled.rows,
        unique=outcome.unique,
        exclusions=exclusions,
        findings=findings,
        countries=dict(sorted(outcome.countries.items())),
        schema=settled.schema,
        sources=sources,
        suppressed_since=outcome.since,
        _suppressed=tuple(outcome.suppressed),
        _set=outcome.numbers.digest(),
        _settled=settled,
        _close=close,
    )
