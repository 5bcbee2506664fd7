"""
Choose how a template becomes texts of the API and merge fields, by what the fewest requests are needed for.

Invariants:
- For every recipient, the text with its merge fields filled in is what the template itself renders: only the way in
  which the parts of the template are divided up is chosen here, never what they are.
- The choice depends on the template, the campaign's `vars` and the set of recipients; not on their order.

First every choice is one merge field with the text of the branch. Where that does not fit, recipients are split by
branch, each branch with a text of its own; or a fragment with few values becomes part of the text; or, if nothing
helps, recipients are grouped by identical text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from math import ceil, prod
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.limits import (
    BRANCH_PATTERNS_MAX,
    LAYOUT_WORK_MAX,
    MESSAGE_VARIANTS_MAX,
    RECIPIENTS_PER_BATCH_MAX,
    VALUES_COUNTED_MAX,
)
from octoplan.messages.batches import bucket_bits
from octoplan.messages.layout import NOTHING, Facts, FactsOf, Field, Fixed, Piece, Run, Unfit, facts_of_all, lay_out
from octoplan.messages.reading import Reading
from octoplan.messages.unfold import Check, Choice, Fragment, Part, Path, merged

Mode = Literal["merge", "variants", "grouped"]
_SPREAD_WORTH: Final = 0.05
_SPREAD_WORTH_REQUESTS: Final = 10
"""A branch is cut over several merge fields, which nobody can read, only where it saves more than 5%, and so many."""


_FIXED_MAX: Final = 6
"""Fragments of one text that may become part of it."""


@dataclass(frozen=True, slots=True)
class Variant:
    """
    One text of the API for those who take `branches`; several, if a piece of it is `Fixed`.

    `conditions` say for a person who that is.
    """

    branches: Path
    conditions: tuple[str, ...]
    pieces: tuple[Piece, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """Each value that the API fills in, once, in the order of the text."""
        return tuple(dict.fromkeys(piece for piece in self.pieces if isinstance(piece, Field)))

    @property
    def is_fixed(self) -> bool:
        """Whether its recipients get different texts."""
        return any(isinstance(piece, Fixed) for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Form:
    """How a template becomes texts. `reason` says why it is not one text with merge fields, `None` if it is."""

    variants: tuple[Variant, ...]
    reason: str | None = None

    @property
    def mode(self) -> Mode:
        """In a word."""
        if self.reason is None:
            return "merge"
        is_whole = len(self.variants) == 1 and all(isinstance(piece, Fixed) for piece in self.variants[0].pieces)
        return "grouped" if is_whole and not self.variants[0].branches else "variants"


def requests_for(recipients: int, batch_size: int = RECIPIENTS_PER_BATCH_MAX) -> int:
    """How many requests a text needs for so many recipients, in buckets of equal size."""
    buckets = 1 << bucket_bits(recipients)
    return buckets * ceil(recipients / buckets / batch_size)


def grouped_form(parts: Sequence[Part], reason: str) -> Form:
    """A text of its own for each different rendering."""
    whole = Run(tuple(part for part in parts if not isinstance(part, Check)))
    return Form((Variant((), (), (Fixed(whole),)),), reason)


def flat_form(parts: Sequence[Part]) -> Form | None:
    """The form of a template without logic, if its values turn out to fit; `None` where they must be seen first."""
    if any(isinstance(part, Choice) or (isinstance(part, Fragment) and not part.is_checked) for part in parts):
        return None
    pieces = lay_out(
        parts, lambda part: Facts.of(part) if isinstance(part, str) else Facts(), frozenset(), spread=False
    )
    return None if isinstance(pieces, Unfit) else Form((Variant((), (), pieces),))


# --- what the recipients bring ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pattern:
    """Recipients who take the same branches: `taken` by choice, and the facts of each fragment's text by number."""

    taken: Mapping[int, int]
    recipients: int
    facts: Mapping[int, Facts]


