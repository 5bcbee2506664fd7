"""
Render expressions for a column of recipients: once for each distinct combination of what they read.

Invariant: a row's result depends on that row alone, and equals what `Renderer.render` gives for it; no filter is
translated into an engine's function, since those differ from Python's (`ß`, `ﬁ`, `İ`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.limits import RENDERED_VALUES_KEPT_MAX
from octoplan.messages.template import Fault, Renderer

_SAFE: Final = r"\A[ -z|~]*[!-z|~][ -z|~]*\z"
"""Printable ASCII without braces, not blank: text that no guard could object to but for XXXXX."""

_Combination = tuple[str | None, ...]


@dataclass(slots=True)
class Evaluator:
    """
    A compiled part of a template and the columns it reads. Counts the rows for which it gives nothing.

    `plain` tells that it is one column as it is; `expression` is the index of its only `{{ … }}`, if it has only one.
    """

    renderer: Renderer
    columns: tuple[str, ...]
    variables: Mapping[str, str]
    plain: bool = False
    expression: int | None = None
    faults: Counter[Fault] = field(default_factory=Counter)
    _rendered: dict[_Combination, str | Fault] = field(default_factory=dict, repr=False)

    def evaluate(self, rows: pa.RecordBatch) -> pa.StringArray:
        """The rendered text for each row; null where there is a fault."""
        columns = [rows.column(f"v_{name}") for name in self.columns]
        if self.plain:
            return self._plain(columns[0])
        return self._each(columns, rows.num_rows)

    def _plain(self, column: pa.StringArray) -> pa.StringArray:
        """A column as it is: only what a guard may object to is rendered."""
        safe = pc.and_not(pc.match_substring_regex(column, _SAFE), pc.match_substring(column, "XXXXX"))
        doubtful = pc.invert(pc.fill_null(safe, False))  # noqa: FBT003 - pyarrow's own signature
        if not pc.any(doubtful).as_py():
            return column
        rest = column.filter(doubtful)
        return pc.replace_with_mask(column, doubtful, self._each([rest], len(rest)))

    def _each(self, columns: Sequence[pa.StringArray], count: int) -> pa.StringArray:
        codes, combinations = distinct_combinations(columns, count)
        results = [self._render(combination) for combination in combinations]
        self._count_faults(codes, results)
        texts = [None if isinstance(result, Fault) else result for result in results]
        return pa.array(texts, pa.string()).take(codes)

    def _render(self, combination: _Combination) -> str | Fault:
        known = self._rendered.get(combination)
        if known is None:
            values = {**self.variables, **dict(zip(self.columns, combination, strict=True))}
            known = self.renderer.render(values)
            if len(self._rendered) >= RENDERED_VALUES_KEPT_MAX:
                self._rendered.clear()
            self._rendered[combination] = known
        return known

    def _count_faults(self, codes: pa.Int32Array, results: Sequence[str | Fault]) -> None:
        if not any(isinstance(result, Fault) for result in results):
            return
        for counted in pc.value_counts(codes).to_pylist():
            fault = results[counted["values"]]
            if isinstance(fault, Fault):
                expression = self.expression if fault.expression is None else fault.expression
                self.faults[replace(fault, expression=expression)] += counted["counts"]


def distinct_combinations(columns: Sequence[pa.StringArray], count: int) -> tuple[pa.Int32Array, list[_Combination]]:
    """
    Number the distinct combinations of the values in `columns` (of `count` rows), in order of first appearance.

    Gives the number of each row's combination, and the combinations. Without columns there is one, the empty one.
    """
    codes = pa.array([0], pa.int32()).take(pa.repeat(pa.scalar(0, pa.int32()), count))
    for column in columns:
        encoded = column.dictionary_encode(null_encoding="encode")
        wide = pc.multiply(codes.cast(pa.int64()), max(len(encoded.dictionary), 1))
        codes = pc.add(wide, encoded.indices).dictionary_encode().indices
    table = pa.table({"code": codes, "row": pa.array(range(count), pa.int64())})
    first = table.group_by("code").aggregate([("row", "min")]).sort_by("code").column("row_min").combine_chunks()
    values = [column.take(first).to_pylist() for column in columns]
    return codes, list(zip(*values, strict=True)) if values else [()] * len(first)
