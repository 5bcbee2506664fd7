"""A clock that runs like the machine's but can be set, so that 24 hours or a month pass in a test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from octoplan.sandbox.store import Store


def machine_now() -> datetime:
    """The machine's time, aware, in UTC."""
    return datetime.now(UTC)


class MovableClock:
    """The machine's time plus an offset that the store keeps, so that a restart does not move it."""

    def __init__(self, store: Store, machine: Callable[[], datetime] = machine_now) -> None:
        self._store = store
        self._machine = machine

    def now(self) -> datetime:
        """The sandbox's time, aware, in UTC."""
        return self._machine() + timedelta(microseconds=self._store.clock_offset_us())

    def advance(self, step: timedelta) -> None:
        """
        Move on, or back with a negative step.

        :raises OverflowError: beyond the calendar.
        """
        self.set(self.now() + step)

    def set(self, now: datetime) -> None:
        """Make it `now`; the clock runs on from there."""
        self._store.set_clock_offset_us((now - self._machine()) // timedelta(microseconds=1))

    def reset(self) -> None:
        """Back to the machine's time."""
        self._store.set_clock_offset_us(0)
