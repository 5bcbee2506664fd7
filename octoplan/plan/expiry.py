"""Until when an approved plan may be applied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from octoplan.limits import PLAN_LIFETIME_S
from octoplan.plan.model import Action

Expiry = tuple[datetime, str]
"""A moment, and which one it is: `24 hours after it was made`."""
_LIFETIME: Final = timedelta(seconds=PLAN_LIFETIME_S)


def find_expiry(actions: Iterable[Action], now: datetime) -> Expiry:
    """
    Until when a plan made `now` holds: a day, or what ends first of the sending hours, `at` and `not_after` of the
    campaigns that it sends.

    Hours count where leaving them would block the campaign. What ends later than a day is of no interest.
    """
    a_day = f"{_LIFETIME // timedelta(hours=1)} hours after it was made"
    ends = [(now + _LIFETIME, a_day), *(end for action in actions if action.kind.sends for end in _ends(action))]
    return min((end for end in ends if end[0] > now), key=lambda end: end[0])


def _ends(action: Action) -> Iterator[Expiry]:
    closes_at = None if action.hours is None else action.hours.closes_at
    for moment, what in (
        (closes_at if action.send_at is None else None, "when the sending hours of `{}` end"),
        (action.send_at, "when `{}` is to be sent (`schedule.at`)"),
        (action.not_after, "when `not_after` of `{}` is reached"),
    ):
        if moment is not None:
            yield moment, what.format(action.campaign)
