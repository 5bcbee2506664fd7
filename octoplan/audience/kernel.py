"""
The audience in two steps, Arrow in and Arrow out, with a shuffle by hash between them.

    records → `Normaliser`: the number read and hashed, or the reason why not
            → shuffle: a number's rows, and its place on a suppression list, meet in one partition
            → `choose`: one row a number → `divide`: who is left, in order

Invariants:
- A record is in the result of step one exactly once, as a numbered row or counted under one reason.
- A number is at most one recipient. Among its rows the smallest row key wins: the declared key column, then the values
  that the template uses, in name order, null last. Rows that agree in all of them get the same message.
- Nothing depends on how records are cut into batches, on partitions, threads, or the order of the file. The line that
  comes last in the row key decides only between rows that are equal, and then which one is not seen.
- The functions know nothing of files, campaigns or machines: they can run wherever there is Arrow.
"""

from __future__ import annotations

import binascii
import hashlib
import heapq
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.audience import rules
from octoplan.audience.engine import quote_text
from octoplan.audience.phone_rules import PhoneRules
from octoplan.audience.schemas import RECIPIENTS, VALUE
from octoplan.limits import EXCLUSION_EXAMPLES_MAX

HASH_DIGITS: Final = 16
"""Hexadecimal digits of the SHA-256 that are kept: 64 bits. Numbers that share them are told apart by their text."""
HASH_BITS: Final = 4 * HASH_DIGITS


@dataclass(frozen=True, slots=True)
class Ask:
    """What step one takes from a record: columns by index, and `where`: SQL over `c<index>`."""

    phone: int
    key: int | None = None
    values: tuple[int, ...] = ()
    where: str = "true"
    doubtful: bool = False
    """Whether a number that is not to be written to (too doubtful, or no SMS) is wanted too, with its reason."""


@dataclass(slots=True)
class Exclusions:
    """Rows that get no message, by reason: how many, and the smallest record numbers as examples, at most `most`."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[int]] = field(default_factory=dict)
    most: int = EXCLUSION_EXAMPLES_MAX

    def add(self, reason: str, rows: pa.Array) -> None:
        """Count the records of `rows` (int64) under `reason`."""
        if len(rows):
            self.counts[reason] += len(rows)
            least = rows.take(pc.array_sort_indices(rows)[: self.most]).to_pylist()
            known = self.examples.get(reason, [])
            self.examples[reason] = heapq.nsmallest(self.most, [*known, *least])

    def merge(self, other: Exclusions) -> None:
        """Add what another one counted."""
        self.counts += other.counts
        for reason, rows in other.examples.items():
            known = self.examples.get(reason, [])
            self.examples[reason] = heapq.nsmallest(self.most, [*known, *rows])


# --- step one: a record alone ----------------------------------------------------------------------------------------


def hash_sql(phone: str) -> str:
    """The first digits of the SHA-256 of a column of E.164 texts, for `leading_bits`."""
    return f"substr(sha256({phone}), 1, {HASH_DIGITS})"


Reading = Callable[[str, str], str]
"""Writes the query that reads the numbers of a relation's column, such as `PhoneRules.select`."""


def numbers_sql(read: Reading, relation: str, ask: Ask) -> str:
    """
    The SELECT of step one over `relation`, which has the columns `row`, `faulty` and `c<index>`; in its order.

    Only projections, so that it can stream from a file. The result has a `phone` only where `reason` is null, or, if
    `ask.doubtful`, wherever one was read.
    """
    key = "NULL::VARCHAR" if ask.key is None else f"c{ask.key}"
    names = [f"v{number}" for number in range(len(ask.values))]
    values = "".join(f", c{index} AS {name}" for index, name in zip(ask.values, names, strict=True))
    marked = f"""
        SELECT *, CASE WHEN mark IS NULL THEN written END AS raw FROM (
            SELECT row, c{ask.phone} AS written, {key} AS key{values}, CASE
                WHEN faulty THEN {quote_text(rules.FAULTY_ROW)}
                WHEN NOT ({ask.where}) THEN {quote_text(rules.NOT_SELECTED)}
            END AS mark FROM {relation})"""  # noqa: S608
    certain = "" if ask.doubtful else "AND reason IS NULL"
    return f"""
        SELECT row, why AS reason, CASE WHEN mark IS NULL THEN odd END AS odd, {hash_sql("phone")} AS hash,
            phone, country, {", ".join(["key", *names])}
        FROM (
            SELECT *, coalesce(mark, reason) AS why,
                CASE WHEN mark IS NULL {certain} THEN '+' || n END AS phone
            FROM ({read(f"({marked})", "raw")}))"""  # noqa: S608


