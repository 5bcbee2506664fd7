"""`octoplan cancel`: take back what is scheduled, where the API can."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from octoplan import limits
from octoplan.cli.wiring import (
    campaign_argument,
    environment_option,
    hold_lease,
    open_gateway,
    open_workspace,
    require_durable_home,
)
from octoplan.clock import Clock
from octoplan.diagnostics import ExitCode, InvalidInput
from octoplan.gateway.octopush import OctopushGateway
from octoplan.gateway.port import Outcome
from octoplan.state.home import Session
from octoplan.state.journal import BatchState, Kind, Phase
from octoplan.state.lock import lock_of, write_lock
from octoplan.views.text import count


@click.command(short_help="Take back what is scheduled.")
@campaign_argument
@environment_option
@click.pass_context
def command(context: click.Context, campaign: str, environment: str | None) -> int:
    """
    Cancel the scheduled requests of CAMPAIGN that the API can still cancel, and say which it cannot.

    Octopush takes back only requests of fewer than 3 recipients, more than 10 minutes ahead, 1000 a month. Whoever was
    in a cancelled request counts as written to: a new id is needed to write to them. Exits 9 if something remains.
    """
    with open_workspace(context, environment) as workspace:
        require_durable_home(workspace)
        with (
            open_gateway(workspace, OctopushGateway) as gateway,
            hold_lease(workspace) as session,
        ):
            state = session.campaigns().get(campaign)
            if state is None:
                raise InvalidInput(f"nothing was sent for `{campaign}` in {workspace.name}")
            kept = [
                (batch, why)
                for batch in state.in_phase(Phase.SENT)
                if (why := _why_not(batch, workspace.clock) or _cancel(session, gateway, campaign, batch))
            ]
            states = session.campaigns()
            write_lock(workspace.lock_path, lock_of(workspace.name, workspace.home.key.fingerprint, states.values()))
    cancelled = len(states[campaign].in_phase(Phase.CANCELLED)) - len(state.in_phase(Phase.CANCELLED))
    click.echo(f"{campaign}: {count(cancelled, 'request')} cancelled, {count(len(kept), 'request')} not.")
    for batch, why in kept:
        click.echo(f"  {batch.digest} ({count(batch.recipients, 'recipient')}): {why}")
    return ExitCode.PARTIAL if kept else ExitCode.DONE


def _why_not(batch: BatchState, clock: Clock) -> str | None:
    """Why the API would not take it back, by its own three limits; `None` if it may."""
    if batch.send_at is None:
        return "it was sent at once"
    if batch.ticket is None:
        return "its ticket is not known; look for it in the account's own pages"
    if batch.recipients >= limits.CANCEL_RECIPIENTS_BELOW:
        return f"the API cancels only requests of fewer than {limits.CANCEL_RECIPIENTS_BELOW} recipients"
    if datetime.fromisoformat(batch.send_at) - clock.now() <= timedelta(seconds=limits.CANCEL_AHEAD_S):
        return "it is too late: the API needs more than 10 minutes"
    return None


def _cancel(session: Session, gateway: OctopushGateway, campaign: str, batch: BatchState) -> str | None:
    outcome: Outcome | None = gateway.cancel(batch.ticket or "")
    if outcome is None:
        session.record(Kind.CANCELLED, campaign, batch.digest, {"ticket": batch.ticket})
        return None
    return getattr(outcome, "message", None) or getattr(outcome, "reason", "the API gave no reason")