@dataclass(slots=True)
class Study:
    """What is known of the texts of all fragments. Holds texts, a bounded number of them; nothing of it is shown."""

    parts: Sequence[Part]
    patterns: dict[tuple[int | None, ...], Pattern] = field(default_factory=dict)
    values: dict[int, set[str] | None] = field(default_factory=dict, repr=False)
    looked_at: int = 0
    """Parts laid out so far, to bound the search."""

    @property
    def is_over(self) -> bool:
        """Whether there are too many combinations of branches to choose between texts."""
        return len(self.patterns) > BRANCH_PATTERNS_MAX

    def different(self, number: int) -> int | None:
        """How many values a fragment has; `None` for too many to count."""
        seen = self.values.get(number, set())
        return None if seen is None else len(seen)

    def add(self, reading: Reading) -> None:
        """Look at one Arrow batch."""
        choices = list(dict.fromkeys(reading.taken))
        fragments = list(dict.fromkeys(each.number for each in _texts(self.parts)))
        checked = {each.number for each in _texts(self.parts) if each.is_checked}
        columns = {f"c{number}": reading.taken[number] for number in choices}
        columns |= {"all": pa.repeat(pa.scalar(0, pa.int8()), reading.count)}
        sums: list[tuple[str | list[str], str]] = [([], "count_all")]
        for number in fragments:
            self._count_values(number, reading)
            for name, column in _measures(reading, number, plain=number in checked):
                columns[name] = column
                sums += [(name, "min"), (name, "max")]
        keys = ["all", *(f"c{number}" for number in choices)]
        grouped = pa.table(columns).group_by(keys, use_threads=False).aggregate(sums)
        for row in grouped.to_pylist():
            self._add(tuple(row[f"c{number}"] for number in choices), _pattern(row, choices, fragments, checked))

    def _add(self, key: tuple[int | None, ...], found: Pattern) -> None:
        known = self.patterns.get(key)
        if known is not None:
            facts = {number: each.either(found.facts.get(number, each)) for number, each in known.facts.items()}
            found = Pattern(known.taken, known.recipients + found.recipients, {**found.facts, **facts})
        self.patterns[key] = found

    def _count_values(self, number: int, reading: Reading) -> None:
        seen = self.values.setdefault(number, set())
        if seen is None:
            return
        values = reading.values[number]
        seen.update(text for text in values.texts.take(pc.unique(values.codes)).to_pylist() if text is not None)
        if len(seen) > VALUES_COUNTED_MAX:
            self.values[number] = None


_FLAGS: Final = ("is_unfit", "has_braces", "opens", "closes")


def _measures(reading: Reading, number: int, *, plain: bool) -> Iterator[tuple[str, pa.Array]]:
    """Columns to be summed up: a fragment's lengths, and what no guard has looked at."""
    values = reading.values[number]
    yield f"length{number}", pc.utf8_length(values.texts).take(values.codes)
    if not plain:
        facts = [None if text is None else Facts.of(text) for text in values.texts.to_pylist()]
        for flag in _FLAGS:
            flags = pa.array([None if each is None else int(getattr(each, flag)) for each in facts], pa.int8())
            yield f"{flag}{number}", flags.take(values.codes)


def _pattern(
    row: Mapping[str, int | None], choices: Sequence[int], fragments: Sequence[int], checked: set[int]
) -> Pattern:
    taken = {number: arm for number in choices if (arm := row[f"c{number}"]) is not None}
    facts = {}
    for number in fragments:
        shortest, longest = row[f"length{number}_min"], row[f"length{number}_max"]
        if shortest is None or longest is None:
            continue
        flags = {} if number in checked else {flag: bool(row[f"{flag}{number}_max"]) for flag in _FLAGS}
        facts[number] = Facts(shortest, longest, **flags)
    return Pattern(taken, row["count_all"] or 0, facts)


