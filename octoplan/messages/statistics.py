"""
What a plan says about the messages of a campaign: counts, never a text or a number.

Every figure depends on the recipients alone, not on how their rows are cut into Arrow batches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.values.sms_size import NOT_GSM7, Encoding

_GSM7_ONLY = NOT_GSM7.replace("[^", "[", 1)


@dataclass(frozen=True, slots=True)
class Extreme:
    """The longest or shortest message: most parts, then most units. `row` is the record of the contacts file."""

    row: int
    units: int
    segments: int
    encoding: Encoding


@dataclass(frozen=True, slots=True)
class MessageStatistics:
    """
    Counts of recipients. `strata` are by (text index, country, segments); `segments` by parts of their message.

    `ucs2_characters` are the characters that force UCS-2, with the recipients in whose message each stands.
    """

    recipients: int
    segments: Mapping[int, int]
    strata: Mapping[tuple[int, str, int], int]
    encodings: Mapping[Encoding, int]
    ucs2_characters: Mapping[str, int]
    longest: Extreme | None
    shortest: Extreme | None


@dataclass(slots=True)
class Tally:
    """Adds up measured rows (columns of `FILLED`)."""

    strata: Counter[tuple[int, str, int]] = field(default_factory=Counter)
    encodings: Counter[Encoding] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    longest: Extreme | None = None
    shortest: Extreme | None = None

    def add(self, rows: pa.RecordBatch) -> None:
        """Count one Arrow batch."""
        if rows.num_rows == 0:
            return
        by = ["text", "country", "segments"]
        grouped = pa.Table.from_batches([rows.select(by)]).group_by(by).aggregate([([], "count_all")])
        for text, country, segments, count in zip(*(column.to_pylist() for column in grouped.columns), strict=True):
            self.strata[(text, country, segments)] += count
        ucs2 = pc.sum(rows.column("ucs2")).as_py()
        self.encodings.update({"UCS-2": ucs2, "GSM-7": rows.num_rows - ucs2})
        self._add_characters(rows.filter(rows.column("ucs2")).column("filled"))
        self._add_extremes(rows)

    def _add_characters(self, texts: pa.StringArray) -> None:
        """Many texts share their few guilty characters, so those are what is counted."""
        guilty = pc.replace_substring_regex(texts, f"{_GSM7_ONLY}+", "")
        for counted in pc.value_counts(guilty).to_pylist():
            for character in set(counted["values"]):
                self.characters[character] += counted["counts"]

    def _add_extremes(self, rows: pa.RecordBatch) -> None:
        size = pc.add(pc.shift_left(rows.column("segments").cast(pa.int64()), 32), rows.column("units"))
        bounds = pc.min_max(size)
        shortest, longest = (_first(rows.filter(pc.equal(size, bounds[end]))) for end in ("min", "max"))
        self.shortest = min(filter(None, (self.shortest, shortest)), key=lambda it: (it.segments, it.units, it.row))
        self.longest = min(filter(None, (self.longest, longest)), key=lambda it: (-it.segments, -it.units, it.row))

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
        )


def _first(rows: pa.RecordBatch) -> Extreme:
    """Of equally long messages, the one that stands first in the file."""
    row = pc.min(rows.column("row"))
    found = rows.filter(pc.equal(rows.column("row"), row)).slice(0, 1).to_pylist()[0]
    return Extreme(row.as_py(), found["units"], found["segments"], "UCS-2" if found["ucs2"] else "GSM-7")
