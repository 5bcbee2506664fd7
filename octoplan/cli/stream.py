"""
`--json`: a line of JSON on standard output for each thing that happens, as it happens.

Invariants:
- The first line says the version, the last one the exit code, and every line between them is whole.
- Nobody who reads, or does not, stops a run: what cannot be written is dropped, and the run goes on. What was sent is
  in the state home before its line is written.
- Nothing else of the command writes to standard output.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from typing import Final

import click

from octoplan.apply.execute import Event
from octoplan.cli.ending import tell_at_end
from octoplan.clock import SystemClock, to_text
from octoplan.diagnostics import InvalidInput
from octoplan.plan.model import Plan
from octoplan.state.store import Holder
from octoplan.views.apply_stream import (
    BatchLine,
    EndLine,
    Line,
    VersionLine,
    WaitLine,
    error_line,
    event_line,
    plan_line,
    render_line,
)

_LAST_WORD_S: Final = 1.0


class EventStream:
    """Writes to the file descriptor `output`, or nowhere if it was not asked for; thread-safe."""

    def __init__(self, output: int | None) -> None:
        self._output = output
        self._clock = SystemClock()
        self._pending = b""
        self._mutex = threading.Lock()
        self._done = 0
        self._total = 0
        self.failure: str | None = None
        """Why lines were dropped; `None` while all could be written."""

    @property
    def is_asked_for(self) -> bool:
        """Whether standard output is taken by it."""
        return self._output is not None

    def begin(self) -> None:
        """Say the version."""
        self._write(VersionLine(at=self._now()))

    def wait_for_lease(self, holder: Holder, timeout_s: float) -> None:
        """Another run is applying."""
        reason = f"run {holder.run} holds the lease"
        self._write(WaitLine(at=self._now(), on="lease", seconds=timeout_s, reason=reason))

    def show_plan(self, plan: Plan, run: str) -> None:
        """What the run is about to do."""
        self._total = plan.requests
        self._write(plan_line(self._now(), plan, run))

    def tell(self, event: Event) -> None:
        """Something happened."""
        line = event_line(self._now(), event, self._done + 1, self._total)
        # Only the main thread tells of outcomes.
        self._done += isinstance(line, BatchLine)
        self._write(line)

    def end(self, code: int, error: BaseException | None) -> None:
        """Say why, if there was an error, and the exit code."""
        if error is not None:
            self._write(error_line(self._now(), error))
        self._write(EndLine(at=self._now(), exit_code=code))

    def end_now(self, code: int) -> None:
        """
        The last line without waiting for anything, right before the process is ended; nothing is written after it.

        Called by another thread, while the main thread may hang in the middle of a line.
        """
        if self._output is None or not self._mutex.acquire(timeout=_LAST_WORD_S):
            return
        if self._pending or self.failure is not None:
            return
        _, writable, _ = select.select([], [self._output], [], 0)
        if writable:
            os.write(self._output, render_line(EndLine(at=self._now(), exit_code=code)))

    def _write(self, line: Line) -> None:
        with self._mutex:
            if self._output is None or self.failure is not None:
                return
            # What a signal has cut short is finished first.
            self._pending += render_line(line)
            try:
                while self._pending:
                    self._pending = self._pending[os.write(self._output, self._pending) :]
            except OSError as error:
                self.failure = f"standard output: {error.strerror}"

    def _now(self) -> str:
        return to_text(self._clock.now())


def _begin(context: click.Context, _parameter: click.Parameter, is_asked: bool) -> EventStream:
    """As early as the command line is understood, so that also what is wrong with it is told."""
    if not is_asked or context.resilient_parsing:
        return EventStream(None)
    if sys.stdout is None:
        raise InvalidInput("--json writes to standard output, which is closed")
    stream = EventStream(sys.stdout.fileno())
    stream.begin()
    tell_at_end(stream.end)
    return stream


stream_option = click.option(
    "--json",
    "stream",
    is_flag=True,
    is_eager=True,
    callback=_begin,
    help="A line of JSON on standard output for each thing that happens (docs/formats/apply-stream.md).",
)
