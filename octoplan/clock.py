"""Time as something that is handed in, so that tests and simulations can move it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Mark:
    """
    A moment as the machine counts it: seconds since it was started, sleep included, and which start that was.

    Unlike the wall clock nobody can set it, so on one machine it tells how long ago something really was.
    """

    boot: str
    up_s: float

    @classmethod
    def of(cls, data: Mapping[str, Any] | None) -> Mark | None:
        """The reverse of `to_data`; `None` where there was no mark."""
        return None if data is None else cls(str(data["boot"]), float(data["up_s"]))

    def to_data(self) -> dict[str, Any]:
        """For the journal."""
        return {"boot": self.boot, "up_s": round(self.up_s, 3)}


class Clock(Protocol):
    """The wall clock for what is written down, the machine's own count for how long something took, and a wait."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...

    def mark(self) -> Mark | None:
        """The machine's own count; `None` on a system that has none."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever rise, from no particular start: for pauses and patience within one run."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; may return early when the program is asked to stop."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        return datetime.now(UTC)

    def mark(self) -> Mark | None:
        """Linux's boot id and CLOCK_BOOTTIME, which also counts while a laptop sleeps."""
        try:
            return Mark(_BOOT_ID.read_text(encoding="ascii").strip(), time.clock_gettime(time.CLOCK_BOOTTIME))
        except (OSError, AttributeError):
            return None

    def monotonic(self) -> float:
        """Python's monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        time.sleep(seconds)


def elapsed_s(since: datetime, since_mark: Mark | None, clock: Clock) -> float | None:
    """
    How long ago `since` surely was at most; `None` if the clocks contradict it.

    Where the machine has not been started anew its own count is held against the wall clock, and the longer counts: a
    wall clock that was set back cannot make something young again.
    """
    elapsed = (clock.now() - since).total_seconds()
    mark = clock.mark()
    if mark is not None and since_mark is not None and mark.boot == since_mark.boot:
        counted = mark.up_s - since_mark.up_s
        # A wall clock that was set back below the start still leaves the machine's own count to be trusted.
        return max(elapsed, counted) if counted >= 0 else None
    return elapsed if elapsed >= 0 else None


def to_text(moment: datetime) -> str:
    """
    An instant as `2027-03-20T09:00:00.000000Z`: always UTC, always the same width, so that text order is time order.

    :raises ValueError: for a naive time.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be written down")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_text(text: str) -> datetime:
    """
    The reverse of `to_text`; also takes other ISO 8601 text with an offset.

    :raises ValueError: if it is no such text, or has no zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone is ambiguous")
    return moment.astimezone(UTC)


def in_words(length: timedelta) -> str:
    """`3 h 5 min`: the two largest units of a length of time, whole; a negative one is `0 s`."""
    minutes, seconds = divmod(max(int(length.total_seconds()), 0), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    largest = next((index for index, (number, _) in enumerate(parts) if number), len(parts) - 1)
    return " ".join(f"{number} {unit}" for number, unit in parts[largest : largest + 2] if number or unit == "s")
