"""`octoplan completion`: what makes a shell complete commands, options, ids and file names."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

from octoplan.diagnostics import OctoplanError

VARIABLE: Final = "_OCTOPLAN_COMPLETE"
"""How the shell asks; click's own name for it."""


@click.command(short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """
    Print the script that makes SHELL complete commands, options, campaigns, environments and file names.

    docs/guides/testing-campaigns.md says where each shell looks for it.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise OctoplanError(f"click has no completion for {shell}")
    group = context.find_root().command
    click.echo(kind(group, {}, "octoplan", VARIABLE).source())
