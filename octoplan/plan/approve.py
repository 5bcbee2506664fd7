"""
Hold what apply would do now against the plan that was approved.

Invariants:
- Apply does what the plan showed, or less. A batch that was not in the approved plan is never sent, and a batch of it
  may only be missing because it was sent already.
- Each campaign is held against its own part of the plan: what happened to another one does not make it stale.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from octoplan.diagnostics import Place, StalePlan
from octoplan.plan.model import Action, Plan
from octoplan.plan.rules import MOVED
from octoplan.plan.saved import SavedCampaign, SavedPlan
from octoplan.plan.since import tell_since
from octoplan.state.home import StateReader
from octoplan.state.journal import CampaignState, Phase


@dataclass(frozen=True, slots=True)
class Commands:
    """How whoever applies `file` would type the next command; `environment` is `None` for the project's default."""

    file: str
    environment: str | None = None

    def plan(self, *campaigns: str) -> str:
        """Make the plan again, of these campaigns or all."""
        return self._line("plan", "--out", self.file, *self._options(campaigns))

    def apply(self, *campaigns: str) -> str:
        """Apply these campaigns of the plan."""
        return self._line("apply", self.file, *self._options(campaigns))

    def _options(self, campaigns: tuple[str, ...]) -> Iterator[str]:
        if self.environment is not None:
            yield from ("--env", self.environment)
        for campaign in campaigns:
            yield from ("--campaign", campaign)

    def _line(self, *words: str) -> str:
        return f"`octoplan {shlex.join(words)}`"


def require_approved(saved: SavedPlan, plan: Plan, reader: StateReader, commands: Commands) -> None:
    """
    Prove that every batch `plan` would send is in `saved`, with the same recipients, parts and cost.

    :raises StalePlan: with a finding for each campaign that moved: what moved in it, by whom, and what to type.
    """
    if saved.account != plan.account:
        hint = f"set the credentials of the plan's account, or plan again: {commands.plan()}"
        raise StalePlan("the account is another one than the plan's; nothing was sent", hint=hint)
    differences = dict(_differences(saved, plan, reader.campaigns()))
    if not differences:
        return
    actions = {action.campaign: action for action in plan.actions}
    found = []
    for name, difference in differences.items():
        action, approved = actions.get(name), saved.campaigns.get(name)
        since = tell_since(reader.entries(action.identity if action else name), approved.entries if approved else 0)
        detail = difference if since is None else f"{difference}; {since}"
        place = Place(action.file) if action else None
        found.append(MOVED.at(place, f"{name}: {detail}", f"plan again: {commands.plan(name)}"))
    raise StalePlan(
        f"the plan no longer fits {_listed(differences)}{_other_commit(saved, plan)}; nothing was sent",
        hint=_next_step(saved, plan, differences, commands),
        findings=found,
    )


def _listed(campaigns: Mapping[str, str]) -> str:
    return ", ".join(f"`{campaign}`" for campaign in campaigns)


def _other_commit(saved: SavedPlan, plan: Plan) -> str:
    here = plan.revision.commit if plan.revision else None
    if saved.commit is None or here is None or saved.commit == here:
        return ""
    return f" (it is of commit {saved.commit[:12]}, the files here are of {here[:12]})"


def _next_step(saved: SavedPlan, plan: Plan, differences: Mapping[str, str], commands: Commands) -> str:
    """Which campaigns of the plan can still go alone."""
    fit = [action.campaign for action in plan.sending if action.campaign in saved.campaigns.keys() - differences.keys()]
    again = f"plan again: {commands.plan(*differences)}, have it reviewed, then apply that file"
    return f"{_listed(dict.fromkeys(fit, ''))} still fit: {commands.apply(*fit)}" if fit else again


def _differences(saved: SavedPlan, plan: Plan, states: Mapping[str, CampaignState]) -> Iterator[tuple[str, str]]:
    """Campaigns that moved, and what moved in each."""
    for action in plan.actions:
        difference = _difference(saved.campaigns.get(action.campaign), action, states.get(action.identity))
        if difference:
            yield action.campaign, difference
    planned = {name for name, campaign in saved.campaigns.items() if campaign.batches}
    for campaign in sorted(planned - {action.campaign for action in plan.actions}):
        yield campaign, "its file is gone"


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
