"""
Hold what apply would do now against the plan that was approved.

Invariant: apply does what the plan showed, or less. A batch that was not in the approved plan is never sent, and a
batch of it may only be missing because it was sent already.
"""

from __future__ import annotations

from collections.abc import Mapping

from octoplan.diagnostics import StalePlan
from octoplan.plan.model import Action, Plan
from octoplan.plan.saved import SavedCampaign, SavedPlan
from octoplan.state.journal import CampaignState, Phase


def require_approved(saved: SavedPlan, plan: Plan, states: Mapping[str, CampaignState]) -> None:
    """
    Prove that every batch `plan` would send is in `saved`, with the same recipients, parts and cost.

    :raises StalePlan: naming each campaign that moved, and what moved in it.
    """
    moved = []
    if saved.account != plan.account:
        moved.append("the account is another one")
    for action in plan.actions:
        approved = saved.campaigns.get(action.campaign)
        difference = _difference(approved, action, states.get(action.identity))
        if difference:
            moved.append(f"{action.campaign}: {difference}")
    missing = sorted(_sending(saved) - {action.campaign for action in plan.actions})
    moved += [f"{campaign}: its file is gone" for campaign in missing]
    if moved:
        raise StalePlan(
            "the plan no longer fits: " + "; ".join(moved),
            hint="plan again: `octoplan plan --out FILE`, have it reviewed, then apply that file. Nothing was sent",
        )


def _sending(saved: SavedPlan) -> set[str]:
    return {name for name, campaign in saved.campaigns.items() if campaign.batches}


def _difference(approved: SavedCampaign | None, action: Action, state: CampaignState | None) -> str | None:
    if approved is None:
        return "it was not in the plan" if action.batches else None
    if approved.content != action.content:
        fields = {*approved.content, *action.content}
        names = sorted(name for name in fields if approved.content.get(name) != action.content.get(name))
        return f"changed since: {', '.join(names)}"
    now = {batch.digest: batch for batch in action.batches}
    added = now.keys() - approved.batches.keys()
    if added:
        return f"{len(added)} request(s) differ from the plan (texts, values, suppressions or batch size)"
    sent = {batch.digest for batch in state.in_phase(Phase.SENT)} if state else set()
    lost = approved.batches.keys() - now.keys() - sent
    if lost:
        return f"{len(lost)} request(s) of the plan can no longer be made"
    costs = [digest for digest, batch in now.items() if batch.cost != approved.batches[digest].cost]
    return f"the price of {len(costs)} request(s) has changed" if costs else None