def _texts(parts: Sequence[Part]) -> Iterator[Fragment]:
    """The fragments that give text."""
    for part in parts:
        if isinstance(part, Fragment):
            yield part
        elif isinstance(part, Choice):
            for branch in part.branches:
                yield from _texts(branch)


# --- choosing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Option:
    """A form and about how many requests it costs; `why` is what stood in the way of one text."""

    variants: tuple[Variant, ...]
    requests: int
    why: str | None

    @property
    def is_one_text_a_variant(self) -> bool:
        return not any(variant.is_fixed for variant in self.variants)


def choose_form(parts: Sequence[Part], study: Study) -> Form:
    """The form that needs the fewest requests for the recipients that were studied."""
    if study.is_over:
        reason = f"its `{{% if %}}`s are taken in more than {BRANCH_PATTERNS_MAX} combinations"
        return grouped_form(parts, reason)
    if not study.patterns:
        return Form((Variant((), (), ("".join(part for part in parts if isinstance(part, str)),)),))
    option = _best(parts, study, spread=False)
    if len(option.variants) > 1 or not option.is_one_text_a_variant:
        wider = _best(parts, study, spread=True)
        is_worth = option.requests - wider.requests > max(_SPREAD_WORTH_REQUESTS, option.requests * _SPREAD_WORTH)
        option = wider if is_worth else option
    is_one = len(option.variants) == 1 and option.is_one_text_a_variant
    whole = grouped_form(parts, option.why or "")
    if not is_one and _whole_requests(parts, list(study.patterns.values()), study) <= option.requests:
        return whole
    return Form(option.variants, None if is_one else option.why)


def _best(parts: Sequence[Part], study: Study, *, spread: bool) -> _Option:
    """Split recipients by one choice after the other while something does not fit, and keep the best of the way."""
    split: frozenset[int] = frozenset()
    best = option = _option(parts, study, split, spread=spread)
    why = option.why
    while option.why is not None and study.looked_at < LAYOUT_WORK_MAX:
        tried: list[tuple[int, _Option]] = []
        for number in sorted({choice.number for choice in _choices(parts, split)} - split):
            if not tried or study.looked_at < LAYOUT_WORK_MAX:
                tried.append((number, _option(parts, study, split | {number}, spread=spread)))
        usable = [each for each in tried if len(each[1].variants) <= MESSAGE_VARIANTS_MAX]
        if not usable:
            break
        number, option = min(usable, key=lambda each: (each[1].requests, each[0]))
        split |= {number}
        best = option if option.requests < best.requests else best
    return replace(best, why=why)


def _choices(parts: Sequence[Part], split: frozenset[int]) -> Iterator[Choice]:
    """The choices that are reached without going into one that is not split."""
    for part in parts:
        if isinstance(part, Choice):
            yield part
            if part.number in split:
                for branch in part.branches:
                    yield from _choices(branch, split)


def _option(parts: Sequence[Part], study: Study, split: frozenset[int], *, spread: bool) -> _Option:
    shapes: dict[Path, list[Pattern]] = {}
    for pattern in study.patterns.values():
        shapes.setdefault(tuple(_branches(parts, split, pattern.taken)), []).append(pattern)
    variants, requests, why = [], 0, None
    for path in sorted(shapes):
        flat = merged(tuple(_flattened(parts, dict(path))))
        pieces, needed, reason = _lay_out(flat, shapes[path], study, spread=spread)
        variants.append(Variant(path, tuple(dict.fromkeys(_conditions(parts, dict(path)))), pieces))
        requests, why = requests + needed, why or reason
    return _Option(tuple(variants), requests, why)


