"""
The parts of a template for a column of recipients: which branches each takes, and what each fragment gives.

Invariants:
- A fragment is rendered only for recipients who reach it: what is missing in another branch is no fault.
- Each fragment is rendered once for each distinct combination of the columns it reads, however often it stands there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.messages.evaluate import Evaluator, Values, choose_values, join_values
from octoplan.messages.handling import AS_WRITTEN, Handling, pattern_of
from octoplan.messages.measure import Piece
from octoplan.messages.template import Fault
from octoplan.messages.unfold import Check, Choice, Fragment, Part


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What the parts are for `count` recipients.

    `values` has for each fragment, by number, its texts: null for those who do not reach it, or where it fails; `taken`
    for each choice the number of the branch (int32), null likewise. `rendered` are the texts with their characters not
    replaced.
    """

    count: int
    values: Mapping[int, Values]
    taken: Mapping[int, pa.Int32Array]
    rendered: Mapping[int, Values]

    def as_rendered(self) -> Reading:
        """The same with no character replaced."""
        return replace(self, values=self.rendered)

    def filter(self, kept: pa.BooleanArray) -> Reading:
        """The recipients where `kept` is true."""
        values = {number: each.filter(kept) for number, each in self.values.items()}
        taken = {number: each.filter(kept) for number, each in self.taken.items()}
        rendered = {
            number: values[number] if each is self.values[number] else each.filter(kept)
            for number, each in self.rendered.items()
        }
        return Reading(pc.sum(kept).as_py() or 0, values, taken, rendered)

    def text_of(self, parts: Sequence[Part]) -> Values:
        """What some parts give together."""
        return join_values([self._value(part) for part in parts if not isinstance(part, Check)], self.count)

    def _value(self, part: Part) -> str | Values:
        if isinstance(part, str):
            return part
        if isinstance(part, Choice):
            return choose_values(self.taken[part.number], [self.text_of(branch) for branch in part.branches])
        assert isinstance(part, Fragment)
        return self.values[part.number]

    def pieces(self, parts: Sequence[Part]) -> list[tuple[frozenset[str], Piece]]:
        """
        What some parts give together, piece by piece, each with the columns that it comes from (none for the template).

        A piece of a branch is empty for those who do not take it.
        """
        found: list[tuple[frozenset[str], Piece]] = []
        for part in parts:
            if isinstance(part, str):
                found.append((frozenset(), part))
            elif isinstance(part, Fragment):
                found.append((part.names, self.values[part.number]))
            elif isinstance(part, Choice):
                for number, branch in enumerate(part.branches):
                    mine = pc.equal(self.taken[part.number], number)
                    for names, piece in self.pieces(branch):
                        value = Values.same(piece, self.count) if isinstance(piece, str) else piece
                        found.append((names, value.where(mine)))
        return found

    def lengths(self, parts: Sequence[Part]) -> pa.Int64Array:
        """How many characters some parts give together; null where one of them fails."""
        total = pa.repeat(pa.scalar(0, pa.int64()), self.count)
        for part in parts:
            if isinstance(part, str):
                total = pc.add(total, len(part))
            elif isinstance(part, Choice):
                branches = [pc.fill_null(self.lengths(branch), 0) for branch in part.branches]
                total = pc.add(total, pc.choose(self.taken[part.number], *branches))
            elif isinstance(part, Fragment):
                values = self.values[part.number]
                total = pc.add(total, pc.utf8_length(values.texts).cast(pa.int64()).take(values.codes))
        return total


class Reader:
    """Reads the parts of one template, Arrow batch after Arrow batch; renderings are remembered, and faults counted."""

    def __init__(self, parts: Sequence[Part], variables: Mapping[str, str], handling: Handling = AS_WRITTEN) -> None:
        self.parts = parts
        self.handling = handling
        self.evaluators = {each.number: _evaluator(each, variables) for each in fragments_of(parts)}

    def again(self) -> Reader:
        """A reader for another pass over the recipients: it remembers what was rendered, and has counted nothing."""
        fresh = copy(self)
        fresh.evaluators = {number: each.again() for number, each in self.evaluators.items()}
        return fresh

    def read(self, rows: pa.RecordBatch) -> Reading:
        """The parts for each of `rows` (columns of `RECIPIENTS`, then `v_<variable>`)."""
        rendered: dict[int, Values] = {}
        taken: dict[int, pa.Int32Array] = {}
        self._read(self.parts, rows, None, rendered, taken)
        values = rendered
        if level := self.handling.replacement:
            change, pattern = self.handling.replaced, pattern_of(level)
            values = {number: each.mapped(change, pattern) for number, each in rendered.items()}
        return Reading(rows.num_rows, values, taken, rendered)

    @property
    def faults(self) -> Counter[Fault]:
        """Recipients for whom a fragment fails, by reason."""
        return sum((evaluator.faults for evaluator in self.evaluators.values()), Counter[Fault]())

    @property
    def escaped(self) -> Counter[Fault]:
        """Recipients for whom a value was escaped, by what was wrong with it."""
        return sum((evaluator.escaped for evaluator in self.evaluators.values()), Counter[Fault]())

    def _read(
        self,
        parts: Sequence[Part],
        rows: pa.RecordBatch,
        where: pa.BooleanArray | None,
        values: dict[int, Values],
        taken: dict[int, pa.Int32Array],
    ) -> None:
        for part in parts:
            if isinstance(part, str):
                continue
            fragment = (
                part if isinstance(part, Fragment) else part.fragment if isinstance(part, Check) else part.selector
            )
            if fragment.number not in values:
                values[fragment.number] = self._evaluate(fragment, rows, where)
            if isinstance(part, Choice):
                selected = values[part.number]
                taken[part.number] = pc.cast(selected.texts, pa.int32()).take(selected.codes)
                for number, branch in enumerate(part.branches):
                    reached = pc.fill_null(pc.equal(taken[part.number], number), fill_value=False)
                    self._read(branch, rows, reached, values, taken)

    def _evaluate(self, fragment: Fragment, rows: pa.RecordBatch, where: pa.BooleanArray | None) -> Values:
        evaluator = self.evaluators[fragment.number]
        if where is None or pc.all(where).as_py():
            return evaluator.evaluate(rows)
        return evaluator.evaluate(rows.filter(where)).spread(where)


def fragments_of(parts: Sequence[Part]) -> Iterator[Fragment]:
    """Every fragment, also those in branches, in the order of the template."""
    for part in parts:
        if isinstance(part, Fragment):
            yield part
        elif isinstance(part, Check):
            yield part.fragment
        elif isinstance(part, Choice):
            yield part.selector
            for branch in part.branches:
                yield from fragments_of(branch)


def _evaluator(fragment: Fragment, variables: Mapping[str, str]) -> Evaluator:
    columns = tuple(sorted(fragment.names))
    return Evaluator(fragment.renderer(), columns, variables, fragment.plain is not None, fragment.expression)
