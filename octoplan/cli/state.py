"""`octoplan state`: the state home itself."""

from __future__ import annotations

import click

from octoplan.cli.wiring import environment_option, hold_lease, open_workspace
from octoplan.diagnostics import InvalidInput
from octoplan.state.store import AlreadyWritten


@click.group(short_help="Break a stale lease, forget a campaign.")
def command() -> None:
    """Look after the state home, where journal, ledger and lease live."""


@command.command()
@environment_option
@click.pass_context
def info(context: click.Context, environment: str | None) -> None:
    """Say where the state home is and who holds its lease."""
    with open_workspace(context, environment) as workspace:
        click.echo(f"home   {workspace.home.place}")
        click.echo(f"key    {workspace.home.key.fingerprint}")
        click.echo(f"lease  {workspace.home.holder() or 'free'}")
        notice = workspace.home.stop_notice()
        click.echo(f"stop   {f'{notice.owner}: {notice.reason}' if notice else 'none'}")


@command.command()
@click.argument("run")
@environment_option
@click.pass_context
def unlock(context: click.Context, run: str, environment: str | None) -> None:
    """
    Take the lease away from RUN, which is named in the refusal of `apply`.

    Only for a run that is surely gone. Should it still live it can write nothing more, and its open requests are
    repeated under the same request ids by the next apply.
    """
    with open_workspace(context, environment) as workspace:
        if not workspace.home.unlock(run):
            holder = workspace.home.holder()
            hint = f"it is held by {holder}" if holder else "it is free"
            raise InvalidInput(f"the lease is not held by {run}", hint=hint)
        click.echo(f"{run} has no lease any more.")


@command.command()
@click.option("--campaign", required=True, metavar="ID", help="Whose recipients to forget.")
@environment_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def forget(context: click.Context, campaign: str, environment: str | None, yes: bool) -> None:
    """
    Delete who was in a campaign, for good. Counts and tickets stay.

    The campaign is closed by it: nothing can be sent for it any more, since nobody could tell who has it already.
    """
    with open_workspace(context, environment) as workspace:
        if not yes:
            click.confirm(f"Forget for good who got {campaign} in {workspace.name}?", abort=True, err=True)
        with hold_lease(workspace) as session:
            try:
                session.forget(campaign)
            except AlreadyWritten as error:
                raise InvalidInput(f"not forgotten: {error}", hint="settle it first: `octoplan recover`") from None
        click.echo(f"Forgot the recipients of {campaign}.")
