"""
Which messages a preview shows, and why each of them: found in one reading of all texts, in bounded memory.

Every choice is the longest of a group (but for the shortest): most parts, then most units, then first in the order of
recipients. So one message often stands for several groups, and neither the order of the file nor how rows are cut into
Arrow batches changes the choice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.limits import PREVIEW_GROUPS_MAX
from octoplan.messages.batches import Stratum
from octoplan.messages.compose import ComposedMessage

Key = TypeVar("Key", int, str)


class SampleKind(StrEnum):
    """What a message can be shown for."""

    LONGEST = "longest"
    SHORTEST = "shortest"
    BRANCH = "branch"
    COUNTRY = "country"
    EXPENSIVE = "expensive"


@dataclass(frozen=True, slots=True)
class Sample:
    """
    One recipient's message, and `why` it is shown. `phone` is E.164; number and text are personal data.

    `line` is what people call the record. `price` is `None` where none is known.
    """

    why: tuple[str, ...]
    line: int | str
    country: str
    segments: int
    phone: str = field(repr=False)
    text: str = field(repr=False)
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The samples in the order in which they are shown, and what was left out, in words."""

    samples: tuple[Sample, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What to choose: `kinds`, the rows of `lines`, and `examples`: so many others, the first of the audience's order.

    At most `groups_max` countries and as many branches, those with the most recipients.
    """

    kinds: Collection[SampleKind] = ()
    lines: Collection[int] = ()
    examples: int = 0
    groups_max: int = PREVIEW_GROUPS_MAX


PriceOf = Callable[[Stratum], Decimal | None]
"""The price of one message of a country and number of parts; `None` where nobody has named one."""
LineOf = Callable[[int], int | str]
"""What people call a record, by its number."""

_GROUPS_IN_MIX_MAX: Final = 3
_COLUMNS: Final = ("row", "country", "segments", "phone", "filled")
_Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Group:
    """Messages of which one is shown: those where `column` is `value`, all for `None`."""

    why: str
    column: str | None = None
    value: object = None
    is_shortest: bool = False

    def best(self, batch: pa.RecordBatch, weight: pa.Int64Array) -> tuple[tuple[int, int], int] | None:
        """The rank of the best message of a batch, lower is better, and its index; `None` without a message."""
        if self.column is not None:
            weight = pc.if_else(pc.equal(batch.column(self.column), self.value), weight, None)
        bounds = pc.min_max(weight)
        wanted = bounds["min" if self.is_shortest else "max"].as_py()
        if wanted is None:
            return None
        hashes = pc.if_else(pc.fill_null(pc.equal(weight, wanted), fill_value=False), batch.column("hash"), None)
        first = pc.min(hashes)
        return (wanted if self.is_shortest else -wanted, first.as_py()), pc.index(hashes, first).as_py()


def choose_samples(message: ComposedMessage, wanted: Wanted, price_of: PriceOf, line_of: LineOf = int) -> Choice:
    """Choose from all messages; a message that answers several wishes is one sample with several reasons."""
    groups, left_out = _groups(message, wanted, price_of)
    best: dict[_Group, tuple[tuple[int, int], _Row]] = {}
    chosen: dict[int, _Row] = {}
    examples: list[_Row] = []
    for batch in message.filled_texts():
        _keep_best(batch, groups, best)
        chosen |= {row["row"]: row for row in _rows(batch, _positions(batch, wanted.lines))}
        # One more for each that may turn out to be shown for another reason.
        missing = wanted.examples + len(groups) + len(wanted.lines) - len(examples) if wanted.examples else 0
        examples += _rows(batch, range(min(missing, batch.num_rows)))
    named = [(group.why, best[group][1]) for group in groups if group in best]
    named = [("chosen", chosen[line]) for line in sorted(chosen)] + named
    shown = {row["row"] for _, row in named}
    others = [row for row in examples if row["row"] not in shown][: wanted.examples]
    return Choice(_samples([*named, *(("example", row) for row in others)], price_of, line_of), left_out)


def sensible_mix(message: ComposedMessage, examples: int) -> Wanted:
    """What to show where nobody asked for anything: a few of every kind that there is more than one of."""
    strata = message.statistics.strata
    kinds = [SampleKind.LONGEST, SampleKind.SHORTEST, SampleKind.EXPENSIVE]
    kinds += [SampleKind.BRANCH] if len(message.texts) > 1 else []
    kinds += [SampleKind.COUNTRY] if len({country for _, country, _ in strata}) > 1 else []
    return Wanted(kinds, examples=examples, groups_max=_GROUPS_IN_MIX_MAX)


def strata_of(message: ComposedMessage) -> set[Stratum]:
    """The countries and numbers of parts that occur."""
    return {(country, segments) for _, country, segments in message.statistics.strata}


def dearest(strata: Collection[Stratum], price_of: PriceOf) -> Stratum | None:
    """The country and number of parts whose message costs most; `None` while the price of one of them is unknown."""
    prices = {stratum: price_of(stratum) for stratum in strata}
    known = {stratum: price for stratum, price in prices.items() if price is not None}
    return max(sorted(known), key=lambda stratum: known[stratum]) if known and len(known) == len(prices) else None


def _groups(message: ComposedMessage, wanted: Wanted, price_of: PriceOf) -> tuple[list[_Group], tuple[str, ...]]:
    found: list[_Group] = []
    left_out: list[str] = []
    strata = message.statistics.strata
    if SampleKind.LONGEST in wanted.kinds:
        found.append(_Group("longest"))
    if SampleKind.SHORTEST in wanted.kinds:
        found.append(_Group("shortest", is_shortest=True))
    if SampleKind.EXPENSIVE in wanted.kinds:
        top = dearest(strata_of(message), price_of)
        found += [] if top is None else [_Group("most expensive", "stratum", f"{top[0]} {top[1]}")]
    by_text, by_country = _takers(strata)
    if SampleKind.BRANCH in wanted.kinds:
        names = _branch_names(message)
        kept = _most(by_text, wanted.groups_max)
        found += [_Group(names[text], "text", text) for text in kept]
        left_out += _more(len(by_text) - len(kept), "text", "branch")
    if SampleKind.COUNTRY in wanted.kinds:
        kept_countries = _most(by_country, wanted.groups_max)
        found += [_Group(f"to {country}", "country", country) for country in kept_countries]
        left_out += _more(len(by_country) - len(kept_countries), "country", "country")
    return found, tuple(left_out)


def _takers(strata: Mapping[tuple[int, str, int], int]) -> tuple[Counter[int], Counter[str]]:
    """Recipients by text, and by country."""
    by_text: Counter[int] = Counter()
    by_country: Counter[str] = Counter()
    for (text, country, _), recipients in strata.items():
        by_text[text] += recipients
        by_country[country] += recipients
    return by_text, by_country


def _most(counts: Counter[Key], most: int) -> list[Key]:
    """The keys with the highest counts, in order of these, then of themselves."""
    return sorted(counts, key=lambda key: (-counts[key], key))[:most]


def _more(number: int, noun: str, kind: str) -> list[str]:
    if number <= 0:
        return []
    nouns = noun if number == 1 else f"{noun.removesuffix('y')}ies" if noun.endswith("y") else f"{noun}s"
    return [f"{number:,} more {nouns}: `--kind {kind}` shows up to {PREVIEW_GROUPS_MAX}"]


def _branch_names(message: ComposedMessage) -> list[str]:
    """What to call each text: the template's condition, where one makes it."""
    conditions = {use.text: " and ".join(use.conditions) for use in message.uses if use.texts == 1 and use.conditions}
    total = len(message.texts)
    unnamed = [f"text {number} of {total}" if total > 1 else "the only text" for number in range(1, total + 1)]
    return [
        f"where {conditions[text]}" if text in conditions else name
        for text, name in zip(message.texts, unnamed, strict=True)
    ]


def _keep_best(
    batch: pa.RecordBatch, groups: Sequence[_Group], best: dict[_Group, tuple[tuple[int, int], _Row]]
) -> None:
    weight = pc.add(pc.shift_left(batch.column("segments").cast(pa.int64()), 32), batch.column("units"))
    segments = batch.column("segments").cast(pa.string())
    stratum = pc.binary_join_element_wise(batch.column("country"), segments, " ")
    batch = batch.append_column("stratum", stratum)
    for group in groups:
        found = group.best(batch, weight)
        if found is not None and (group not in best or found[0] < best[group][0]):
            best[group] = found[0], _rows(batch, [found[1]])[0]


def _positions(batch: pa.RecordBatch, lines: Collection[int]) -> Sequence[int]:
    if not lines:
        return ()
    where = pc.is_in(batch.column("row"), value_set=pa.array(sorted(lines), pa.int64()))
    found: list[int] = pc.indices_nonzero(where).to_pylist()
    return found


def _rows(batch: pa.RecordBatch, positions: Sequence[int]) -> list[_Row]:
    found: list[_Row] = batch.select(_COLUMNS).take(pa.array(positions, pa.int64())).to_pylist()
    return found


def _samples(named: Iterable[tuple[str, _Row]], price_of: PriceOf, line_of: LineOf) -> tuple[Sample, ...]:
    """One sample a row, with all reasons, in the order of their first."""
    found: dict[int, Sample] = {}
    for why, row in named:
        known = found.get(row["row"])
        if known is not None:
            found[row["row"]] = replace(known, why=(*known.why, why))
            continue
        country, segments = row["country"], row["segments"]
        line, price = line_of(row["row"]), price_of((country, segments))
        found[row["row"]] = Sample((why,), line, country, segments, row["phone"], row["filled"], price)
    return tuple(found.values())
