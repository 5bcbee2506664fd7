"""What the pages show as files and commands is what octoplan takes; `test_tutorial.py` runs some of them besides."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click
import pytest
import yaml
from pydantic import BaseModel

from octoplan.campaign import expectations
from octoplan.campaign.model import CampaignModel, Environment, ProjectModel
from octoplan.cli.main import cli
from tests.behaviour.test_tutorial import PAGES as RUN

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SPAN: Final = re.compile(r"(?<!`)`(octoplan [^`]+)`(?!`)")
ENVIRONMENT: Final = {
    "endpoint": "https://api.octopush.com/v1/public",
    "credentials": {"login": "env/LOGIN", "key": "env/KEY"},
}
CAMPAIGN: Final = {
    "id": "spring",
    "type": "sms_premium",
    "purpose": "alert",
    "message": {"template": "Bonjour."},
    "recipients": {"path": "data/contacts.csv", "phone": "mobile"},
}
WHOLE: Final[tuple[tuple[type[BaseModel], Mapping[str, Any]], ...]] = (
    (CampaignModel, CAMPAIGN),
    (ProjectModel, {"project": "shop", "environments": {"production": ENVIRONMENT, "staging": ENVIRONMENT}}),
    (Environment, ENVIRONMENT),
    (expectations.TestFile, {}),
)
"""Kinds of files and mappings, each with what a page may leave out where it shows a part only."""
OTHERS: Final = ("version", "date", "permissions")
"""First fields of what is no file for people to write (a lock file), a list of prices, and somebody else's format."""


def blocks(*languages: str) -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        yield from ((page, found[2]) for found in BLOCK.finditer(page.read_text("utf-8")) if found[1] in languages)


def completed(given: Mapping[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    """What a page shows, and the rest of what has to be there; a source says by itself what it needs."""
    inner = {"message", "environments", "production", "staging"} & given.keys() & rest.keys()
    return {**rest, **given, **{name: completed(given[name], rest[name]) for name in inner}}


def kind_of(given: Mapping[str, Any]) -> tuple[type[BaseModel], Mapping[str, Any]]:
    """The first kind that has all these fields."""
    for kind, rest in WHOLE:
        names = {field.alias or name for name, field in kind.model_fields.items()}
        if given.keys() <= names:
            return kind, rest
    raise AssertionError(f"no kind of file has the fields {sorted(given)}")


YAML: Final = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
    for number, (page, block) in enumerate(blocks("yaml"))
    if str(page.relative_to(ROOT)) not in RUN
]


@pytest.mark.parametrize("block", YAML)
def test_every_yaml_is_a_file_that_octoplan_takes(block: str) -> None:
    """A whole campaign, project or test is valid as it stands, a part of one in the place where it belongs."""
    given = yaml.load(block, Loader=yaml.BaseLoader)  # every value stays text, as octoplan reads it
    if next(iter(given)) in OTHERS:
        return
    kind, rest = kind_of(given)
    kind.model_validate(given if given.keys() & {"id", "project"} else completed(given, rest))


def commands() -> Iterator[tuple[Path, str]]:
    """Every octoplan command of a page: in its text, and in what is to be typed."""
    for page in PAGES:
        yield from ((page, found) for found in SPAN.findall(page.read_text("utf-8")))
    for page, block in blocks("console", "sh"):
        lines = (line.strip().removeprefix("$ ") for line in block.splitlines())
        yield from ((page, line) for line in lines if line.startswith("octoplan ") and not line.endswith(("…", ":")))


def words_of(line: str) -> list[str]:
    """Up to the end of the command: a comment, a pipe or another command ends it."""
    words = shlex.split(line.replace("…", "X").replace("'", ""), comments=True)
    return words[: next((at for at, word in enumerate(words) if word in ("|", "||", "&&", ">", ">>", ";")), None)][1:]


def unknown_in(words: list[str]) -> str | None:
    """The first word that is no command, where one has to be, or no option of the command before it."""
    command: click.Command = cli
    for word in words:
        context = click.Context(command)
        options = {name for param in command.get_params(context) for name in (*param.opts, *param.secondary_opts)}
        if word.startswith("-"):
            if word.partition("=")[0] not in options:
                return word
        elif isinstance(command, click.Group):
            inner = command.get_command(context, word)
            if inner is None and word.isalpha() and word.islower():
                return word
            command = inner or command
    return None


def test_every_command_and_option_exists() -> None:
    """No page tells people to type what octoplan does not know, in a block or in a sentence."""
    found = list(commands())
    assert len(found) > 200
    wrong = [f"{page.relative_to(ROOT)}: {line}" for page, line in found if unknown_in(words_of(line))]
    assert wrong == []


@pytest.mark.parametrize("line", ["octoplan aply", "octoplan plan --ouput json", "octoplan state frget --campaign X"])
def test_a_word_that_does_not_exist_is_found(line: str) -> None:
    """The check above can fail."""
    assert unknown_in(words_of(line))
