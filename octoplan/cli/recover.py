"""`octoplan recover`: batches whose outcome only a person can know."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import click

from octoplan.cli.amounts import parse_cost
from octoplan.cli.wiring import Workspace, environment_option, hold_lease, open_workspace
from octoplan.clock import Clock
from octoplan.diagnostics import ExitCode, InvalidInput
from octoplan.plan.window import in_window
from octoplan.state.home import StateReader
from octoplan.state.journal import BatchState, Kind, Phase
from octoplan.state.lock import lock_of, write_lock
from octoplan.values.amount import render_amount
from octoplan.views.text import count, instant


@click.command(short_help="Settle unknown outcomes.")
@click.argument("batch", required=False)
@environment_option
@click.option("--campaign", metavar="ID", help="Whose batch, where two campaigns send the same to the same people.")
@click.option("--mark-sent", is_flag=True, help="You have seen in the account that it was accepted.")
@click.option("--ticket", help="With --mark-sent: the API's ticket, if you know it.")
@click.option(
    "--mark-not-sent", is_flag=True, help="You have seen that it was not accepted; it can then be sent again."
)
@click.option(
    "--cost",
    metavar="AMOUNT",
    callback=parse_cost,
    help="With --mark-sent: what was billed, if not what was planned.",
)
@click.option("--reason", help="How you know; kept in the journal. Required with --mark-not-sent.")
@click.pass_context
def command(
    context: click.Context,
    batch: str | None,
    environment: str | None,
    campaign: str | None,
    mark_sent: bool,
    ticket: str | None,
    mark_not_sent: bool,
    cost: Decimal | None,
    reason: str | None,
) -> int:
    """
    Show the requests that may or may not have been accepted, and record what you found out about one.

    Without BATCH (a digest, or its beginning) they are listed. Nothing is ever sent from here. Exits 10 while an
    outcome is unknown.
    """
    _check_flags(batch, mark_sent=mark_sent, mark_not_sent=mark_not_sent, ticket=ticket, cost=cost, reason=reason)
    with open_workspace(context, environment) as workspace:
        if batch is not None and (mark_sent or mark_not_sent):
            kind = Kind.SETTLED_SENT if mark_sent else Kind.SETTLED_NOT_SENT
            _settle(workspace, (batch, campaign), kind, {"ticket": ticket, "note": reason, "cost": cost})
        return _list(workspace)


def _check_flags(
    batch: str | None,
    *,
    mark_sent: bool,
    mark_not_sent: bool,
    ticket: str | None,
    cost: Decimal | None,
    reason: str | None,
) -> None:
    if mark_sent and mark_not_sent:
        raise InvalidInput("a batch was either sent or not sent")
    if (mark_sent or mark_not_sent) and not batch:
        raise InvalidInput("name the batch that you have looked up", hint="`octoplan recover` lists them")
    if mark_not_sent and not (reason and reason.strip()):
        raise InvalidInput(
            "--mark-not-sent needs a --reason: it lets these people be written to again",
            hint='for example --reason "not among the campaigns of the account, checked by Dana"',
        )
    if (ticket is not None or cost is not None) and not mark_sent:
        raise InvalidInput("--ticket and --cost go with --mark-sent")


def _unknown(reader: StateReader) -> list[tuple[str, BatchState]]:
    states = sorted(reader.campaigns().values(), key=lambda state: state.campaign)
    return [(state.campaign, batch) for state in states for batch in state.in_phase(Phase.OPEN)]


def _settle(workspace: Workspace, wanted: tuple[str, str | None], kind: Kind, data: dict[str, Any]) -> None:
    with hold_lease(workspace) as session:
        digest, of_campaign = wanted
        found = [
            (campaign, batch)
            for campaign, batch in _unknown(session)
            if batch.digest.startswith(digest) and of_campaign in (None, campaign)
        ]
        if len(found) != 1:
            what = "no batch of unknown outcome" if not found else f"{len(found)} batches"
            hint = "`octoplan recover` lists them; `--campaign ID` says whose"
            raise InvalidInput(f"{what} begins with `{digest}`", hint=hint)
        campaign, batch = found[0]
        session.record(kind, campaign, batch.digest, _kept(data, batch, kind))
        write_lock(
            workspace.lock_path,
            lock_of(workspace.name, workspace.home.key.fingerprint, session.campaigns().values()),
        )
    click.echo(
        f"{campaign}: {batch.digest} is recorded as {'sent' if kind is Kind.SETTLED_SENT else 'not sent'}.", err=True
    )


def _kept(data: dict[str, Any], batch: BatchState, kind: Kind) -> dict[str, Any]:
    known = batch.planned_cost if data["cost"] is None else data["cost"]
    cost = str(known) if known is not None and kind is Kind.SETTLED_SENT else None
    return {name: value for name, value in (data | {"cost": cost}).items() if value is not None}


def _list(workspace: Workspace) -> int:
    unknown = _unknown(workspace.home)
    if not unknown:
        click.echo(f"No outcome is unknown in {workspace.name}.")
        return ExitCode.DONE
    click.echo(f"{count(len(unknown), 'request')} of unknown outcome in {workspace.name}:\n")
    for campaign, batch in unknown:
        click.echo(_describe(campaign, batch, workspace.clock))
    click.echo(
        "Look the campaign up in the account's own pages, then one of:\n"
        "  octoplan recover BATCH --mark-sent [--ticket TICKET]       it is there: nobody gets it twice\n"
        "  octoplan recover BATCH --mark-not-sent --reason TEXT       it is not there: the next apply sends it\n"
        "  leave it: nothing is sent to these people; inside the window the next apply repeats the same request"
    )
    return ExitCode.UNKNOWN


def _describe(campaign: str, batch: BatchState, clock: Clock) -> str:
    hours = (clock.now() - batch.opened_at).total_seconds() / 3600
    is_young = in_window(batch.opened_at, batch.opened_mark, clock)
    repeat = "can still be repeated safely" if is_young else "too old to be repeated"
    return (
        f"  {campaign}  {batch.digest}\n"
        f"    {count(batch.recipients, 'recipient')}, {count(batch.segments, 'segment')}, "
        f"cost {render_amount(batch.planned_cost)}\n"
        f"    first sent {instant(batch.opened_at)} ({hours:.1f} h ago; {repeat}), request id {batch.request_id}\n"
        f"    last word: {batch.note or 'none: the run ended before an answer came'}\n"
    )
