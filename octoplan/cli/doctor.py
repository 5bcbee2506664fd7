"""`octoplan doctor`: is everything there that apply needs, and how to mend what is not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import click

from octoplan.cli.planning import Selection, require_home_knows_lock, select_campaigns
from octoplan.cli.terminal import colour_on
from octoplan.cli.wiring import (
    Workspace,
    account_of,
    environment_option,
    open_gateway,
    open_workspace,
    require_durable_home,
)
from octoplan.diagnostics import ExitCode, OctoplanError
from octoplan.gateway.octopush import PriceGateway
from octoplan.values.amount import render_amount
from octoplan.views.text import paint


@click.command(short_help="Check that apply could work.")
@environment_option
@click.pass_context
def command(context: click.Context, environment: str | None) -> int:
    """Check project, account, API, state home and lock file, and say how to mend what is wrong. Sends nothing."""
    worst = ExitCode.DONE
    with open_workspace(context, environment) as workspace:
        for name, check in _checks(workspace):
            code = _run(name, check)
            worst = worst or code
    return worst


def _checks(workspace: Workspace) -> Iterator[tuple[str, Callable[[], str]]]:
    yield (
        "project",
        lambda: f"{workspace.project.root}: {len(select_campaigns(workspace.project, Selection())[0])} campaign(s)",
    )
    yield "digest key", lambda: workspace.home.key.fingerprint
    yield "account", lambda: account_of(workspace) or "none needed for the sandbox, or no login set"
    yield "api", lambda: _ask_balance(workspace)
    yield "state home", lambda: _look_at_home(workspace)
    yield "lock file", lambda: _look_at_lock(workspace)


def _run(name: str, check: Callable[[], str]) -> ExitCode:
    colour = colour_on(sys.stdout)
    try:
        click.echo(f"{paint('ok ', 'good', colour=colour)} {name:<11} {check()}")
        return ExitCode.DONE
    except OctoplanError as error:
        click.echo(f"{paint('BAD', 'bad', colour=colour)} {name:<11} {error.message}")
        if error.hint:
            click.echo(f"                {error.hint}")
        return error.exit_code


def _ask_balance(workspace: Workspace) -> str:
    with open_gateway(workspace, PriceGateway) as gateway:
        balance = gateway.balance()
    return f"answers; the wallet holds {render_amount(balance.amount)} {balance.unit}"


def _look_at_home(workspace: Workspace) -> str:
    require_durable_home(workspace)
    begun = len(workspace.home.campaigns())
    holder = workspace.home.holder()
    return f"{begun} campaign(s) begun; lease {'held by ' + str(holder) if holder else 'free'}"


def _look_at_lock(workspace: Workspace) -> str:
    require_home_knows_lock(workspace, workspace.home)
    return f"{workspace.lock_path.name}: {len(list(workspace.lock.batches()))} request(s), all known to the state home"
