"""`octoplan resume`: take the kill switch back."""

from __future__ import annotations

import click

from octoplan.cli.wiring import environment_option, open_workspace


@click.command(short_help="Allow sending again.")
@environment_option
@click.pass_context
def command(context: click.Context, environment: str | None) -> None:
    """Take away the notice of `octoplan stop`. Nothing is sent by it: apply again to go on."""
    with open_workspace(context, environment) as workspace:
        notice = workspace.home.stop_notice()
        if notice is None:
            click.echo(f"Sending to {workspace.name} was not stopped.")
            return
        workspace.home.put_stop_notice(None)
        click.echo(f"Sending to {workspace.name} is allowed again (it was stopped by {notice.owner}: {notice.reason}).")
