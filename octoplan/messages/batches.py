"""
Cut messages into requests.

Invariants:
- A batch depends only on its recipients, their text, the number of buckets and the batch size; never on how the rows
  are cut into Arrow batches, on threads or on machines.
- Every row is in exactly one batch; no batch is over the batch size, spans two texts or two buckets.
- Recipients stay columns: one batch and one Arrow batch are held at a time, and no Python object is made for a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.limits import BUCKET_BITS_MAX, RECIPIENTS_PER_BUCKET

_HASH_BITS: Final = 64

Stratum = tuple[str, int]
"""Country and segments: what a price depends on."""


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """
    What one request sends: one text to at most `batch_size` recipients of one bucket.

    `text` is the API's text, with its `{param1}` placeholders. `contacts` are the canonical contact objects, separated
    by commas, without the brackets; `phones` the same recipients in the same order.
    """

    text: str = field(repr=False)
    text_index: int
    bucket: int
    recipients: int
    segments: int
    strata: Mapping[Stratum, int]
    contacts: bytes = field(repr=False)
    phones: pa.StringArray = field(repr=False)
    rows: tuple[pa.RecordBatch, ...] = field(repr=False)
    """The messages themselves, as slices of the input."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Rows `start` to `stop` of an Arrow batch: neighbours with the same text and bucket."""

    text: int
    bucket: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """The part of a batch that lies in one Arrow batch."""

    run: _Run
    strata: Counter[Stratum]
    contacts: bytes
    rows: pa.RecordBatch

    @property
    def recipients(self) -> int:
        return self.run.stop - self.run.start


def bucket_bits(count: int) -> int:
    """
    How many bits of the hash number the buckets of `count` recipients: the fewest that leave about 32,768 in each.

    Computed once from the complete audience of a text and kept for the campaign: another value moves every boundary.
    """
    buckets = -(-count // RECIPIENTS_PER_BUCKET)
    return min(max(0, buckets - 1).bit_length(), BUCKET_BITS_MAX)


def pack_batches(
    messages: Iterable[pa.RecordBatch], *, texts: Sequence[str], bucket_bits: Sequence[int], batch_size: int
) -> Iterator[PackedBatch]:
    """
    Split messages into requests, in an order that depends only on the recipients.

    `messages` has the columns of `MESSAGES`, sorted by `text, hash, phone`; `bucket_bits` has one entry a text.
    An empty input gives no batch, not an empty one.
    """
    open_pieces: list[_Piece] = []
    for rows in messages:
        for piece in _cut_pieces(rows, bucket_bits, batch_size, open_pieces):
            if open_pieces and not _fits(piece, open_pieces, batch_size):
                yield _joined(open_pieces, texts)
                open_pieces = []
            open_pieces.append(piece)
    if open_pieces:
        yield _joined(open_pieces, texts)


def _fits(piece: _Piece, open_pieces: Sequence[_Piece], batch_size: int) -> bool:
    run, last = piece.run, open_pieces[-1].run
    recipients = sum(each.recipients for each in open_pieces)
    return (run.text, run.bucket) == (last.text, last.bucket) and recipients < batch_size


def _joined(pieces: Sequence[_Piece], texts: Sequence[str]) -> PackedBatch:
    strata = sum((piece.strata for piece in pieces), Counter[Stratum]())
    run = pieces[0].run
    return PackedBatch(
        text=texts[run.text],
        text_index=run.text,
        bucket=run.bucket,
        recipients=sum(piece.recipients for piece in pieces),
        segments=sum(segments * count for (_, segments), count in strata.items()),
        strata=dict(sorted(strata.items())),
        contacts=b",".join(piece.contacts for piece in pieces),
        phones=pa.concat_arrays([piece.rows.column("phone") for piece in pieces]),
        rows=tuple(piece.rows for piece in pieces),
    )


def _cut_pieces(
    rows: pa.RecordBatch, bits: Sequence[int], batch_size: int, open_pieces: Sequence[_Piece]
) -> list[_Piece]:
    """The pieces of an Arrow batch; the first may be what the open batch still lacks."""
    runs = list(_cut_runs(_runs(rows, bits), batch_size, open_pieces))
    if not runs:
        return []
    offsets = pa.array([0, *(run.stop for run in runs)], pa.int32())
    contacts = pc.binary_join(pa.ListArray.from_arrays(offsets, rows.column("contact")), ",")
    return [
        _Piece(run, strata, joined.as_buffer().to_pybytes(), rows.slice(run.start, run.stop - run.start))
        for run, strata, joined in zip(runs, _strata(rows, runs), contacts, strict=True)
    ]


def _cut_runs(runs: Iterable[_Run], batch_size: int, open_pieces: Sequence[_Piece]) -> Iterator[_Run]:
    last = open_pieces[-1].run if open_pieces else None
    taken = sum(piece.recipients for piece in open_pieces)
    for run in runs:
        continued = last is not None and (run.text, run.bucket) == (last.text, last.bucket)
        first = run.start + (batch_size - taken if continued and taken < batch_size else batch_size)
        cuts = [run.start, *range(first, run.stop, batch_size), run.stop]
        for start, stop in pairwise(cuts):
            yield _Run(run.text, run.bucket, start, stop)
        last = None


def _runs(rows: pa.RecordBatch, bits: Sequence[int]) -> Iterator[_Run]:
    """Neighbouring rows of one text and bucket."""
    if rows.num_rows == 0:
        return
    text = rows.column("text")
    shifts = pa.array([BUCKET_BITS_MAX - each for each in bits], pa.int64()).take(text)
    leading = pc.shift_right(rows.column("hash"), pa.scalar(_HASH_BITS - BUCKET_BITS_MAX, pa.uint64()))
    bucket = pc.shift_right(leading.cast(pa.int64()), shifts)
    key = pc.bit_wise_or(pc.shift_left(pc.cast(text, pa.int64()), BUCKET_BITS_MAX), bucket)
    start = 0
    encoded = pc.run_end_encode(key)
    for value, stop in zip(encoded.values.to_pylist(), encoded.run_ends.to_pylist(), strict=True):
        yield _Run(value >> BUCKET_BITS_MAX, value & ((1 << BUCKET_BITS_MAX) - 1), start, stop)
        start = stop


def _strata(rows: pa.RecordBatch, runs: Sequence[_Run]) -> list[Counter[Stratum]]:
    """Recipients of each run by country and segments."""
    lengths = pa.array([run.stop - run.start for run in runs], pa.int64())
    numbers = pa.RunEndEncodedArray.from_arrays(pc.cumulative_sum(lengths), pa.array(range(len(runs))))
    table = pa.table(
        {
            "run": pc.run_end_decode(numbers),
            "country": rows.column("country"),
            "segments": rows.column("segments"),
        }
    )
    found: list[Counter[Stratum]] = [Counter() for _ in runs]
    grouped = table.group_by(["run", "country", "segments"], use_threads=False).aggregate([([], "count_all")])
    for run, country, segments, count in zip(*(column.to_pylist() for column in grouped.columns), strict=True):
        found[run][(country, segments)] = count
    return found
