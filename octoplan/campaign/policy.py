"""What a platform team asks of every campaign, as far as its file tells; what a plan tells is in `plan/policy.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from octoplan.campaign import rules
from octoplan.campaign.model import Policy
from octoplan.campaign.resolve import Campaign
from octoplan.diagnostics import Finding, Rule


def check_policy(policy: Policy, campaign: Campaign) -> Iterator[Finding]:
    """Every rule of `policy` that the file breaks."""
    for name in policy.require:
        if not _is_written(campaign.document.data, name.split(".")):
            detail = f"The project's policy asks for `{name}`."
            yield rules.POLICY_FIELD.at(campaign.key_place(*name.split(".")), detail, f"add `{name}` to the campaign")
    if campaign.sender is not None:
        yield from _check_choice(rules.POLICY_SENDER, campaign, "sender", campaign.sender, policy.senders)
    yield from _check_choice(rules.POLICY_TYPE, campaign, "type", campaign.model.type, policy.types)
    yield from _check_choice(rules.POLICY_PURPOSE, campaign, "purpose", campaign.model.purpose, policy.purposes)
    for index, override in enumerate(campaign.model.overrides):
        if policy.overrides is not None and override.rule not in policy.overrides:
            detail = f"The project's policy does not let campaigns override `{override.rule}`."
            yield rules.POLICY_OVERRIDE.at(campaign.place("overrides", index, "rule"), detail, "take the override out")


def _is_written(data: Any, path: list[str]) -> bool:
    for step in path:
        if not isinstance(data, dict) or step not in data:
            return False
        data = data[step]
    return True


def _check_choice(
    rule: Rule, campaign: Campaign, name: str, value: str, allowed: tuple[str, ...] | None
) -> Iterator[Finding]:
    if allowed is not None and value not in allowed:
        detail = f"The project's policy allows {', '.join(f'`{each}`' for each in allowed) or 'none'}, not `{value}`."
        yield rule.at(campaign.place(name), detail)
