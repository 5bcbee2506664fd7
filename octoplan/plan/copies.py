"""
The same text to the same people under two ids: almost always a copied or renamed file, and never what they want to get.

`follow_up_of` says that it is meant. It does not matter whether the other campaign was sent before or is in this plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.diagnostics import ExitCode
from octoplan.plan.model import Action, ActionKind, Reason
from octoplan.plan.outgoing import Dispatch
from octoplan.state.home import StateReader

if TYPE_CHECKING:
    from octoplan.plan.build import Prepared


def check_sent_copies(prepared: Prepared, reader: StateReader) -> Iterator[Reason]:
    """Campaigns begun under another id with the same text, to people of this one."""
    dispatch = prepared.dispatch
    for other in sorted(reader.campaigns().values(), key=lambda each: each.campaign):
        is_same_text = other.content is not None and other.content.get("message") == prepared.content["message"]
        if other.campaign == dispatch.campaign or not is_same_text or not other.is_begun:
            continue
        number = _count_written(dispatch, other.campaign, reader)
        if number and prepared.campaign.model.follow_up_of != other.campaign:
            detail = f"{number:,} of these recipients have this very text already, as `{other.campaign}`"
            yield _copy(other.campaign, detail)


def check_planned_copies(actions: Sequence[Action], prepared: Sequence[Prepared]) -> tuple[Action, ...]:
    """
    Block campaigns of one plan that repeat another of it: of two, the one whose id comes later.

    Campaigns of which nothing is left to send are the business of `check_sent_copies`.
    """
    found: dict[str, list[Reason]] = {}
    unsent = {action.campaign for action in actions if action.batches}
    ordered = sorted((each for each in prepared if each.campaign.id in unsent), key=lambda each: each.campaign.id)
    for first, second in combinations(ordered, 2):
        if first.content["message"] != second.content["message"] or _is_meant(first, second):
            continue
        number = count_common(first.audience.batches(), second.audience.batches())
        if number:
            detail = f"{number:,} of these recipients get this very text in this plan already, as `{first.campaign.id}`"
            found.setdefault(second.campaign.id, []).append(_copy(first.campaign.id, detail))
    return tuple(_blocked(action, found[action.campaign]) if action.campaign in found else action for action in actions)


def _is_meant(first: Prepared, second: Prepared) -> bool:
    return (
        first.campaign.model.follow_up_of == second.campaign.identity
        or second.campaign.model.follow_up_of == first.campaign.identity
    )


def _copy(other: str, detail: str) -> Reason:
    hint = (
        f"was the file renamed? `moved: {{from: {other}}}`; is it meant to be sent again? `follow_up_of: {other}`; "
        "else take one of them away"
    )
    return Reason("copy", detail, hint, ExitCode.BLOCKED)


def _blocked(action: Action, reasons: list[Reason]) -> Action:
    if any(reason.code == "copy" for reason in action.reasons):
        return action
    kind = ActionKind.BLOCKED if action.kind.sends or action.kind is ActionKind.SCHEDULED else action.kind
    return replace(action, kind=kind, reasons=(*action.reasons, *reasons))


def _count_written(dispatch: Dispatch, other: str, reader: StateReader) -> int:
    counts = (len(rows) - reader.written(other, rows.column("phone")).null_count for rows in dispatch.message.batches())
    return sum(counts)


def count_common(first: Iterator[pa.RecordBatch], second: Iterator[pa.RecordBatch]) -> int:
    """
    How many people are in both audiences, in the memory of two chunks.

    Both come in the order of their hashes, so chunks that overlap pass side by side.
    """
    number = 0
    left, right = _filled(first), _filled(second)
    here, there = next(left, None), next(right, None)
    while here is not None and there is not None:
        number += pc.sum(pc.is_in(here.column("phone"), value_set=there.column("phone"))).as_py() or 0
        ends = _last_hash(here), _last_hash(there)
        if ends[0] <= ends[1]:
            here = next(left, None)
        if ends[1] <= ends[0]:
            there = next(right, None)
    return number


def _filled(chunks: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return (rows for rows in chunks if rows.num_rows)


def _last_hash(rows: pa.RecordBatch) -> int:
    return int(rows.column("hash")[rows.num_rows - 1].as_py())