def _branches(parts: Sequence[Part], split: frozenset[int], taken: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """The branches of the choices in `split` that are reached, each once."""
    found: dict[int, int] = {}
    for part in parts:
        if isinstance(part, Choice) and part.number in split and part.number in taken:
            branch = taken[part.number]
            found[part.number] = branch
            found |= dict(_branches(part.branches[branch], split, taken))
    yield from sorted(found.items())


def _flattened(parts: Sequence[Part], taken: Mapping[int, int]) -> Iterator[Part]:
    """The parts with the branches that are `taken` in place of their choices."""
    for part in parts:
        if isinstance(part, Choice) and part.number in taken:
            yield from _flattened(part.branches[taken[part.number]], taken)
        else:
            yield part


def _conditions(parts: Sequence[Part], taken: Mapping[int, int]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Choice) and part.number in taken:
            branch = taken[part.number]
            is_else = branch == len(part.conditions)
            yield f"not ({' or '.join(part.conditions)})" if is_else else part.conditions[branch]
            yield from _conditions(part.branches[branch], taken)


def _lay_out(
    parts: tuple[Part, ...], patterns: Sequence[Pattern], study: Study, *, spread: bool
) -> tuple[tuple[Piece, ...], int, str | None]:
    """Pieces for recipients of these patterns, about how many requests they need, and what did not fit."""
    known: dict[int, Facts] = {}

    def facts_of(part: Part) -> Facts:
        if isinstance(part, str):
            return Facts.of(part)
        if id(part) not in known:
            known[id(part)] = reduce(Facts.either, (_facts(part, pattern) for pattern in patterns))
        return known[id(part)]

    study.looked_at += len(parts)
    recipients = sum(pattern.recipients for pattern in patterns)
    pieces = lay_out(parts, facts_of, frozenset(), spread=spread)
    if not isinstance(pieces, Unfit):
        return pieces, requests_for(recipients), None
    reason, fixed = pieces.reason, list[int]()
    for number in _few_valued(parts, study):
        fixed.append(number)
        study.looked_at += len(parts)
        if not isinstance(lay_out(parts, facts_of, frozenset(fixed), spread=spread), Unfit):
            needed = _needed(parts, facts_of, fixed, spread=spread)
            found = lay_out(parts, facts_of, needed, spread=spread)
            assert not isinstance(found, Unfit)
            texts = prod(study.different(each) or 1 for each in needed)
            return found, _shared(recipients, texts), reason
    whole = Fixed(Run(tuple(part for part in parts if not isinstance(part, Check))))
    return (whole,), _whole_requests(parts, patterns, study), reason


def _few_valued(parts: Sequence[Part], study: Study) -> list[int]:
    """The fragments whose values can be counted, those with the fewest first."""
    counts = {part.number: study.different(part.number) for part in parts if isinstance(part, Fragment)}
    ordered = sorted((count, number) for number, count in counts.items() if count)
    return [number for _, number in ordered[:_FIXED_MAX]]


def _needed(parts: Sequence[Part], facts_of: FactsOf, fixed: Iterable[int], *, spread: bool) -> frozenset[int]:
    """Of the fragments that make a layout possible, those without which there is none."""
    needed = frozenset(fixed)
    for number in fixed:
        if not isinstance(lay_out(parts, facts_of, needed - {number}, spread=spread), Unfit):
            needed -= {number}
    return needed


def _facts(part: Part, pattern: Pattern) -> Facts:
    match part:
        case str():
            return Facts.of(part)
        case Fragment():
            return pattern.facts.get(part.number, NOTHING)
        case Choice() if part.number in pattern.taken:
            branch = part.branches[pattern.taken[part.number]]
            return facts_of_all(branch, lambda each: _facts(each, pattern))
        case _:
            return NOTHING


def _whole_requests(parts: Sequence[Part], patterns: Sequence[Pattern], study: Study) -> int:
    """About how many requests there are with a text for each different rendering."""
    recipients = sum(pattern.recipients for pattern in patterns)
    counts = [study.different(each.number) for each in set(_texts(parts))]
    texts = len(patterns) * prod(each or 1 for each in counts) if None not in counts else recipients
    return _shared(recipients, texts)


def _shared(recipients: int, texts: int) -> int:
    texts = max(1, min(recipients, texts))
    return texts * requests_for(-(-recipients // texts))
