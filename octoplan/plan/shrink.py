"""
An approved plan after somebody opted out: the same batches without them.

Invariant: a batch may lose recipients between plan and apply and never gains one. Its boundaries stay where the plan
put them, since the audience was resolved with the suppression of that time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from octoplan.diagnostics import StalePlan
from octoplan.plan.build import Prepared, plan_batch
from octoplan.plan.model import Action, Cost, Plan, PlannedBatch
from octoplan.plan.outgoing import Outgoing, fresh_batches, reopened_batches, shrink_batch
from octoplan.plan.price import Figure, Priced
from octoplan.state.home import StateReader
from octoplan.state.journal import CampaignState


def shrink_plan(plan: Plan, prepared: Sequence[Prepared], reader: StateReader) -> Plan:
    """
    The plan without whoever was suppressed since it was approved.

    :raises StalePlan: if one of them is in a request of unknown outcome, which could only be repeated as it was.
    """
    by_id = {each.campaign.id: each for each in prepared}
    states = reader.campaigns()
    return replace(
        plan,
        actions=tuple(
            _shrink(action, by_id[action.campaign], states.get(action.identity), reader) for action in plan.actions
        ),
    )


def remaining_batches(prepared: Prepared, state: CampaignState | None, reader: StateReader) -> Iterator[Outgoing]:
    """Every batch still to be sent: unknown ones as they were, then the others without who was suppressed since."""
    dispatch, dropped = prepared.dispatch, prepared.audience.suppressed_since
    if state is not None:
        for batch in reopened_batches(dispatch, state, reader):
            if not dropped.isdisjoint(batch.phones.to_pylist()):
                raise StalePlan(
                    f"{dispatch.campaign}: somebody opted out who is in a request of unknown outcome",
                    hint="settle it with `octoplan recover`, then plan again",
                )
            yield batch
    for batch in fresh_batches(dispatch, state, reader):
        smaller = shrink_batch(dispatch, batch, dropped, state, reader.key) if dropped else batch
        if smaller is not None:
            yield smaller


def _shrink(action: Action, prepared: Prepared, state: CampaignState | None, reader: StateReader) -> Action:
    if not action.kind.sends or not prepared.audience.suppressed_since:
        return action
    known = {batch.digest: batch for batch in action.batches}
    units = () if prepared.dispatch.request.auto_optimize_text else action.cost.unit_prices
    priced = Priced({(unit.country, unit.segments): Figure(unit.price, unit.source, unit.at) for unit in units})
    batches = tuple(
        known.get(batch.digest) or plan_batch(batch, priced) for batch in remaining_batches(prepared, state, reader)
    )
    return replace(action, batches=batches, cost=_cost(action.cost, batches))


def _cost(before: Cost, batches: Sequence[PlannedBatch]) -> Cost:
    known = [batch.cost for batch in batches if batch.cost is not None]
    total = sum(known, Decimal(0)) if len(known) == len(batches) else None
    return replace(before, total=total, least=Decimal(0), most=total)


def opted_out(plan: Plan, smaller: Plan) -> Mapping[str, int]:
    """How many recipients each campaign has lost, by id; campaigns that lost none are absent."""
    after = {action.campaign: action.recipients for action in smaller.actions}
    lost = {action.campaign: action.recipients - after[action.campaign] for action in plan.sending}
    return {campaign: number for campaign, number in lost.items() if number}
