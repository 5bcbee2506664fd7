"""How long an unknown outcome may be repeated."""

from __future__ import annotations

from datetime import datetime

from octoplan import limits
from octoplan.clock import Clock, Mark, elapsed_s


def in_window(opened_at: datetime, opened_mark: Mark | None, clock: Clock) -> bool:
    """Whether a request id opened then is surely still remembered; clocks that contradict it count as no."""
    elapsed = elapsed_s(opened_at, opened_mark, clock)
    return elapsed is not None and elapsed <= limits.REPEAT_WINDOW_S
