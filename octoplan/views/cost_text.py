"""What a plan costs, as a person reads it: every figure with where it comes from and of when it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from octoplan.clock import in_words
from octoplan.plan.breakdown import Share, by_country, by_parts
from octoplan.plan.model import Action, BudgetUse, Plan, UnitPrice
from octoplan.values.amount import render_amount
from octoplan.views.text import count, instant, labelled

_SOURCES: Final = {
    "simulation": "the API's simulation for each country and length",
    "memory": "the API's simulation for an earlier plan",
    "file": "the environment's price file",
    "none": "nobody named one",
}
_COUNTRIES_SHOWN_MAX: Final = 12


def cost_lines(action: Action, *, width: int, colour: bool) -> Iterator[str]:
    """The cost of one campaign."""
    cost = action.cost
    units = [f"{_name(unit)}: {unit.recipients:,} × {_price(unit.price)}" for unit in cost.unit_prices]
    more = [f"fees {render_amount(cost.fees)}"] if cost.fees else []
    if any(batch.repeat for batch in action.batches):
        more.append(f"repeated requests {render_amount(cost.repeats)}")
    # Where every request was asked about, or a length is not ours to tell, the unit prices need not add up to it.
    sign = " =" if cost.source != "requests" else "; one of each:"
    text = f"{render_amount(cost.total)}{sign} {', '.join([*units, *more])}"
    yield from labelled("cost", text, width=width, colour=colour)
    for line in cost_notes(action):
        yield from labelled("", line, width=width, colour=colour)


def cost_notes(action: Action) -> Iterator[str]:
    """Between what the bill lies where that is not known exactly, and who named the prices."""
    cost = action.cost
    if _is_vague(cost.total, cost.least, cost.most):
        yield _bounds(cost.least, cost.most)
    yield from _source_lines(action)


def _name(unit: UnitPrice) -> str:
    return f"{unit.country} {count(unit.segments, 'part')}"


def _price(price: Decimal | None) -> str:
    return "unknown" if price is None else str(price)


def _is_vague(total: Decimal | None, least: Decimal, most: Decimal | None) -> bool:
    """Whether bounds say more than the total; that an unknown cost is at least nothing says nothing."""
    return bool(least) if most is None else not least == total == most


def _bounds(least: Decimal, most: Decimal | None) -> str:
    """Between what the bill lies; unknown is no bound."""
    if most is None:
        return f"at least {render_amount(least)}; what is unknown comes on top"
    if least:
        return f"between {render_amount(least)} and {render_amount(most)}: Octopush may drop or shorten some"
    return f"at most {render_amount(most)}: Octopush may drop or shorten some"


def _source_lines(action: Action) -> Iterator[str]:
    if action.cost.source == "requests":
        yield "source: the API's simulation of every request"
        return
    grouped: dict[str, list[UnitPrice]] = {}
    for unit in action.cost.unit_prices:
        grouped.setdefault(unit.source, []).append(unit)
    if set(grouped) == {"none"}:
        yield "source: not asked (offline)" if not action.cost.simulated else "source: the API named no price"
        return
    for source, units in sorted(grouped.items()):
        which = "" if len(grouped) == 1 else f" for {', '.join(_name(unit) for unit in units)}"
        yield f"source{which}: {_SOURCES[source]}{_of([unit.at for unit in units if unit.at is not None], source)}"


def _of(moments: Iterable[datetime], source: str) -> str:
    """Of when the figures are: the oldest counts."""
    oldest = min(moments, default=None)
    if oldest is None:
        return ""
    return f", of {oldest:%Y-%m-%d}" if source == "file" else f", {instant(oldest)}"


def total_cost_lines(plan: Plan) -> Iterator[str]:
    """What all campaigns cost together, and what they leave."""
    yield from _share_line("By country", by_country(plan.sending))
    lengths = {count(parts, "part"): share for parts, share in by_parts(plan.sending).items()}
    yield from _share_line("By length", lengths)
    yield from money_lines(plan)


def money_lines(plan: Plan) -> Iterator[str]:
    """What is not known exactly, what the prices took, and what is left afterwards."""
    if _is_vague(plan.cost, plan.least_cost, plan.most_cost):
        yield f"Cost: {_bounds(plan.least_cost, plan.most_cost)}"
    if plan.simulated:
        yield f"Prices: {count(plan.simulated, 'simulated request')}"
    if plan.balance is not None:
        unit = f" {plan.balance_unit}" if plan.balance_unit else ""
        left = "" if plan.cost is None else f", {render_amount(plan.balance - plan.cost)} after it"
        yield f"Balance: {render_amount(plan.balance)}{unit}{left}"
    if plan.duration_s is not None:
        length = in_words(timedelta(seconds=float(plan.duration_s)))
        yield f"Duration: at least {length}, at the configured rate"


def _share_line(title: str, shares: Mapping[str, Share]) -> Iterator[str]:
    if len(shares) < 2:
        return
    listed = [f"{name} {share.recipients:,} for {render_amount(share.cost)}" for name, share in shares.items()]
    shown = listed[:_COUNTRIES_SHOWN_MAX]
    more = f", and {len(listed) - len(shown)} more" if len(listed) > len(shown) else ""
    yield f"{title}: {', '.join(shown)}{more}"


def budget_lines(plan: Plan) -> Iterator[str]:
    """The environment's budgets, and where limits were read besides."""
    if plan.budget is not None:
        yield from _budget(plan.budget, plan.cost)
    if plan.limits_from:
        yield f"Limits: also those of {', '.join(plan.limits_from)}; the stricter hold"


def _budget(use: BudgetUse, cost: Decimal | None) -> Iterator[str]:
    unit = f" {use.currency}" if use.currency else ""
    if use.month is not None:
        open_ones = f" ({render_amount(use.uncertain)} of it of unknown outcome)" if use.uncertain else ""
        spent = f"{render_amount(use.spent)} billed since {instant(use.since)}{open_ones}"
        known = use.spent is not None and cost is not None
        left = f", {render_amount(use.month - (use.spent or 0) - (cost or 0))} left after this plan" if known else ""
        yield f"Budget: {render_amount(use.month)}{unit} a month; {spent}{left}"
    if use.run is not None:
        yield f"Budget: {render_amount(use.run)}{unit} for one apply"
