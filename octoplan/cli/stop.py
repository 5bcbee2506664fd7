"""`octoplan stop`: the kill switch."""

from __future__ import annotations

import click

from octoplan.cli.wiring import environment_option, open_workspace, owner_name
from octoplan.diagnostics import InvalidInput
from octoplan.state.store import StopNotice


@click.command(short_help="Forbid sending.")
@environment_option
@click.option("--reason", required=True, help="Why; shown to everybody who tries to apply.")
@click.pass_context
def command(context: click.Context, environment: str | None, reason: str) -> None:
    """
    Forbid sending in an environment, also to an apply that runs: it ends before its next request.

    The notice is kept in the state home, so that it holds on every machine that shares it.
    """
    if not reason.strip():
        raise InvalidInput("a stop needs a reason that tells others what to wait for")
    with open_workspace(context, environment) as workspace:
        workspace.home.put_stop_notice(StopNotice(reason.strip(), owner_name(), workspace.clock.now()))
        click.echo(f"Nothing is sent to {workspace.name} until `octoplan resume --env {workspace.name}`.")
        holder = workspace.home.holder()
        if holder is not None:
            click.echo(f"An apply is running and ends before its next request: {holder}")
