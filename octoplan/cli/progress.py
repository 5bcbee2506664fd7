"""
How far a plan or a run is, on stderr: one line that is rewritten at a terminal, a line now and then elsewhere, nothing
at all where it is quick.

Invariants:
- Nothing is drawn once the context has ended, and a terminal's line is empty again then.
- What is said meanwhile stands on lines of its own.
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
_BAR_COLUMNS_MIN: Final = 10
_BAR_COLUMNS_MAX: Final = 30
SENDING: Final = "sending"
_UNITS: Final = {"prices": "prices", SENDING: "requests"}
"""What a stage counts; rows where nothing is said."""


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
        total = self._known_total
        unit = _UNITS.get(self.stage, "rows")
        words = [self.stage, f"{self.rows:,}{'' if total is None else f' of {total:,}'} {unit}"]
        if seconds > 0:
            rate = self.rows / seconds
            shown = f"{rate:,.0f}/s" if rate >= 1 else f"{rate:.2g}/s"
            words += [shown, *([] if total is None else [f"{_duration((total - self.rows) / rate)} left"])]
        return "  ".join(words)

    def bar(self, columns: int) -> str:
        """`[####....]`, at most that wide; nothing where the total is unknown or there is no room."""
        total = self._known_total
        if not total or columns < _BAR_COLUMNS_MIN:
            return ""
        room = min(columns, _BAR_COLUMNS_MAX) - 2
        filled = room * self.rows // total
        return f"[{'#' * filled}{'.' * (room - filled)}]"

    @property
    def _known_total(self) -> int | None:
        """`None` also where more came than was expected."""
        return self.total if self.total is not None and self.rows <= self.total else None


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
        self._mutex = threading.Lock()
        self._is_drawn = False
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

    def say(self, line: str) -> None:
        """Something to keep, on a line of its own; thread-safe."""
        with self._mutex:
            self._clear()
            self._write(f"{line}\n")

    def draw(self) -> None:
        """Show it once."""
        position = self._position
        if position is None:
            return
        line = position.line(self._clock())
        with self._mutex:
            if not self._rewrites:
                self._write(f"{line}\n")
                return
            # Some terminals begin a new line as soon as the last column is written.
            columns = shutil.get_terminal_size().columns - 1
            self._write(f"{_CLEAR}{f'{line}  {position.bar(columns - len(line) - 2)}'.rstrip()[:columns]}")
            self._is_drawn = True

    def pauses(self) -> Iterator[float]:
        """How long to wait before each drawing, in seconds."""
        if self._rewrites:
            yield FIRST_AFTER_S
        while True:
            yield REDRAWN_EVERY_S if self._rewrites else LINE_EVERY_S

    def _work(self) -> None:
        for pause in self.pauses():
            if self._is_over.wait(pause):
                break
            self.draw()
        with self._mutex:
            self._clear()

    def _clear(self) -> None:
        if self._is_drawn:
            self._write(_CLEAR)
            self._is_drawn = False

    def _write(self, text: str) -> None:
        # Whoever does not want to see it does not stop a plan.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
