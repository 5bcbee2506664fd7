"""Until when requests of a planned campaign may start."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from octoplan.apply.deadlines import deadlines_of
from octoplan.plan.model import Action
from tests.unit.plan.projects import numbers
from tests.unit.plan.test_hours import DAY, SCHEDULED, action_of


def test_marketing_that_leaves_at_once_has_to_leave_before_the_hours_end(tmp_path: Path) -> None:
    """21:30 in Paris, whatever the rules that only warn say."""
    (deadline,) = deadlines_of(action_of(tmp_path, numbers(2), DAY))
    assert deadline.at == datetime(2027, 3, 23, 20, 30, tzinfo=UTC)
    assert "2027-03-23T20:30Z" in deadline.reason


def test_scheduled_messages_are_handed_over_before_their_time(tmp_path: Path) -> None:
    """What is handed over later would leave at once."""
    (deadline,) = deadlines_of(action_of(tmp_path, numbers(2), DAY, extra=SCHEDULED % ("2027-03-24T10:00", "")))
    assert deadline.at == datetime(2027, 3, 24, 9, tzinfo=UTC)


def test_without_hours_nothing_ends(tmp_path: Path) -> None:
    """Transactional messages, and environments that look at no hours."""
    action: Action = replace(action_of(tmp_path, numbers(2), DAY), hours=None)
    assert deadlines_of(action) == ()
