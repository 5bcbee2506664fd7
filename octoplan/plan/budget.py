"""
Budgets of an environment: what all campaigns together may cost, in one apply and in a calendar month.

Invariants:
- Unknown is never 0: while the cost of anything counted is unknown, a budget blocks and says why.
- Campaigns are counted in the order in which apply sends them, so what fits is the same in the plan and in apply.

The month is the calendar month of the project's time zone. What was billed in it is what this environment's state home
knows; what others spend from the same account it cannot know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Final

from octoplan.campaign.model import Budgets
from octoplan.diagnostics import ExitCode
from octoplan.plan.model import Action, ActionKind, BudgetUse, Reason
from octoplan.state.journal import CampaignState
from octoplan.state.spending import add_spending
from octoplan.values.amount import render_amount

_HINT: Final = "send less or later, or have the budget raised where it is written"
_EURO: Final = frozenset({"eur", "euro", "euros", "€"})


def month_start(now: datetime, zone: tzinfo | None) -> datetime:
    """The first instant of the calendar month of `now` in `zone` (`None`: UTC), in UTC."""
    local = now.astimezone(zone or UTC)
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)


def budget_use(
    budgets: Budgets, states: Iterable[CampaignState], actions: Sequence[Action], now: datetime, zone: tzinfo | None
) -> BudgetUse:
    """What of `budgets` was used before this plan; batches that it repeats are in its own cost."""
    repeated = {
        (action.identity, batch.digest)
        for action in actions
        if action.kind.sends
        for batch in action.batches
        if batch.repeat
    }
    since = month_start(now, zone)
    spent = add_spending(states, since=since, repeated=repeated)
    return BudgetUse(
        month=budgets.month,
        run=budgets.run,
        currency=budgets.currency,
        since=since,
        spent=spent.total,
        uncertain=spent.uncertain,
        without_cost=spent.requests_without_cost,
    )


def check_budgets(actions: Sequence[Action], use: BudgetUse, unit: str | None) -> tuple[Action, ...]:
    """Block what does not fit, in the order of the actions; `unit` is the wallet's, `None` where it was not asked."""
    checked = []
    planned = Decimal(0)
    for action in actions:
        reasons = list(check_budget(action, use, planned, unit)) if action.kind.sends else []
        if reasons:
            checked.append(replace(action, kind=ActionKind.BLOCKED, reasons=(*action.reasons, *reasons)))
            continue
        if action.kind.sends and action.cost.total is not None:
            planned += action.cost.total
        checked.append(action)
    return tuple(checked)


def check_budget(action: Action, use: BudgetUse, planned: Decimal, unit: str | None) -> Iterator[Reason]:
    """Why a campaign does not fit into what is left after `planned`, the cost of those that go before it."""
    if use.month is None and use.run is None:
        return
    if use.currency is not None and unit is not None and not is_currency(unit, use.currency):
        detail = f"the budget is in {use.currency}, and the wallet holds {unit}"
        yield Reason("budget-currency", detail, "state the budget in the wallet's own unit", ExitCode.BLOCKED)
    if action.cost.total is None:
        detail = "the cost is unknown, so it cannot be shown to stay within the budget"
        yield Reason("cost-unknown", detail, exit_code=ExitCode.BLOCKED)
        return
    if use.run is not None and planned + action.cost.total > use.run:
        detail = f"{_sum(action, planned)}; the budget for one apply is {render_amount(use.run)}"
        yield Reason("over-run-budget", detail, _HINT, ExitCode.BLOCKED)
    if use.month is not None:
        yield from _check_month(action, use, planned, use.month)


def _check_month(action: Action, use: BudgetUse, planned: Decimal, budget: Decimal) -> Iterator[Reason]:
    if use.spent is None:
        detail = f"the cost of {use.without_cost} request(s) of this month is unknown, so nobody can tell "
        hint = "see `octoplan show`; `octoplan adopt --cost` and `octoplan recover --cost` record what is known"
        yield Reason("spending-unknown", f"{detail}what is left of the month's budget", hint, ExitCode.BLOCKED)
        return
    total = use.spent + planned + (action.cost.total or Decimal(0))
    if total > budget:
        before = f"{render_amount(use.spent)} was billed this month, {_sum(action, planned)}"
        detail = f"{before}: {render_amount(total)}; the month's budget is {render_amount(budget)}"
        yield Reason("over-month-budget", detail, _HINT, ExitCode.BLOCKED)


def _sum(action: Action, planned: Decimal) -> str:
    cost = f"this costs {render_amount(action.cost.total)}"
    return f"{cost} after {render_amount(planned)} for the campaigns before it" if planned else cost


def is_currency(unit: str, currency: str) -> bool:
    """Whether the API's word for a wallet's unit, such as `euros`, means a currency that people write as `EUR`."""
    said, meant = unit.strip().lower(), currency.strip().lower()
    return said == meant or (said in _EURO and meant in _EURO)
