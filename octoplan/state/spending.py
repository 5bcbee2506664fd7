"""
What the journal knows was billed.

Invariant: a request that may have been billed counts. One whose outcome is unknown counts with its planned cost, one
that was cancelled too, since nobody states that Octopush gives its cost back; and one whose cost nobody knows makes the
sum unknown, never smaller.

A request counts at the time at which it was first sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from octoplan.state.journal import BatchState, CampaignState, Phase


@dataclass(frozen=True, slots=True)
class Spending:
    """
    What was billed: `known` in the account's own unit, and how many requests have no known cost.

    `uncertain` is the part of `known` whose outcome is unknown.
    """

    known: Decimal
    requests_without_cost: int = 0
    uncertain: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal | None:
        """The sum; `None` while the cost of a request is unknown."""
        return None if self.requests_without_cost else self.known


def add_spending(
    states: Iterable[CampaignState],
    *,
    since: datetime | None = None,
    repeated: Set[tuple[str, str]] = frozenset(),
) -> Spending:
    """
    Add up what was billed, or may have been, from `since` on (`None`: ever).

    `repeated` are requests of unknown outcome, as campaign and digest, that a plan counts already.
    """
    batches = [
        batch
        for state in states
        for batch in state.batches.values()
        if _counts(batch, since) and (state.campaign, batch.digest) not in repeated
    ]
    costs = [_cost(batch) for batch in batches]
    uncertain = [_cost(batch) for batch in batches if batch.phase is Phase.OPEN]
    return Spending(_sum(costs), costs.count(None), _sum(uncertain))


def _counts(batch: BatchState, since: datetime | None) -> bool:
    return batch.phase is not Phase.FREE and (since is None or batch.opened_at >= since)


def _cost(batch: BatchState) -> Decimal | None:
    return batch.planned_cost if batch.cost is None else batch.cost


def _sum(costs: Iterable[Decimal | None]) -> Decimal:
    return sum((cost for cost in costs if cost is not None), Decimal(0))