def with_odd_numbers(phones: PhoneRules, batch: pa.RecordBatch, ask: Ask) -> pa.RecordBatch:
    """What `numbers_sql` gave, with the answers of the library where the query left them open."""
    odd = batch.column("odd")
    if odd.null_count == len(odd):
        return batch
    numbers, countries, reasons = phones.read_odd(odd.drop_null()).flatten()
    pairs = zip(numbers.to_pylist(), reasons.to_pylist(), strict=True)
    texts = [f"+{number}" if number and (ask.doubtful or why is None) else None for number, why in pairs]
    hashes = [each and hashlib.sha256(each.encode()).hexdigest()[:HASH_DIGITS] for each in texts]
    found = {"reason": reasons, "hash": hashes, "phone": texts, "country": countries}
    for name, answers in found.items():
        filled = pc.replace_with_mask(batch.column(name), odd.is_valid(), pa.array(answers, pa.string()))
        batch = batch.set_column(batch.schema.get_field_index(name), name, filled)
    return batch


def with_landlines(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, int]:
    """What `with_odd_numbers` gave, with numbers that get no SMS taken like any other, and how many these are."""
    reasons = batch.column("reason")
    landline = pc.equal(reasons, rules.NOT_MOBILE)
    count = pc.sum(landline).as_py() or 0
    taken = pc.if_else(landline, None, reasons)
    return batch.set_column(batch.schema.get_field_index("reason"), "reason", taken), count


def numbered(batch: pa.RecordBatch, exclusions: Exclusions) -> pa.RecordBatch:
    """Split what `with_odd_numbers` gave into rows with a number (columns of `row_schema`) and exclusions."""
    reasons, rows = batch.column("reason"), batch.column("row")
    kept = batch.drop_columns(["reason", "odd"])
    if reasons.null_count < len(batch):
        for reason in pc.unique(reasons.drop_null()).to_pylist():
            exclusions.add(reason, rows.filter(pc.equal(reasons, reason)))
        kept = kept.filter(reasons.is_null())
    row, digits, phone, country, *others = kept.columns
    columns = [leading_bits(digits), phone, country, row, *others]
    return pa.RecordBatch.from_arrays(columns, schema=row_schema(len(others) - 1))


def row_schema(values: int) -> pa.Schema:
    """What is shuffled: `hash`, `phone`, `country`, `row`, `key`, and `v0`, `v1`… for the values."""
    names = ["key", *(f"v{number}" for number in range(values))]
    return pa.schema([*RECIPIENTS, *(pa.field(name, pa.string()) for name in names)])


def leading_bits(digits: pa.StringArray) -> pa.UInt64Array:
    """The numbers that texts of 16 hexadecimal digits stand for; no text may be null."""
    if not len(digits):
        return pa.array([], pa.uint64())
    _, offsets, data = digits.buffers()
    start = memoryview(offsets).cast("i")[digits.offset]
    numbers = array("Q", binascii.unhexlify(memoryview(data)[start : start + len(digits) * HASH_DIGITS]))
    if sys.byteorder == "little":
        numbers.byteswap()
    return pa.UInt64Array.from_buffers(pa.uint64(), len(digits), [None, pa.py_buffer(numbers)])


# --- step two: the rows of a partition -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Winners:
    """
    One row a number, and who lost to them.

    `rows` (columns of `row_schema`) are all of the partition, as they came; `order` are the indices of the winners
    among them, in the order of recipients, and `phones` their numbers.
    """

    rows: pa.Table
    order: pa.UInt64Array
    phones: pa.StringArray = field(repr=False)
    exclusions: Exclusions


def choose(rows: pa.Table, most: int = EXCLUSION_EXAMPLES_MAX) -> Winners:
    """One row for each number among `rows` (columns of `row_schema`, any order); `most` is for its `Exclusions`."""
    exclusions = Exclusions(most=most)
    rows = rows.combine_chunks()
    hashes, phones = _one(rows.column("hash")), _one(rows.column("phone"))
    order = pc.array_sort_indices(hashes)
    shared = _beside_an_equal(hashes.take(order))
    if shared is not None:
        some, first = _by_row_key(rows, order.filter(shared))
        exclusions.add(rules.DUPLICATE, _one(rows.column("row")).take(some.filter(pc.invert(first))))
        wins = pc.replace_with_mask(pc.invert(shared), shared, first)
        order = pc.replace_with_mask(order, shared, some).filter(wins)
    return Winners(rows, order, phones.take(order), exclusions)


def _beside_an_equal(hashes: pa.UInt64Array) -> pa.BooleanArray | None:
    """Which rows share their hash with a neighbour; `None` if none does."""
    if not len(hashes):
        return None
    same = pc.equal(hashes[1:], hashes[:-1])
    if not pc.any(same).as_py():
        return None
    no = pa.array([False])
    return pc.or_(pa.concat_arrays([no, same]), pa.concat_arrays([same, no]))


