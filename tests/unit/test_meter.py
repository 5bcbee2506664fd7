from __future__ import annotations

import time

import pytest

from octoplan.meter import QUIET, Meter

Told = list[tuple[str, int, int | None]]


def meter() -> tuple[Meter, Told]:
    told: Told = []
    return Meter(lambda stage, rows, total: told.append((stage, rows, total))), told


def work(seconds: float) -> None:
    """Keep a processor busy for so long."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_stage_tells_how_far_it_is() -> None:
    """When it begins, and with each report the rows so far; with the total where that is known."""
    watched, told = meter()
    with watched.stage("contacts", 10) as add:
        add(3)
        add(4)
    assert told == [("contacts", 0, 10), ("contacts", 3, 10), ("contacts", 7, 10)]
    assert watched.stages["contacts"].rows == 7


def test_stages_of_several_campaigns_add_up() -> None:
    """Time and rows of a stage are summed, while progress counts each run anew."""
    watched, told = meter()
    for _ in range(2):
        with watched.stage("settle") as add:
            add(5)
    assert [rows for _, rows, _ in told] == [0, 5, 0, 5]
    assert watched.stages["settle"].rows == 10


def test_time_is_that_of_what_happens_inside() -> None:
    """Seconds of the processor are at least those that were worked, and on the clock none are missing."""
    watched, _ = meter()
    with watched.stage("message"):
        work(0.02)
    took = watched.stages["message"]
    assert took.cpu_seconds >= 0.02
    assert took.seconds > 0


def test_every_moment_is_booked_once() -> None:
    """A part inside a stage takes its time away from the stage around it, so that stages add up to the whole."""
    watched, told = meter()
    before = time.process_time()
    with watched.stage("outer") as add:
        with watched.part("inner") as book:
            work(0.02)
            book(2)
        add(1)
    whole = time.process_time() - before
    outer, inner = watched.stages["outer"], watched.stages["inner"]
    assert inner.cpu_seconds >= 0.02
    assert outer.cpu_seconds + inner.cpu_seconds <= whole
    assert (outer.rows, inner.rows) == (1, 2)
    assert {stage for stage, _, _ in told} == {"outer"}


def test_a_stage_that_fails_is_timed_too() -> None:
    """And what comes after it is not booked to it."""
    watched, _ = meter()

    def fail() -> None:
        with watched.stage("contacts"):
            work(0.01)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    took = watched.stages["contacts"].cpu_seconds
    assert took >= 0.01
    work(0.01)
    with watched.stage("settle"):
        pass
    assert watched.stages["contacts"].cpu_seconds == took


def test_nobody_need_listen() -> None:
    """Without a listener a meter only counts."""
    with QUIET.stage("contacts") as add:
        add(1)
    assert QUIET.stages["contacts"].rows >= 1
