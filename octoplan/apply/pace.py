"""How fast requests may start: a number of requests and of messages per second, exact for one lane and for many."""

from __future__ import annotations

import threading
from decimal import Decimal

from octoplan.clock import Clock


class Pace:
    """
    Keeps the starts of requests apart; repeats count like first tries. Thread-safe.

    After a request of n messages the next may start 1/requests and n/messages seconds later, whichever is longer.
    """

    def __init__(
        self, clock: Clock, *, requests_per_second: Decimal | None = None, messages_per_second: Decimal | None = None
    ) -> None:
        self._clock = clock
        self._per_request = _period(requests_per_second)
        self._per_message = _period(messages_per_second)
        self._free_at = float("-inf")
        self._mutex = threading.Lock()

    def delay_s(self) -> float:
        """Seconds until the next request may start."""
        with self._mutex:
            return max(0.0, self._free_at - self._clock.monotonic())

    def wait(self, messages: int) -> None:
        """Wait for the turn of a request of that many messages."""
        with self._mutex:
            now = self._clock.monotonic()
            start = max(now, self._free_at)
            self._free_at = start + max(self._per_request, self._per_message * messages)
        if start > now:
            self._clock.sleep(start - now)


def _period(per_second: Decimal | None) -> float:
    return float(1 / per_second) if per_second else 0.0
