"""
How far a plan is, on stderr: one line that is rewritten at a terminal, a line now and then elsewhere, nothing at all
where the plan is quick.

Invariants:
- Nothing is drawn once the context has ended, and a terminal's line is empty again then.
- No colour, no text of a campaign, no value: stages, counts and times.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, TextIO

FIRST_AFTER_S: Final = 1.0
"""At a terminal; what is over by then needs no progress."""
REDRAWN_EVERY_S: Final = 0.2
LINE_EVERY_S: Final = 10.0
"""Where lines stay, as in the log of a CI job."""
_CLEAR: Final = "\r\x1b[K"


@dataclass(frozen=True, slots=True)
class Position:
    """What is under way: `rows` of a stage that began at `since` (of the same clock as `now`), of `total` if known."""

    stage: str
    rows: int
    total: int | None
    since: float

    def line(self, now: float) -> str:
        """`contacts  3,200,000 of 10,000,000 rows  512,000/s  13 s left`."""
        seconds = now - self.since
        if not self.rows:
            return f"{self.stage}  {_duration(seconds)}"
        total = self.total if self.total is not None and self.rows <= self.total else None
        unit = "prices" if self.stage == "prices" else "rows"
        words = [self.stage, f"{self.rows:,}{'' if total is None else f' of {total:,}'} {unit}"]
        if seconds > 0:
            rate = self.rows / seconds
            words += [f"{rate:,.0f}/s", *([] if total is None else [f"{_duration((total - self.rows) / rate)} left"])]
        return "  ".join(words)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


class Progress:
    """
    A context in which a thread draws what `tell` was told last.

    A thread, since a stage can be busy for long without a row to tell of.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._rewrites = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._position: Position | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="octoplan-progress", daemon=True)

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def tell(self, stage: str, rows: int, total: int | None) -> None:
        """What is under way now; 0 rows begin a stage."""
        before = self._position
        since = self._clock() if before is None or not rows else before.since
        self._position = Position(stage, rows, total, since)

    def draw(self) -> None:
        """Show it once."""
        if self._position is None:
            return
        line = self._position.line(self._clock())
        if self._rewrites:
            columns = shutil.get_terminal_size().columns
            self._write(f"{_CLEAR}{line[: columns - 1]}")
        else:
            self._write(f"{line}\n")

    def pauses(self) -> Iterator[float]:
        """How long to wait before each drawing, in seconds."""
        if self._rewrites:
            yield FIRST_AFTER_S
        while True:
            yield REDRAWN_EVERY_S if self._rewrites else LINE_EVERY_S

    def _work(self) -> None:
        drawn = False
        for pause in self.pauses():
            if self._is_over.wait(pause):
                break
            self.draw()
            drawn = True
        if drawn and self._rewrites:
            self._write(_CLEAR)

    def _write(self, text: str) -> None:
        # Whoever does not want to see it does not stop a plan.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
