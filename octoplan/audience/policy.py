"""What a campaign accepts of its list: how many rows may be of no use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Protocol

from octoplan.audience import rules
from octoplan.diagnostics import Finding, Place

INVALID: Final = frozenset(
    [
        *(rules.FAULTY_ROW, rules.EMPTY_NUMBER, rules.SPREADSHEET_NUMBER),
        *(rules.OVERSEAS_NUMBER, rules.AMBIGUOUS_NUMBER, rules.INVALID_NUMBER),
    ]
)
"""Reasons that are about the row itself; not for what was chosen, such as a filter or a suppression list."""


class Counted(Protocol):
    """A reason, how many rows have it, and some of them."""

    @property
    def reason(self) -> str:
        """The code."""

    @property
    def count(self) -> int:
        """Rows."""

    @property
    def examples(self) -> tuple[int | str, ...]:
        """Lines."""


@dataclass(frozen=True, slots=True)
class InvalidPolicy:
    """`share_max` is the largest share of invalid rows, from 0 to 1; `None` for any. `place` is where it is written."""

    share_max: Decimal | None = None
    place: Place | None = None


def check_invalid(policy: InvalidPolicy, rows: int, exclusions: Iterable[Counted]) -> tuple[Finding, ...]:
    """An error if more than the accepted share of `rows` is faulty or has no usable number."""
    guilty = [each for each in exclusions if each.reason in INVALID]
    count = sum(each.count for each in guilty)
    if policy.share_max is None or count <= policy.share_max * rows:
        return ()
    shown = "; ".join(f"{each.count} {each.reason} (such as {', '.join(map(str, each.examples))})" for each in guilty)
    share, accepted = Decimal(count) * 100 / rows, (policy.share_max * 100).normalize()
    detail = f"{count} of {rows} rows ({share:.2f}%) cannot be used, {accepted:f}% are accepted: {shown}"
    return (
        rules.TOO_MANY_INVALID.at(
            policy.place, detail, "mend the list (`octoplan excluded` shows the rows), or accept a larger share"
        ),
    )
