"""How long an unknown outcome may be repeated."""

from __future__ import annotations

from datetime import datetime, timedelta

from octoplan import limits


def in_window(opened_at: datetime, now: datetime) -> bool:
    """Whether a request id opened then is surely still remembered; a clock that went backwards counts as no."""
    return timedelta(0) <= now - opened_at <= timedelta(seconds=limits.REPEAT_WINDOW_S)
