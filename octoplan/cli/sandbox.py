"""`octoplan sandbox`: the local API in the foreground, shared by all commands of the project."""

from __future__ import annotations

import click

from octoplan.cli.sandboxed import API_PATH, KEY, LOGIN, sandbox_folder
from octoplan.cli.wiring import open_project
from octoplan.diagnostics import OctoplanError
from octoplan.sandbox.server import SandboxError, run_server


@click.command(short_help="Run the local API.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Port to listen on (default: a free one).")
@click.pass_context
def command(context: click.Context, port: int) -> None:
    """
    Run the sandbox, a faithful local copy of the SMS API that sends nothing, until Ctrl-C.

    Every command with `--env sandbox` finds it; without it they start one for themselves. What it accepted is kept in
    .octoplan/sandbox/ and can be asked for: see docs/sandbox.md.
    """
    project, _ = open_project(context)
    try:
        run_server(sandbox_folder(project.root), port=port, on_ready=_say)
    except SandboxError as error:
        raise OctoplanError(str(error)) from None


def _say(url: str) -> None:
    click.echo(f"Sandbox at {url}{API_PATH} (api-login: {LOGIN.reveal()}, api-key: {KEY.reveal()})")
    click.echo(f"Who got what:  curl {url}/_sandbox/accepted")
    click.echo(f"In a few figures:  curl {url}/_sandbox/accepted/summary")
    click.echo("Ctrl-C ends it; its state is kept.")
