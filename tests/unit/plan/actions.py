"""An action with nothing in it but what a test asks for."""

from __future__ import annotations

from octoplan.plan.model import Action, ActionKind, Cost


def action_of(campaign: str) -> Action:
    """A campaign that would be sent."""
    return Action(
        campaign=campaign,
        identity=campaign,
        file=f"campaigns/{campaign}.yaml",
        description=None,
        kind=ActionKind.SEND,
        reasons=(),
        type="sms_premium",
        purpose="wholesale",
        sender="MAPLE",
        content={},
        audience=None,
        message=None,
        batches=(),
        cost=Cost(None, "none"),
        send_at=None,
        send_at_local=None,
        not_after=None,
    )
