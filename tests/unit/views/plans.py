"""Plans made by hand, with everything in them that a view can show."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from octoplan.diagnostics import ExitCode, Finding, Place
from octoplan.plan.model import (
    Action,
    ActionKind,
    AudienceSummary,
    BudgetUse,
    Cost,
    ExclusionLine,
    Hours,
    MessageSummary,
    Overridden,
    Plan,
    PlannedBatch,
    Reason,
    UnitPrice,
    ZoneCount,
)

MOMENT: Final = datetime(2027, 3, 20, 9, tzinfo=UTC)
AUDIENCE: Final = AudienceSummary(
    path="data/customers.csv",
    rows=100,
    recipients=60,
    already_written=10,
    exclusions=(
        ExclusionLine("not-selected", 20, (2, 3), "the campaign's `where` does not select the row"),
        ExclusionLine("empty-number", 8, (4,), "the row has no phone number"),
        ExclusionLine("duplicate", 7, (5,), "another row with the same number was taken"),
        ExclusionLine("suppressed", 5, (6,), "the number is on a suppression list"),
    ),
    countries={"FR": 50, "US": 10},
)
MESSAGE: Final = MessageSummary(
    text="Bonjour {param1}, -20% [ici] ☀. STOP au XXXXX",
    texts=1,
    mode="merge",
    mode_reason=None,
    fields={"param1": "first_name | title"},
    histogram={1: 40, 2: 10},
    ucs2_recipients=10,
    guilty={"☀": 50},
    minimum_requests=1,
)
PRICES: Final = (
    UnitPrice("FR", 1, 40, Decimal("0.061"), "simulation", MOMENT),
    UnitPrice("US", 2, 10, Decimal("0.01705882"), "simulation", MOMENT),
)
ZONES: Final = (ZoneCount("FR", ("Europe/Paris",), 40), ZoneCount("US", ("America/New_York", "Pacific/Honolulu"), 10))
FINDING: Final = Finding(
    "sender/generic",
    "Sender that is refused",
    "warning",
    "as filled in",
    Place("campaigns/a.yaml", 5, 7),
    "take another",
)


def action_of(kind: ActionKind = ActionKind.SEND, campaign: str = "spring", **changes: Any) -> Action:
    """One campaign of 50 people in two countries; what was sent or stands in conflict has no requests."""
    has_batches = kind not in (ActionKind.SENT, ActionKind.CONFLICT)
    is_refused = kind in (ActionKind.BLOCKED, ActionKind.CONFLICT, ActionKind.UNKNOWN)
    reason = Reason(f"because-{kind}", "one message costs too much", "make it smaller", ExitCode.BLOCKED)
    action = Action(
        campaign=campaign,
        identity=campaign,
        file=f"campaigns/{campaign}.yaml",
        description="Everybody who agreed",
        kind=kind,
        reasons=(reason,) if is_refused else (),
        type="sms_premium",
        purpose="wholesale",
        sender="MAPLE",
        content={},
        audience=AUDIENCE,
        message=MESSAGE,
        batches=(PlannedBatch("b1_", "r1", 1, 50, 60, Decimal("2.6105882")),) if has_batches else (),
        cost=Cost(Decimal("2.6105882"), "simulation", PRICES) if has_batches else Cost(None, "none"),
        send_at=MOMENT,
        send_at_local="Sat 2027-03-20 10:00 Europe/Paris",
        not_after=None,
        sent_recipients=7 if kind is ActionKind.SENT else 0,
        sent_cost=Decimal("0.427") if kind is ActionKind.SENT else None,
        zones=ZONES,
        hours=Hours(MOMENT, MOMENT, (), MOMENT, "Sat 10:00", next_warns=False, closes_at=None),
        overrides=(Overridden("window/us-hours", "agreed with everybody"),),
    )
    return replace(action, **changes)


def plan_of(*actions: Action) -> Plan:
    """A plan with a finding, a budget and a balance."""
    return Plan(
        project="maple",
        environment="live",
        endpoint="https://api.example",
        digest_key="k1_",
        account=None,
        created_at=MOMENT,
        expires_at=MOMENT + timedelta(days=1),
        actions=actions,
        balance=Decimal(100),
        balance_unit="euros",
        findings=(FINDING,),
        budget=BudgetUse(Decimal(300), None, "EUR", MOMENT, Decimal("12.5")),
    )
