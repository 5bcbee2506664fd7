"""Time as something that is handed in, so that tests and simulations can move it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The wall clock for what is written down, and a way to wait."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; may return early when the program is asked to stop."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        time.sleep(seconds)


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
