"""`octoplan adopt`: what was sent without octoplan."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import click

from octoplan.cli.amounts import parse_cost
from octoplan.cli.planning import Selection, endpoint_of, planning, require_home_knows_lock
from octoplan.cli.wiring import campaign_argument, environment_option, hold_lease, open_workspace, require_durable_home
from octoplan.diagnostics import InvalidInput
from octoplan.plan.build import Prepared
from octoplan.plan.outgoing import fresh_batches
from octoplan.state.home import Intent, Session
from octoplan.state.journal import Kind
from octoplan.state.lock import lock_of, write_lock
from octoplan.views.text import count


@click.command(short_help="Record what was sent elsewhere.")
@campaign_argument
@environment_option
@click.option("--ticket", help="The API's ticket, if there is one.")
@click.option("--cost", metavar="AMOUNT", callback=parse_cost, help="What it cost; a budget needs to know.")
@click.option("--reason", required=True, help="Who sent it, when and how; kept in the journal.")
@click.pass_context
def command(
    context: click.Context,
    campaign: str,
    environment: str | None,
    ticket: str | None,
    cost: Decimal | None,
    reason: str,
) -> None:
    """
    Record that CAMPAIGN was sent by hand or by another tool, to everybody its file resolves to now. Sends nothing.

    From then on these people are written to no more under this id, as if octoplan had sent it.
    """
    with open_workspace(context, environment) as workspace:
        require_durable_home(workspace)
        with (
            hold_lease(workspace) as session,
            planning(
                workspace, None, Selection((campaign,)), endpoint=endpoint_of(workspace), reader=session
            ) as planned,
        ):
            require_home_knows_lock(workspace, session)
            (prepared,) = planned.prepared
            known = session.campaigns().get(prepared.campaign.identity)
            if known is not None and known.is_begun:
                raise InvalidInput(f"{campaign} was begun by octoplan already", hint=f"see `octoplan show {campaign}`")
            (action,) = planned.plan.actions
            counts = None if action.audience is None else action.audience.counts()
            people = _adopt(session, prepared, counts, {"ticket": ticket, "note": f"adopted: {reason}"}, cost)
            states = session.campaigns().values()
            write_lock(workspace.lock_path, lock_of(workspace.name, workspace.home.key.fingerprint, states))
    click.echo(f"Recorded {campaign} as sent to {count(people, 'person', 'people')}; nothing was sent now.")


def _adopt(
    session: Session,
    prepared: Prepared,
    counts: Mapping[str, Any] | None,
    data: dict[str, str | None],
    cost: Decimal | None,
) -> int:
    """Record every batch as sent; the cost of all stands with the first, so that their sum is what was billed."""
    identity, people = prepared.campaign.identity, 0
    session.open_campaign(identity, prepared.content, counts)
    for batch in fresh_batches(prepared.dispatch, session.campaigns().get(identity), session):
        intent = Intent(
            identity,
            batch.digest,
            batch.request_id,
            batch.attempt,
            batch.recipients,
            batch.segments,
            None,
            batch.request.send_at,
        )
        session.intend(intent, batch.phones)
        billed = None if cost is None else str(cost if people == 0 else Decimal(0))
        kept = {name: value for name, value in {**data, "cost": billed}.items() if value is not None}
        session.record(Kind.SETTLED_SENT, identity, batch.digest, kept)
        people += batch.recipients
    session.complete(identity)
    return people
