"""Rows that get no message, as a table for each reason."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from octoplan.audience.excluded import ExcludedRow, ExcludedRows
from octoplan.views.text import count, paint


def render_excluded(
    campaign: str,
    contacts: str,
    column: str,
    total: int,
    listed: Sequence[ExcludedRows],
    *,
    width: int,
    colour: bool,
) -> str:
    """`column` is that of the numbers, `total` all rows; reasons without rows are counted only."""
    left_out = sum(each.count for each in listed)
    lines = [f"{campaign}: {left_out:,} of {count(total, 'row')} of {contacts} get no message."]
    for each in listed:
        if each.rows:
            lines += ["", *_table(each, column, width=width, colour=colour)]
    counted = [f"{each.count:,} {each.reason}" for each in listed if not each.rows]
    if counted:
        example = next(each.reason for each in listed if not each.rows)
        text = f"Not shown: {', '.join(counted)} (see them with `--reason {example}`)."
        lines += ["", *textwrap.wrap(text, width)]
    return "\n".join(lines) + "\n"


def _table(each: ExcludedRows, column: str, *, width: int, colour: bool) -> Iterator[str]:
    head = f"{each.count:,} {each.reason}"
    first, *more = textwrap.wrap(f"{head}: {each.explanation}", width - 2)
    yield paint(head, "strong", colour=colour) + first.removeprefix(head)
    yield from (f"  {line}" for line in more)
    places = max(len(row.place) for row in each.rows)
    shapes = max(len(_quoted(row)) for row in each.rows)
    for row in each.rows:
        where = f"  {row.place:<{places}}  {column}"
        yield f"{where} {_quoted(row):<{shapes}}  {row.note}".rstrip() if shapes else where.rstrip()
    if each.count > len(each.rows):
        yield f"  … and {each.count - len(each.rows):,} more"


def _quoted(row: ExcludedRow) -> str:
    return "" if row.shape is None else f"`{row.shape}`"
