"""
What policies say about planned campaigns: of the project, the environment and protected branches, each for itself.

Every one of them has to be content, so that adding one can only forbid. An unknown cost is more than any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from octoplan.campaign import rules
from octoplan.campaign.model import Policy
from octoplan.campaign.policy import check_policy
from octoplan.campaign.resolve import Campaign
from octoplan.diagnostics import ExitCode, Finding
from octoplan.plan.model import Action, ActionKind, Reason
from octoplan.values.amount import render_amount


def check_policies(
    actions: Sequence[Action], campaigns: Mapping[str, Campaign], policies: Sequence[Policy]
) -> tuple[Action, ...]:
    """Block what a policy forbids; `campaigns` by id."""
    return tuple(_check(action, campaigns[action.campaign], policies) for action in actions)


def _check(action: Action, campaign: Campaign, policies: Sequence[Policy]) -> Action:
    if not (action.kind.sends or action.kind in (ActionKind.BLOCKED, ActionKind.SCHEDULED)) or not action.batches:
        return action
    found = [each for policy in policies for each in (*check_policy(policy, campaign), *_check_planned(policy, action))]
    # Two policies with one rule are one reason.
    reasons = tuple(dict.fromkeys(map(_reason, found)))
    if not reasons:
        return action
    return replace(action, kind=ActionKind.BLOCKED, reasons=(*action.reasons, *reasons))


def _reason(found: Finding) -> Reason:
    return Reason(found.code, f"{found.summary}. {found.detail}", found.hint, ExitCode.BLOCKED)


def _check_planned(policy: Policy, action: Action) -> Iterator[Finding]:
    countries = action.audience.countries if action.audience is not None else {}
    if policy.countries is not None and (others := sorted(set(countries) - set(policy.countries))):
        number = sum(countries[each] for each in others)
        detail = (
            f"{number:,} recipients are in {', '.join(others)}; allowed are {', '.join(policy.countries) or 'none'}."
        )
        yield rules.POLICY_COUNTRY.at(None, detail, "leave them out with `recipients.where`")
    over = policy.owners_over
    if over is None or action.owner in over.owners:
        return
    cost = None if action.cost.total is None else action.cost.total + (action.sent_cost or Decimal(0))
    if cost is None or cost > over.cost:
        owner = f"`{action.owner}`" if action.owner else "nobody"
        detail = (
            f"It costs {render_amount(cost)}; over {render_amount(over.cost)} it has to be owned by "
            f"{' or '.join(f'`{each}`' for each in over.owners)}, and is by {owner}."
        )
        yield rules.POLICY_OWNER.at(None, detail, "agree on it with one of them, and name them as `owner`")
