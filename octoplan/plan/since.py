"""What happened to a campaign after some entry of its journal, by whom and when, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from octoplan.state.journal import FREEING, Entry, Kind

_RUNS_TOLD_MAX: Final = 3
_COMMANDS: Final = (
    (frozenset({Kind.FORGOTTEN}), "state forget"),
    (frozenset({Kind.CANCELLED}), "cancel"),
    (frozenset({Kind.INTENDED, Kind.SETTLED_SENT}), "adopt"),
    (frozenset({Kind.INTENDED}), "apply"),
    (frozenset({Kind.SETTLED_SENT}), "recover"),
    (frozenset({Kind.SETTLED_NOT_SENT}), "recover"),
)
"""Which command leaves entries of these kinds; the first that fits."""


def tell_since(entries: Iterable[Entry], known: int) -> str | None:
    """
    What a campaign's journal gained after its first `known` entries, run by run; `None` if nothing.

    `since then 500 recipients were written to by run r_7f… of ci on runner-1, 2027-03-20 10:12 UTC (apply)`.
    """
    added = list(entries)[known:]
    runs = [list(run) for _, run in groupby(added, key=lambda entry: entry.run)]
    told = [words for run in runs if (words := _tell(run)) is not None]
    if not told:
        return None
    more = len(told) - _RUNS_TOLD_MAX
    shown = told[-_RUNS_TOLD_MAX:]
    return "since then " + ", and ".join([*([f"{more} earlier run(s)"] if more > 0 else []), *shown])


def _tell(run: Sequence[Entry]) -> str | None:
    kinds = {entry.kind for entry in run}
    command = next((command for asked, command in _COMMANDS if asked <= kinds), None)
    if command is None:  # it was opened or completed: nobody got anything by that
        return None
    by = next((f" of {entry.data['by']}" for entry in run if "by" in entry.data), "")
    what = "; ".join(_outcomes(run)) or "nothing was sent"
    return f"{what} by run {run[0].run}{by}, {run[-1].at:%Y-%m-%d %H:%M} UTC ({command})"


def _outcomes(run: Sequence[Entry]) -> Iterator[str]:
    last = {entry.batch: entry.kind for entry in run if entry.batch is not None}
    people = {
        entry.batch: entry.data["recipients"]
        for entry in run
        if entry.kind is Kind.INTENDED and entry.batch is not None
    }
    written = sum(number for batch, number in people.items() if last[batch] not in FREEING)
    if written:
        yield f"{written:,} recipient{'s were' if written > 1 else ' was'} written to"
    doubtful = sum(kind in (Kind.INTENDED, Kind.UNKNOWN) for kind in last.values())
    if doubtful:
        yield f"{doubtful} request(s) have no known outcome"
    settled = sum(1 for batch in last.keys() - people.keys() if last[batch] not in (Kind.UNKNOWN, Kind.CANCELLED))
    if settled:
        yield f"{settled} request(s) were settled"
    if Kind.CANCELLED in last.values():
        yield "requests were cancelled"
    if any(entry.kind is Kind.FORGOTTEN for entry in run):
        yield "its recipients were forgotten"
