"""What the rules on sending hours say about a campaign, as lines of the plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from octoplan.plan.hours import describe_broken
from octoplan.plan.model import Action, Hours
from octoplan.views.text import instant

_LEVELS: Final = {"error": "error, which does not block here", "warning": "warning"}


def hours_lines(action: Action) -> Iterator[tuple[str, str]]:
    """Label and text: rules that are broken without blocking (those that block are reasons), then the next slot."""
    if action.hours is not None:
        label = "hours"
        for broken in action.hours.broken:
            if not broken.blocks:
                yield label, f"{_LEVELS[broken.level]}: {describe_broken(broken)}"
                label = ""
        yield "next", _next(action.hours, first="first at " if action.waves else "") + _too_late(action)
    for index, each in enumerate(action.overrides):
        yield "" if index else "overrides", f"{each.rule}: {each.reason}"


def _next(hours: Hours, first: str) -> str:
    if hours.next_slot is None:
        return "no time suits all recipients: send to them in several campaigns, by country"
    when = f"{hours.next_local} ({first}{instant(hours.next_slot)}), permitted for all recipients"
    if hours.next_warns:
        return f"{when}, though with warnings"
    if hours.broken:
        return when
    return when if hours.closes_at is None else f"{when} until {instant(hours.closes_at)}"


def _too_late(action: Action) -> str:
    slot = action.hours.next_slot if action.hours else None
    return "; that is after `not_after`" if slot and action.not_after and slot > action.not_after else ""
