from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest

from octoplan.audience.policy import INVALID, InvalidPolicy, check_invalid
from octoplan.audience.rules import DUPLICATE, EXPLANATIONS, FAULTY_ROW, INVALID_NUMBER, NOT_SELECTED
from octoplan.diagnostics import Place


@dataclass(frozen=True)
class Counted:
    reason: str
    count: int
    examples: tuple[int | str, ...] = (3, "b.csv:7")


@pytest.mark.parametrize(
    ("share", "count", "refused"),
    [(None, 100, False), ("0.05", 5, False), ("0.05", 6, True), ("0", 0, False), ("0", 1, True), ("1", 100, False)],
)
def test_share_is_exact(share: str | None, count: int, refused: bool) -> None:
    """A share is met by exactly that many rows, and by none more."""
    policy = InvalidPolicy(None if share is None else Decimal(share))
    assert bool(check_invalid(policy, 100, [Counted(INVALID_NUMBER, count)])) is refused


def test_only_what_is_wrong_with_the_row_counts() -> None:
    """Rows that were left out on purpose are not the list's fault."""
    assert check_invalid(InvalidPolicy(Decimal(0)), 10, [Counted(NOT_SELECTED, 5), Counted(DUPLICATE, 5)]) == ()
    assert set(EXPLANATIONS) > INVALID


def test_finding_names_reasons_and_rows() -> None:
    """Who has to mend the list is told how many rows, why, and where the first ones are."""
    place = Place("campaigns/a.yaml", 3)
    (finding,) = check_invalid(
        InvalidPolicy(Decimal("0.005"), place), 300, [Counted(FAULTY_ROW, 1, (9,)), Counted(INVALID_NUMBER, 2)]
    )
    assert (finding.code, finding.place) == ("audience/too-many-invalid", place)
    assert finding.detail == (
        "3 of 300 rows (1.00%) cannot be used, 0.5% are accepted: "
        "1 faulty-row (such as 9); 2 invalid-number (such as 3, b.csv:7)"
    )
