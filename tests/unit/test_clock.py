"""How long ago something was, whatever anybody does to the wall clock."""

from __future__ import annotations

from datetime import timedelta

from octoplan import limits
from octoplan.clock import SystemClock, elapsed_s
from octoplan.plan.window import in_window
from tests.clocks import ManualClock


def test_a_wall_clock_that_is_set_back_makes_nothing_young_again() -> None:
    """On one machine its own count decides: a day has passed, even if the wall clock says an hour."""
    clock = ManualClock()
    clock.boot = "boot-1"
    opened, mark = clock.now(), clock.mark()
    clock.advance(limits.REPEAT_WINDOW_S + 3600)
    clock.at -= timedelta(hours=20)
    clock.drift += 20 * 3600
    assert clock.now() - opened < timedelta(hours=2)
    assert not in_window(opened, mark, clock)


def test_a_wall_clock_that_jumps_ahead_closes_the_window() -> None:
    """The longer of the two counts."""
    clock = ManualClock()
    clock.boot = "boot-1"
    opened, mark = clock.now(), clock.mark()
    clock.at += timedelta(days=2)
    clock.drift -= 2 * 86_400
    assert not in_window(opened, mark, clock)


def test_after_a_restart_only_the_wall_clock_is_left_and_going_backwards_is_no_answer() -> None:
    """Another start of the machine, or another machine: its count says nothing."""
    clock = ManualClock()
    clock.boot = "boot-1"
    opened, mark = clock.now(), clock.mark()
    clock.boot = "boot-2"
    clock.at += timedelta(hours=1)
    assert elapsed_s(opened, mark, clock) == 3600
    clock.at -= timedelta(hours=2)
    assert elapsed_s(opened, mark, clock) is None
    assert not in_window(opened, mark, clock)


def test_the_machine_counts() -> None:
    """The real mark only ever rises."""
    clock = SystemClock()
    first, second = clock.mark(), clock.mark()
    if first is not None and second is not None:
        assert (first.boot, first.up_s <= second.up_s) == (second.boot, True)
    assert clock.monotonic() <= clock.monotonic()
