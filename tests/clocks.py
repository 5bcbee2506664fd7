"""A clock that tests move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from octoplan.clock import Mark
from octoplan.state.store import Holder

EPOCH = datetime(2027, 1, 1, tzinfo=UTC)
HOLDER = Holder("r_1", "dana", "build-7", 4711, EPOCH)
"""Whose lease the tests hold."""


class ManualClock:
    """Stands still until it is moved; sleeping moves it at once."""

    def __init__(self, at: datetime = datetime(2027, 3, 1, 9, tzinfo=UTC)) -> None:
        self.at = at
        self.slept: list[float] = []
        self.boot: str | None = None
        self.drift = 0.0

    def now(self) -> datetime:
        return self.at

    def mark(self) -> Mark | None:
        return None if self.boot is None else Mark(self.boot, (self.at - EPOCH).total_seconds() + self.drift)

    def monotonic(self) -> float:
        return (self.at - EPOCH).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
