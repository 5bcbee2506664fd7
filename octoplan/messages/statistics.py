"""
What a plan says about the messages of a campaign: counts, never a text or a number.

Every figure depends on the recipients alone, not on how their rows are cut into Arrow batches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.limits import MESSAGE_TEXTS_MAX
from octoplan.messages.characters import Cause, CharacterTally, Culprit, Shift, Sourced
from octoplan.messages.evaluate import join_values
from octoplan.messages.measure import Piece, guilty_characters
from octoplan.values.sms_size import Encoding, SizeColumns, split_parts


@dataclass(frozen=True, slots=True)
class Extreme:
    """
    The longest or shortest message: most parts, then most units, then first in the order of recipients, by `hash`.

    `row` is the record of the contacts file, `cuts` are the characters after which the next part begins.
    """

    row: int
    units: int
    segments: int
    encoding: Encoding
    cuts: tuple[int, ...] = ()
    hash: int = field(default=0, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class MessageStatistics:
    """
    Counts of recipients. `strata` are by (text index, country, segments); `segments` by parts of their message.

    `ucs2_characters` are the characters that force UCS-2, with the recipients in whose message each stands. `causes`
    say what makes messages longer; `replaced` counts recipients by character and columns, and `saved` those with fewer
    parts for it (parts as they were not replaced, then as they are). `pessimistic` are the messages that have other
    parts as Octopush's page on special characters counts.
    """

    recipients: int
    segments: Mapping[int, int]
    strata: Mapping[tuple[int, str, int], int]
    encodings: Mapping[Encoding, int]
    ucs2_characters: Mapping[str, int]
    longest: Extreme | None
    shortest: Extreme | None
    causes: tuple[Cause, ...] = ()
    replaced: Mapping[Culprit, int] = field(default_factory=dict)
    saved: Mapping[Shift, int] = field(default_factory=dict)
    pessimistic: Mapping[Shift, int] = field(default_factory=dict)


@dataclass(slots=True)
class Tally:
    """Adds up measured rows."""

    costs: CharacterTally
    strata: Counter[tuple[int, str, int]] = field(default_factory=Counter)
    encodings: Counter[Encoding] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    longest: Extreme | None = None
    shortest: Extreme | None = None
    _rendered: Counter[str] | None = field(default_factory=Counter, repr=False)

    def add(
        self,
        rows: pa.RecordBatch,
        text: pa.Int32Array,
        size: SizeColumns,
        pieces: Sequence[Piece],
        sent: Sourced,
        rendered: Sourced,
    ) -> None:
        """
        Count one Arrow batch: recipients, the numbers of their texts, the sizes, and what makes the texts.

        `sent` are the same texts by where they come from, `rendered` those with no character replaced.
        """
        if rows.num_rows == 0:
            return
        by = ["text", "country", "segments"]
        table = pa.table([text, rows.column("country"), size.segments], names=by)
        grouped = table.group_by(by, use_threads=False).aggregate([([], "count_all")])
        for number, country, segments, count in zip(*(column.to_pylist() for column in grouped.columns), strict=True):
            self.strata[(number, country, segments)] += count
        ucs2 = pc.sum(size.ucs2).as_py()
        self.encodings.update({"UCS-2": ucs2, "GSM-7": rows.num_rows - ucs2})
        if ucs2:
            self.characters += guilty_characters(pieces, size.ucs2)
        self.costs.add(rows.column("country"), size, sent, rendered)
        self._add_extremes(rows, size, pieces)
        self._add_renderings(pieces, rows.num_rows)

    def _add_renderings(self, pieces: Sequence[Piece], count: int) -> None:
        """Count each different rendering, until there are too many."""
        if self._rendered is None:
            return
        joined = join_values(pieces, count)
        counts = pc.value_counts(joined.codes)
        texts = joined.texts.take(counts.field("values")).to_pylist()
        for text, number in zip(texts, counts.field("counts").to_pylist(), strict=True):
            self._rendered[text] += number
        if len(self._rendered) > MESSAGE_TEXTS_MAX:
            self._rendered = None

    def renderings(self) -> Mapping[int, int] | None:
        """How many different renderings there are, by the number of their recipients; `None` for too many to count."""
        return None if self._rendered is None else dict(sorted(Counter(self._rendered.values()).items()))

    def _add_extremes(self, rows: pa.RecordBatch, size: SizeColumns, pieces: Sequence[Piece]) -> None:
        weight = pc.add(pc.shift_left(size.segments.cast(pa.int64()), 32), size.units)
        bounds = pc.min_max(weight)
        shortest, longest = (_first(pc.equal(weight, bounds[end]), rows, size, pieces) for end in ("min", "max"))
        self.shortest = min(filter(None, (self.shortest, shortest)), key=lambda it: (it.segments, it.units, it.hash))
        self.longest = min(filter(None, (self.longest, longest)), key=lambda it: (-it.segments, -it.units, it.hash))

    def finish(self, ranks: Mapping[int, int]) -> MessageStatistics:
        """The figures, with text numbers replaced by their final ones."""
        strata = {(ranks[text], country, segments): count for (text, country, segments), count in self.strata.items()}
        histogram: Counter[int] = Counter()
        for (_, _, segments), count in strata.items():
            histogram[segments] += count
        return MessageStatistics(
            recipients=histogram.total(),
            segments=dict(sorted(histogram.items())),
            strata=dict(sorted(strata.items())),
            encodings={encoding: count for encoding, count in sorted(self.encodings.items()) if count},
            ucs2_characters=dict(sorted(self.characters.items())),
            longest=self.longest,
            shortest=self.shortest,
            causes=self.costs.causes(),
            replaced=dict(self.costs.replaced),
            saved=dict(sorted(self.costs.saved.items())),
            pessimistic=dict(sorted(self.costs.pessimistic.items())),
        )


def _first(where: pa.BooleanArray, rows: pa.RecordBatch, size: SizeColumns, pieces: Sequence[Piece]) -> Extreme:
    """Of equally long messages, the first in the order of recipients."""
    hashes = rows.column("hash")
    least = pc.min(hashes.filter(where))
    index = pc.index(hashes, least).as_py()
    encoding: Encoding = "UCS-2" if size.ucs2[index].as_py() else "GSM-7"
    text = "".join(piece if isinstance(piece, str) else piece.text(index) for piece in pieces)
    cuts = tuple(accumulate(len(part) for part in split_parts(text)[:-1]))
    row, units, segments = (each[index].as_py() for each in (rows.column("row"), size.units, size.segments))
    return Extreme(row, units, segments, encoding, cuts, least.as_py())
