"""
Render expressions for a column of recipients: once for each distinct combination of what they read.

Invariant: a row's result depends on that row alone, and equals what `Renderer.render` gives for it; no filter is
translated into an engine's function, since those differ from Python's (`ß`, `ﬁ`, `İ`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.limits import RENDERED_VALUES_KEPT_MAX
from octoplan.messages import rules
from octoplan.messages.template import Fault, Renderer

_SAFE: Final = r"\A[ -z|~]*[!-z|~][ -z|~]*\z"
"""Printable ASCII without braces, not blank: text that no guard could object to but where it is `SUSPICIOUS`."""

_Combination = tuple[str | None, ...]
_Rendered = tuple[str | Fault, tuple[Fault, ...]]
"""What a rendering gives, and which values in it were escaped."""


@dataclass(frozen=True, slots=True)
class Values:
    """
    A column of texts by what is distinct: row `i` has `texts[codes[i]]`, null where there is a fault.

    `codes` (int32) are never null. A text may be in `texts` that no row has.
    """

    codes: pa.Int32Array
    texts: pa.StringArray

    @classmethod
    def of(cls, column: pa.Array) -> Values:
        """Of a column of texts, with or without a dictionary; null is a value like others."""
        if not isinstance(column, pa.DictionaryArray):
            column = column.dictionary_encode()
        codes, texts = column.indices.cast(pa.int32()), column.dictionary
        if codes.null_count:
            codes = pc.fill_null(codes, len(texts))
            texts = pa.concat_arrays([texts, pa.array([None], pa.string())])
        return cls(codes, texts)

    def rows(self) -> pa.StringArray:
        """The text of each row."""
        return self.texts.take(self.codes)

    def text(self, row: int) -> str:
        """The text of one row, empty where there is a fault."""
        return self.texts[self.codes[row].as_py()].as_py() or ""

    @classmethod
    def same(cls, text: str | None, count: int) -> Values:
        """One text for `count` rows; `None` is null."""
        return cls(pa.repeat(pa.scalar(0, pa.int32()), count), pa.array([text], pa.string()))

    def filter(self, kept: pa.BooleanArray) -> Values:
        """The rows where `kept` is true."""
        return Values(self.codes.filter(kept), self.texts)

    def used(self) -> Values:
        """The same without texts that no row has, which saves time where each text is looked at."""
        numbers = self.codes.dictionary_encode()
        return Values(numbers.indices, self.texts.take(numbers.dictionary))

    def spread(self, where: pa.BooleanArray) -> Values:
        """As many rows as `where` has, with these in order where it is true, and null elsewhere."""
        codes = pc.replace_with_mask(pa.repeat(pa.scalar(len(self.texts), pa.int32()), len(where)), where, self.codes)
        return Values(codes, pa.concat_arrays([self.texts, pa.array([None], pa.string())]))

    def mapped(self, change: Callable[[str], str], pattern: str) -> Values:
        """Each text in which `pattern` (for RE2) is found, changed: once each, not once a row. Itself without any."""
        found = pc.fill_null(pc.match_substring_regex(self.texts, pattern), fill_value=False)
        if not pc.any(found).as_py():
            return self
        changed = pa.array(map(change, self.texts.filter(found).to_pylist()), pa.string())
        return Values(self.codes, pc.replace_with_mask(self.texts, found, changed))

    def where(self, kept: pa.BooleanArray) -> Values:
        """All rows, with the empty text where `kept` is not true."""
        codes = pc.if_else(pc.fill_null(kept, fill_value=False), self.codes, pa.scalar(len(self.texts), pa.int32()))
        return Values(codes, pa.concat_arrays([self.texts, pa.array([""], pa.string())]))


@dataclass(slots=True)
class Evaluator:
    """
    A compiled part of a template and the columns it reads. Counts the rows for which it gives nothing, or something
    that was `escaped`.

    `plain` tells that it is one column as it is; `expression` is the index of its only `{{ … }}`, if it has only one.
    """

    renderer: Renderer
    columns: tuple[str, ...]
    variables: Mapping[str, str]
    plain: bool = False
    expression: int | None = None
    faults: Counter[Fault] = field(default_factory=Counter)
    escaped: Counter[Fault] = field(default_factory=Counter)
    _rendered: dict[_Combination, _Rendered] = field(default_factory=dict, repr=False)

    def again(self) -> Evaluator:
        """The same without any fault counted; what was rendered is remembered by both."""
        return replace(self, faults=Counter(), escaped=Counter())

    def evaluate(self, rows: pa.RecordBatch) -> Values:
        """The rendered text for each row; null where there is a fault."""
        columns = [Values.of(rows.column(f"v_{name}")) for name in self.columns]
        codes, combinations = distinct_combinations(columns, rows.num_rows)
        if self.plain:
            return self._plain(codes, combinations[0])
        results = [
            self._render(combination) for combination in zip(*(each.to_pylist() for each in combinations), strict=True)
        ]
        return self._values(codes, results if combinations else [self._render(())])

    def _plain(self, codes: pa.Int32Array, texts: pa.StringArray) -> Values:
        """A column as it is: only what a guard may object to is rendered."""
        safe = pc.and_not(pc.match_substring_regex(texts, _SAFE), pc.match_substring_regex(texts, rules.SUSPICIOUS))
        doubtful = pc.invert(pc.fill_null(safe, False))  # noqa: FBT003 - pyarrow's own signature
        if not pc.any(doubtful).as_py():
            return Values(codes, texts)
        numbers = pc.indices_nonzero(doubtful).to_pylist()
        results = {number: self._render((texts[number].as_py(),)) for number in numbers}
        self._count(codes, results)
        again = [_text(rendered) for rendered in results.values()]
        return Values(codes, pc.replace_with_mask(texts, doubtful, pa.array(again, pa.string())))

    def _values(self, codes: pa.Int32Array, results: Sequence[_Rendered]) -> Values:
        self._count(codes, dict(enumerate(results)))
        return Values(codes, pa.array(map(_text, results), pa.string()))

    def _render(self, combination: _Combination) -> _Rendered:
        known = self._rendered.get(combination)
        if known is None:
            values = {**self.variables, **dict(zip(self.columns, combination, strict=True))}
            escaped: list[Fault] = []
            known = self.renderer.render(values, escaped.append), tuple(escaped)
            if len(self._rendered) >= RENDERED_VALUES_KEPT_MAX:
                self._rendered.clear()
            self._rendered[combination] = known
        return known

    def _count(self, codes: pa.Int32Array, results: Mapping[int, _Rendered]) -> None:
        noted = {code: (fault, escaped) for code, (fault, escaped) in results.items() if _is_noted(fault, escaped)}
        if not noted:
            return
        for counted in pc.value_counts(codes).to_pylist():
            result, escaped = noted.get(counted["values"], ("", ()))
            if isinstance(result, Fault):
                expression = self.expression if result.expression is None else result.expression
                self.faults[replace(result, expression=expression)] += counted["counts"]
            for fault in escaped:
                self.escaped[fault] += counted["counts"]


def _is_noted(result: str | Fault, escaped: tuple[Fault, ...]) -> bool:
    return bool(escaped) or isinstance(result, Fault)


def _text(rendered: _Rendered) -> str | None:
    return None if isinstance(rendered[0], Fault) else rendered[0]


def distinct_combinations(columns: Sequence[Values], count: int) -> tuple[pa.Int32Array, list[pa.StringArray]]:
    """
    Number the distinct combinations of the values in `columns` (of `count` rows).

    Gives the number of each row's combination, and the combinations by column. Without columns there is one, the empty
    one. A single column is its own answer, with every text it holds.
    """
    if not columns:
        return pa.repeat(pa.scalar(0, pa.int32()), count), []
    if len(columns) == 1:
        return columns[0].codes, [columns[0].texts]
    codes, texts = columns[0].codes, [columns[0].texts]
    for column in columns[1:]:
        size = pa.scalar(len(column.texts), pa.int64())
        pairs = pc.add(pc.multiply(codes.cast(pa.int64()), size), column.codes).dictionary_encode()
        codes, before = pairs.indices, pc.divide(pairs.dictionary, size)
        own = pc.subtract(pairs.dictionary, pc.multiply(before, size))
        texts = [*(each.take(before) for each in texts), column.texts.take(own)]
    return codes, texts


def join_values(parts: Sequence[str | Values], count: int) -> Values:
    """The texts that `parts` make when they are joined, for `count` rows; null where one of them is."""
    columns = list({id(part): part for part in parts if isinstance(part, Values)}.values())
    if not columns:
        return Values.same("".join(part for part in parts if isinstance(part, str)), count)
    if len(parts) == 1:
        return columns[0]
    codes, combinations = distinct_combinations(columns, count)
    found = {id(column): texts for column, texts in zip(columns, combinations, strict=True)}
    texts = [part if isinstance(part, str) else found[id(part)] for part in parts]
    return Values(codes, pc.binary_join_element_wise(pa.repeat(pa.scalar(""), len(combinations[0])), *texts, ""))


def choose_values(taken: pa.Int32Array, branches: Sequence[Values]) -> Values:
    """For each row the text of the branch that is `taken`; null where that is null."""
    texts = pa.concat_arrays([*(branch.texts for branch in branches), pa.array([None], pa.string())])
    codes, start = [], 0
    for branch in branches:
        codes.append(pc.add(branch.codes, pa.scalar(start, pa.int32())))
        start += len(branch.texts)
    return Values(pc.fill_null(pc.choose(taken, *codes), pa.scalar(start, pa.int32())), texts)
