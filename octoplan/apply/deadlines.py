"""Until when the requests of a campaign may start."""

from __future__ import annotations

from octoplan.apply.execute import Deadline
from octoplan.clock import to_text
from octoplan.plan.model import Action


def deadlines_of(action: Action) -> tuple[Deadline, ...]:
    """
    The end of the sending hours for what leaves at once; for scheduled messages the time at which they leave.

    What is handed over later than its time would leave at once, which nobody planned.
    """
    moments = sorted({batch.send_at for batch in action.batches if batch.send_at is not None})
    if moments:
        what = f"a wave of {action.campaign}" if action.waves else action.campaign
        reason = f"the time at which {what} leaves has come; the rest was not handed over"
        return tuple(Deadline(at, reason, "give it a new time for the others", is_own=True) for at in moments)
    closes_at = action.hours.closes_at if action.hours else None
    if closes_at is None:
        return ()
    reason = f"the sending hours of {action.campaign} ended at {to_text(closes_at)[:16]}Z; the rest was not sent"
    return (Deadline(closes_at, reason, "`octoplan plan` shows the next permitted time; apply again then"),)
