"""A plan holds for a day, or until what ends first for one of the campaigns that it sends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from octoplan.plan.expiry import find_expiry
from octoplan.plan.model import ActionKind, Hours
from tests.unit.plan.actions import action_of

NOW = datetime(2027, 3, 20, 18, tzinfo=UTC)
DAY = timedelta(days=1)


def hour(number: int) -> datetime:
    return NOW.replace(hour=number)


def hours_until(closes_at: datetime) -> Hours:
    return Hours(NOW, NOW, (), NOW, None, next_warns=False, closes_at=closes_at)


@pytest.mark.parametrize(
    ("changes", "ends", "because"),
    [
        ({}, NOW + DAY, "24 hours after it was made"),
        ({"hours": hours_until(hour(20))}, hour(20), "when the sending hours of `spring` end"),
        ({"not_after": hour(19), "hours": hours_until(hour(20))}, hour(19), "when `not_after` of `spring` is reached"),
        ({"send_at": hour(21)}, hour(21), "when `spring` is to be sent (`schedule.at`)"),
        (
            {"send_at": hour(21), "hours": hours_until(hour(20))},
            hour(21),
            "when `spring` is to be sent (`schedule.at`)",
        ),
        ({"not_after": NOW + 2 * DAY}, NOW + DAY, "24 hours after it was made"),
        ({"not_after": hour(17)}, NOW + DAY, "24 hours after it was made"),
        ({"not_after": hour(19), "kind": ActionKind.SENT}, NOW + DAY, "24 hours after it was made"),
    ],
    ids=["a day", "hours", "not after", "at", "at, whatever the hours now", "later", "past", "nothing to send"],
)
def test_what_ends_first_counts(changes: dict[str, Any], ends: datetime, because: str) -> None:
    """Whichever is first, of what lies ahead, of campaigns that send; and it is named."""
    assert find_expiry([action_of("autumn"), replace(action_of("spring"), **changes)], NOW) == (ends, because)
