"""
How long each stage of a plan takes, and how far it is: for `--timings` and for the line of progress on stderr.

Nothing that a plan decides depends on it.
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


@dataclass(slots=True)
class Meter:
    """`tell` is called when a stage begins (with 0 rows) and as its rows go by."""

    tell: Callable[[str, int], None] = lambda _stage, _rows: None
    stages: dict[str, StageTime] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[int], None]]:
        """Time what happens inside; the caller reports rows to the function it gets."""
        took = self.stages.setdefault(name, StageTime())
        rows, wall, cpu = 0, time.perf_counter(), time.process_time()
        self.tell(name, 0)

        def add(count: int) -> None:
            nonlocal rows
            rows += count
            took.rows += count
            self.tell(name, rows)

        try:
            yield add
        finally:
            took.seconds += time.perf_counter() - wall
            took.cpu_seconds += time.process_time() - cpu


QUIET: Final = Meter()
"""For callers that want no figures."""
