"""What the documents owe to the code."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from octoplan.cli.main import COMMANDS
from octoplan.diagnostics import ExitCode

DOCS = Path(__file__).parents[2] / "docs"


def test_every_exit_code_is_documented() -> None:
    """The table has exactly the codes that the command can end with."""
    table = (DOCS / "reference/exit-codes.md").read_text()
    rows = re.findall(r"^\| ([0-9, ]+) \|", table, re.MULTILINE)
    assert {int(code) for row in rows for code in row.split(",")} == {int(code) for code in ExitCode}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_is_documented(name: str) -> None:
    """Help with a whole sentence, a short help for the list, and a place in the documents."""
    command = importlib.import_module(f"octoplan.cli.{name}").command
    assert command.help
    assert command.help.strip().endswith(".")
    assert command.short_help
    assert COMMANDS[name]
    pages = [page.read_text() for page in DOCS.rglob("*.md")]
    assert any(re.search(rf"octoplan (-\S+ \S+ )?{name}\b", page) for page in pages)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name: str) -> None:
    """No flag without a word about what it does."""
    command = importlib.import_module(f"octoplan.cli.{name}").command
    commands = [command, *getattr(command, "commands", {}).values()]
    silent = [
        option.name
        for each in commands
        for option in each.params
        if option.param_type_name == "option" and not option.help
    ]
    assert silent == []
