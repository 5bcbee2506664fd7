"""`octoplan lock`: the lock file and the state home side by side."""

from __future__ import annotations

import click

from octoplan.campaign.model import SANDBOX
from octoplan.cli.planning import require_home_knows_lock
from octoplan.cli.wiring import environment_option, open_project, open_workspace
from octoplan.diagnostics import ExitCode
from octoplan.state.lock import lock_of, lock_path, resolve_lock, write_lock


@click.group(short_help="Check, rebuild or merge the lock file.")
def command() -> None:
    """Work with `octoplan.<environment>.lock`, the committed record of what was sent."""


@command.command()
@environment_option
@click.pass_context
def check(context: click.Context, environment: str | None) -> int:
    """Say whether the lock file and the state home agree. Exits 7 if the home is behind, 1 if the file is."""
    with open_workspace(context, environment) as workspace:
        require_home_knows_lock(workspace, workspace.home)
        states = workspace.home.campaigns().values()
        if lock_of(workspace.name, workspace.home.key.fingerprint, states) == workspace.lock:
            click.echo(f"{workspace.lock_path.name} and the state home agree.")
            return ExitCode.DONE
        click.echo(f"{workspace.lock_path.name} is behind the state home; `octoplan lock rebuild` writes it.")
        return ExitCode.UNCLASSIFIED


@command.command()
@environment_option
@click.pass_context
def rebuild(context: click.Context, environment: str | None) -> None:
    """Write the lock file anew from the state home, which must know everything that is in it."""
    with open_workspace(context, environment) as workspace:
        require_home_knows_lock(workspace, workspace.home)
        states = workspace.home.campaigns().values()
        write_lock(workspace.lock_path, lock_of(workspace.name, workspace.home.key.fingerprint, states))
        click.echo(f"Wrote {workspace.lock_path.name}.")


@command.command()
@environment_option
@click.pass_context
def resolve(context: click.Context, environment: str | None) -> None:
    """Union both sides of an unresolved merge: what either side has sent was sent."""
    project, _ = open_project(context)
    name = environment or project.model.default_environment or SANDBOX
    path = lock_path(project.root, name)
    write_lock(path, resolve_lock(path, name))
    click.echo(f"{path.name} has the lines of both sides.")