def _by_row_key(rows: pa.Table, chosen: pa.Array) -> tuple[pa.Array, pa.BooleanArray]:
    """`chosen` (row indices) by number and then by row key; and which of them is the first of its number."""
    some = rows.take(chosen)
    keys = ["hash", "phone", *rows.schema.names[len(RECIPIENTS) :], "row"]
    order = pc.sort_indices(some, [(name, "ascending", "at_end") for name in keys])
    phones = _one(some.column("phone")).take(order)
    first = pa.concat_arrays([pa.array([True]), pc.not_equal(phones[1:], phones[:-1])])
    return chosen.take(order), first


@dataclass(frozen=True, slots=True)
class Cut:
    """An end in the order of `hash, phone`: the number there, and all after it, are out for `reason`."""

    reason: str
    hash: int
    phone: str = field(default="", repr=False)


def cut_at(reason: str, winners: Iterable[Winners], allowed: pa.Array | None, numbers: int) -> Cut | None:
    """
    The end that leaves the first `numbers` of all partitions, which come in order; `None` if there are no more.

    Numbers that are suppressed count too: else somebody would move up, and get the message because another one does
    not want it.
    """
    left = numbers
    for each in winners:
        order = each.order if allowed is None else each.order.filter(pc.is_in(each.phones, value_set=allowed))
        if left < len(order):
            at = order[left].as_py()
            return Cut(reason, each.rows.column("hash")[at].as_py(), each.rows.column("phone")[at].as_py())
        left -= len(order)
    return None


@dataclass(frozen=True, slots=True)
class Divided:
    """Winners told apart: `recipients` (columns of `recipients_schema`), and the numbers that are `suppressed`."""

    recipients: pa.Table
    suppressed: pa.StringArray = field(repr=False)
    countries: Counter[str]
    exclusions: Exclusions


def divide(
    winners: Winners,
    suppressed: pa.Array,
    allowed: pa.Array | None,
    schema: pa.Schema,
    cuts: Sequence[Cut] = (),
) -> Divided:
    """
    Who among the winners gets the message: not in `suppressed`, in `allowed` unless that is `None`, before every cut.

    Both are E.164 texts; it does no harm if they hold numbers of other partitions.
    """
    exclusions = Exclusions(most=winners.exclusions.most)
    exclusions.merge(winners.exclusions)
    rows, order, phones = winners.rows, winners.order, winners.phones
    numbers, hashes = _one(rows.column("row")), _one(rows.column("hash"))

    def leave(reason: str, stays: pa.BooleanArray) -> None:
        nonlocal order, phones
        exclusions.add(reason, numbers.take(order.filter(pc.invert(stays))))
        order, phones = order.filter(stays), phones.filter(stays)

    off = pc.is_in(phones, value_set=suppressed)
    taken_off = phones.filter(off)
    if len(taken_off):
        leave(rules.SUPPRESSED, pc.invert(off))
    if allowed is not None:
        leave(rules.NOT_ALLOWED, pc.is_in(phones, value_set=allowed))
    for cut in cuts:
        leave(cut.reason, _is_before(hashes.take(order), phones, cut))
    recipients = _recipients(rows, order, phones, schema)
    return Divided(recipients, taken_off, _counted(recipients.column("country")), exclusions)


def _is_before(hashes: pa.UInt64Array, phones: pa.StringArray, cut: Cut) -> pa.BooleanArray:
    end = pa.scalar(cut.hash, pa.uint64())
    return pc.or_(pc.less(hashes, end), pc.and_(pc.equal(hashes, end), pc.less(phones, cut.phone)))


def _recipients(rows: pa.Table, order: pa.UInt64Array, phones: pa.StringArray, schema: pa.Schema) -> pa.Table:
    hashes, countries, numbers = (_one(rows.column(name)).take(order) for name in ("hash", "country", "row"))
    names = (f"v{number}" for number in range(len(schema) - len(RECIPIENTS)))
    values = (_taken(_one(rows.column(name)).dictionary_encode(), order) for name in names)
    return pa.Table.from_arrays([hashes, phones, countries, numbers, *values], schema=schema)


def _taken(column: pa.DictionaryArray, order: pa.UInt64Array) -> pa.DictionaryArray:
    """The values of some rows, each distinct one once and in the order in which they come; few texts are moved."""
    codes = column.indices.take(order).dictionary_encode()
    return pa.DictionaryArray.from_arrays(codes.indices, column.dictionary.take(codes.dictionary)).cast(VALUE)


def _counted(column: pa.ChunkedArray) -> Counter[str]:
    return Counter({each["values"]: each["counts"] for each in pc.value_counts(column).to_pylist()})


def _one(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece."""
    whole = column.combine_chunks()
    return whole if isinstance(whole, pa.Array) else pa.concat_arrays(whole.chunks)
