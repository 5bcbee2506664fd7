"""What needs somebody: the rules of `status --check` that a running command cannot show."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from octoplan import limits
from octoplan.diagnostics import ExitCode
from octoplan.plan.needs import find_needs
from octoplan.state.journal import Entry, Kind, replay
from octoplan.state.store import StopNotice
from tests.clocks import EPOCH, HOLDER

STALE = timedelta(seconds=limits.LEASE_STALE_S)
INTENDED = {"request_id": "r", "attempt": 1, "recipients": 2, "segments": 2, "cost": "0.12"}


@pytest.mark.parametrize(
    ("age", "codes"),
    [(None, []), (STALE - timedelta(seconds=1), []), (STALE, ["stale-lease"])],
)
def test_a_lease_is_stale_an_hour_after_its_last_sign_of_life(age: timedelta | None, codes: list[str]) -> None:
    """A local lease shows none, and needs none: it goes with its process."""
    holder = replace(HOLDER, heartbeat=None if age is None else EPOCH - age)
    needs = find_needs([], {}, notice=None, holder=holder, now=EPOCH)
    assert [need.code for need in needs] == codes
    assert all("octoplan state unlock r_1" in need.hint and need.exit_code is ExitCode.STATE for need in needs)


def test_the_most_serious_comes_first() -> None:
    """An unknown outcome of a campaign whose file is gone counts like any other."""
    entries = [
        Entry(Kind.OPENED, "sale", None, EPOCH, "r_1", {"content": {}}),
        Entry(Kind.INTENDED, "sale", "b1_x", EPOCH, "r_1", INTENDED),
    ]
    needs = find_needs(
        [],
        replay(entries),
        notice=StopNotice("wrong price", "dana", EPOCH),
        holder=replace(HOLDER, heartbeat=EPOCH - STALE),
        now=EPOCH,
    )
    assert [need.exit_code for need in needs] == [ExitCode.UNKNOWN, ExitCode.STATE, ExitCode.BLOCKED]
