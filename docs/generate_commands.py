"""
Write `docs/reference/commands.md` from the commands themselves.

    .venv/bin/python docs/generate_commands.py

A test fails while the page is not what this makes of the code.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from octoplan.cli.main import cli

PAGE: Final = Path(__file__).parent / "reference" / "commands.md"
HEAD: Final = """\
# Commands

Made from the code by `docs/generate_commands.py`; do not edit it here. `octoplan COMMAND --help` says the same.

Flags win over [environment variables](environment-variables.md), and these over `octoplan.yaml`. Results go to standard
output; progress, warnings and questions to standard error. The last word of every command is its
[exit code](exit-codes.md).
"""


def render_commands() -> str:
    """The whole page."""
    context = click.Context(cli, info_name="octoplan")
    return "\n".join([HEAD, *_command(cli, context, "octoplan"), *_subcommands(cli, context)])


def _subcommands(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            raise LookupError(f"{name} is listed but not there")
        inner = click.Context(command, info_name=name, parent=context)
        yield from _command(command, inner, inner.command_path)
        if isinstance(command, click.Group):
            yield from _subcommands(command, inner)


def _command(command: click.Command, context: click.Context, path: str) -> Iterator[str]:
    yield f"## `{path}`\n"
    yield f"    {path} {' '.join(command.collect_usage_pieces(context))}\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    options = [param for param in command.params if isinstance(param, click.Option)]
    records = [record for option in options if (record := option.get_help_record(context))]
    if records:
        yield "| option | meaning |"
        yield "|---|---|"
        yield from (f"| `{_cell(option)}` | {_cell(meaning)} |" for option, meaning in records)
        yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(render_commands(), encoding="utf-8")
