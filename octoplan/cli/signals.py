"""SIGINT and SIGTERM while messages are being sent: finish what has begun, begin nothing new."""

from __future__ import annotations

import signal
import threading
from datetime import datetime
from types import FrameType, TracebackType

from octoplan.apply.execute import Halt
from octoplan.clock import Mark, SystemClock
from octoplan.diagnostics import ExitCode

_HINT = "apply again to go on with the rest"


class StopSignals:
    """
    A context in which signals ask the run to stop instead of ending the process; also a clock whose waits they end.

    A second signal changes nothing: what is under way has a bounded time anyway.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._number = signal.SIGINT
        self._clock = SystemClock()
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> StopSignals:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if not self._asked.is_set():
            self._number = signal.Signals(number)
        self._asked.set()

    def is_asked(self) -> bool:
        """Whether a signal has come."""
        return self._asked.is_set()

    def halt(self) -> Halt | None:
        """Why to stop, if a signal has come."""
        if not self._asked.is_set():
            return None
        code = ExitCode.TERMINATED if self._number == signal.SIGTERM else ExitCode.INTERRUPTED
        return Halt(code, f"stopped by {self._number.name}; what was begun is recorded, nothing is unknown", _HINT)

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        return self._clock.now()

    def mark(self) -> Mark | None:
        """The machine's own count."""
        return self._clock.mark()

    def monotonic(self) -> float:
        """Seconds that only ever rise."""
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, at most until a signal comes."""
        self._asked.wait(seconds)
