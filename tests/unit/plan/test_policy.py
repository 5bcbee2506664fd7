"""Policies: every rule blocks what it forbids and nothing else, and a policy of another level can only add to it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from octoplan.campaign.model import Policy
from octoplan.campaign.policy import check_policy
from octoplan.campaign.project import load_campaigns, load_project
from octoplan.campaign.resolve import Campaign
from octoplan.catalogue import catalogue
from octoplan.diagnostics import ExitCode
from octoplan.plan.model import Action, ActionKind, AudienceSummary, Cost, PlannedBatch
from octoplan.plan.policy import check_policies

CAMPAIGN: Final[dict[str, Any]] = {
    "id": "spring",
    "type": "sms_premium",
    "purpose": "alert",
    "sender": "MAPLE",
    "message": {"template": "Bonjour"},
    "recipients": {"path": "data/a.csv", "phone": "mobile"},
    "limits": {"max_cost": "10"},
    "overrides": [{"rule": "window/fr-sunday", "reason": "agreed"}],
}
KEPT: Final = {
    "require": ["sender", "limits.max_cost"],
    "types": ["sms_premium"],
    "purposes": ["alert"],
    "senders": ["MAPLE"],
    "countries": ["DE", "FR"],
    "overrides": ["window/fr-sunday"],
    "owners_over": {"cost": "3", "owners": ["crm"]},
}


def policy(**settings: Any) -> Policy:
    return Policy.model_validate(settings)


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "octoplan.yaml").write_text("project: maple\ndefaults: {region: FR}\n")
    (tmp_path / "campaigns/spring.yaml").write_text(yaml.safe_dump(CAMPAIGN, sort_keys=False))
    project, _ = load_project(tmp_path)
    assert project is not None
    (loaded,), findings = load_campaigns(project)
    assert findings == []
    return loaded


def action(*, cost: str | None = "3", owner: str | None = None, kind: ActionKind = ActionKind.SEND) -> Action:
    return Action(
        campaign="spring",
        identity="spring",
        file="campaigns/spring.yaml",
        description=None,
        kind=kind,
        reasons=(),
        type="sms_premium",
        purpose="alert",
        sender="MAPLE",
        content={},
        audience=AudienceSummary("data/a.csv", 3, 3, 0, (), {"DE": 1, "FR": 2}),
        message=None,
        batches=(PlannedBatch("b1_", "r", 1, 3, 3, None),),
        cost=Cost(None if cost is None else Decimal(cost), "file"),
        send_at=None,
        send_at_local=None,
        not_after=None,
        owner=owner,
    )


def codes(planned: Action, campaign: Campaign, *policies: Policy) -> list[str]:
    (checked,) = check_policies([planned], {"spring": campaign}, policies)
    return [reason.code for reason in checked.reasons]


def test_what_keeps_to_a_policy_stays_as_it_is(campaign: Campaign) -> None:
    """A campaign that has all that is asked for is planned as without a policy; so is one without any policy."""
    for kept in (policy(**KEPT), policy()):
        assert check_policies([action()], {"spring": campaign}, [kept]) == (action(),)


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ({"require": ["owner"]}, "policy/required-field"),
        ({"require": ["schedule.not_after"]}, "policy/required-field"),
        ({"types": ["sms_low_cost"]}, "policy/type"),
        ({"purposes": ["wholesale"]}, "policy/purpose"),
        ({"senders": []}, "policy/sender"),
        ({"countries": ["FR"]}, "policy/country"),
        ({"overrides": []}, "policy/override"),
        ({"owners_over": {"cost": "2.99", "owners": ["crm"]}}, "policy/owner-over-cost"),
    ],
)
def test_each_rule_blocks(setting: dict[str, Any], code: str, campaign: Campaign) -> None:
    """The action is blocked with the rule's id and exit code 5, and the rule is in the catalogue."""
    (checked,) = check_policies([action()], {"spring": campaign}, [policy(**(KEPT | setting))])
    assert checked.kind is ActionKind.BLOCKED
    assert [(reason.code, reason.exit_code) for reason in checked.reasons] == [(code, ExitCode.BLOCKED)]
    assert catalogue()[code].level == "error"
    assert not catalogue()[code].can_be_overridden


def test_an_owner_is_asked_for_only_over_the_cost(campaign: Campaign) -> None:
    """Up to the cost anybody may own it; over it, and while it is unknown, only those who are named."""
    over = policy(owners_over={"cost": "3", "owners": ["crm", "brand"]})
    assert codes(action(cost="3"), campaign, over) == []
    assert codes(action(cost="3.01"), campaign, over) == ["policy/owner-over-cost"]
    assert codes(action(cost=None), campaign, over) == ["policy/owner-over-cost"]
    assert codes(action(cost=None, owner="brand"), campaign, over) == []
    assert codes(action(cost="9", owner="intern"), campaign, over) == ["policy/owner-over-cost"]
    sent_before = replace(action(cost="1"), sent_cost=Decimal("2.5"))
    assert codes(sent_before, campaign, over) == ["policy/owner-over-cost"]


def test_policies_only_add_up(campaign: Campaign) -> None:
    """A second, looser policy takes nothing away, and what two of them say alike is said once."""
    strict, loose = policy(types=["sms_low_cost"]), policy(types=["sms_low_cost", "sms_premium"])
    assert codes(action(), campaign, loose, strict) == ["policy/type"]
    assert codes(action(), campaign, strict, strict) == ["policy/type"]


def test_what_was_sent_is_not_judged_again(campaign: Campaign) -> None:
    """A policy is about what would be sent: what is done stays done."""
    sent = replace(action(kind=ActionKind.SENT), batches=())
    assert codes(sent, campaign, policy(require=["owner"])) == []


def test_the_finding_of_a_file_names_its_place(campaign: Campaign) -> None:
    """`validate` shows where the campaign breaks what it can break without a plan."""
    found = list(check_policy(policy(require=["owner"], senders=["ACME"], overrides=[]), campaign))
    assert [(each.code, each.place and each.place.line) for each in found] == [
        ("policy/required-field", None),
        ("policy/sender", 4),
        ("policy/override", 13),
    ]


@pytest.mark.parametrize("name", ["ownr", "limits.max_costs", "id.x", ""])
def test_a_policy_asks_only_for_fields_that_there_are(name: str) -> None:
    """A misspelt field would be asked for of everybody for ever: it is refused."""
    with pytest.raises(ValueError, match="a campaign has no field"):
        policy(require=[name])
