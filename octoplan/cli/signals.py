"""
SIGINT and SIGTERM while apply runs: finish what has begun, begin nothing new, and be gone within a bounded time.

Invariants:
- Before the first message may leave, a signal ends whatever apply waits for, at once, by an exception.
- From then on it lets the requests that are on their way come to an end and be recorded; no other begins.
- A second signal changes nothing.
- `limits.STOP_TIME_MAX_S` after the signal the process ends, whatever still hangs: a dead network, a database, a query
  in C code that hears no signal. The protocol is made for an end at any instruction, so this one is as safe as others.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from types import FrameType, TracebackType
from typing import Final, TypeVar

from octoplan import limits
from octoplan.apply.execute import Halt
from octoplan.clock import Mark, SystemClock
from octoplan.diagnostics import ExitCode, Interrupted

_HINT: Final = "apply again to go on with the rest"
_NUMBERS: Final = (signal.SIGINT, signal.SIGTERM)
_STDERR: Final = 2
T = TypeVar("T")


class _Asked(BaseException):
    """Raised where a wait is to end; no library knows it, so none takes it for something to handle."""


class StopSignals:
    """
    A context in which signals ask the run to stop; also a clock whose waits they end, for other threads than the main.

    `is_unknown` tells at the very end whether a request was sent whose outcome is not recorded; `tell_end` is told the
    exit code where the process ends without waiting for anything.
    """

    def __init__(self) -> None:
        self.is_unknown: Callable[[], bool] = lambda: False
        self.tell_end: Callable[[int], None] = lambda _: None
        self._asked = threading.Event()
        self._number: signal.Signals | None = None
        self._raises = True
        self._has_raised = False
        self._clock = SystemClock()
        self._before: dict[signal.Signals, signal._HANDLER] = {}
        self._read_end, self._write_end = os.pipe()
        self._watch = threading.Thread(target=self._watch_for_signals, name="signals", daemon=True)

    def __enter__(self) -> StopSignals:
        os.set_blocking(self._write_end, False)
        self._wakeup_before = signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        self._watch.start()
        for number in _NUMBERS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._write_end)
        self._watch.join()
        os.close(self._read_end)
        # Some libraries turn what was raised inside of them into an error of their own.
        if error is not None and self._has_raised and self._raises:
            raise Interrupted(
                f"stopped by {self._name} before anything was sent", terminated=self._number == signal.SIGTERM
            ) from None

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        """In the main thread, between two of its instructions; takes no lock, as a signal may come inside of this."""
        self._number = self._number or signal.Signals(number)
        if self._raises and not self._has_raised:
            self._has_raised = True
            raise _Asked

    def _watch_for_signals(self) -> None:
        """In a thread: the system writes each signal into the pipe, also while the main thread hears nothing."""
        while (heard := os.read(self._read_end, 1)) and heard[0] not in _NUMBERS:
            pass
        if not heard:
            return
        self._number = self._number or signal.Signals(heard[0])
        self._asked.set()
        self._end_by(time.monotonic() + limits.STOP_TIME_MAX_S)

    def _end_by(self, deadline: float) -> None:
        while (left := deadline - time.monotonic()) > 0:
            readable, _, _ = select.select([self._read_end], [], [], left)
            if readable and not os.read(self._read_end, 64):
                return
        code = ExitCode.UNKNOWN if self.is_unknown() else self._code
        said = (
            f"Stopped by {self._name} without waiting for what still hangs; the state home has all that was recorded. "
            "The lease may still be held: `octoplan status` says so. Apply again to go on.\n"
        )
        with contextlib.suppress(OSError):
            os.write(_STDERR, said.encode())
        try:
            self.tell_end(code)
        finally:
            os._exit(code)

    def hold(self) -> None:
        """From now on messages may leave, so a signal is only noted. :raises _Asked: if one has come already."""
        if self._number is not None:
            self._has_raised = True
            raise _Asked
        self._raises = False

    def ask(self, question: Callable[[], T]) -> T | None:
        """
        The answer to a question that writes nothing, asked in the main thread; `None` as soon as a signal has come.
        """
        try:
            # In this order: a signal after the first line raises, one before it is seen by the second.
            self._raises = True
            return question() if self._number is None else None
        except _Asked:
            return None
        finally:
            self._raises = False

    def is_asked(self) -> bool:
        """Whether a signal has come."""
        return self._number is not None

    def halt(self) -> Halt | None:
        """Why to stop, if a signal has come."""
        if self._number is None:
            return None
        return Halt(self._code, f"stopped by {self._name}; everything that was begun is recorded", _HINT)

    @property
    def _name(self) -> str:
        return self._number.name if self._number else "nothing"

    @property
    def _code(self) -> ExitCode:
        return ExitCode.TERMINATED if self._number == signal.SIGTERM else ExitCode.INTERRUPTED

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
