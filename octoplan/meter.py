"""
How long each stage of a plan takes, and how far it is: for `--timings` and for the line of progress on stderr.

Nothing that a plan decides depends on it. Every moment is booked to one stage, so that the stages add up to the whole;
a meter belongs to one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final


@dataclass(slots=True)
class StageTime:
    """One stage, summed over campaigns: seconds on the clock, seconds of all processors, rows that went through."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """A reading of both clocks, in seconds."""

    wall: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=time.process_time)


def tell_nobody(_stage: str, _rows: int, _total: int | None) -> None:
    """For meters whose progress nobody follows."""


@dataclass(slots=True, eq=False)
class Meter:
    """
    `tell` is called when a stage begins (with 0 rows) and as its rows go by; with the number of rows that there will
    be, where that is known or can be estimated.
    """

    tell: Callable[[str, int, int | None], None] = tell_nobody
    clock: Callable[[], Moment] = Moment
    stages: dict[str, StageTime] = field(default_factory=dict, init=False)
    began: Moment = field(init=False)
    _booked: Moment = field(init=False, repr=False)
    _running: StageTime | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.began = self._booked = self.clock()

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Time what happens inside; the caller reports rows to the function it gets."""
        rows = 0

        with self.part(name) as book:

            def add(count: int) -> None:
                nonlocal rows
                rows += count
                book(count)
                self.tell(name, rows, total)

            self.tell(name, 0, total)
            yield add

    @contextmanager
    def part(self, name: str) -> Iterator[Callable[[int], None]]:
        """Time what happens inside apart from the stage around it, without a word to `tell`."""
        took = self.stages.setdefault(name, StageTime())

        def add(count: int) -> None:
            took.rows += count

        around = self._book(took)
        try:
            yield add
        finally:
            self._book(around)

    def _book(self, following: StageTime | None) -> StageTime | None:
        """Book the time since the last call to what was running; `following` runs from now on."""
        now, running = self.clock(), self._running
        if running is not None:
            running.seconds += now.wall - self._booked.wall
            running.cpu_seconds += now.cpu - self._booked.cpu
        self._running, self._booked = following, now
        return running


QUIET: Final = Meter()
"""For callers that want no figures."""
