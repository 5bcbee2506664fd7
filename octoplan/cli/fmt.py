"""`octoplan fmt`: one way to write campaign files, `octoplan.yaml` and tests."""

from __future__ import annotations

import difflib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
from pydantic import BaseModel

from octoplan.campaign.expectations import TestFile
from octoplan.campaign.formatting import Formatted, format_source
from octoplan.campaign.model import DEFAULT_CAMPAIGNS, DEFAULT_TESTS, CampaignModel, ProjectModel
from octoplan.campaign.project import PROJECT_FILE, choose_files, load_project, matches_any
from octoplan.campaign.source import read_source, resolve_inside
from octoplan.cli.folder import project_root
from octoplan.cli.terminal import colour_on
from octoplan.diagnostics import ExitCode, Finding, OctoplanError
from octoplan.views.problems import render_findings
from octoplan.views.text import count, paint


@click.command(short_help="Write the project's files in one way.")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Write nothing; exit 3 if a file would change.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
@click.pass_context
def command(context: click.Context, paths: tuple[Path, ...], check: bool, diff: bool) -> int:
    """
    Format octoplan.yaml, the campaign files and their tests; PATHS limit it to some files or folders.

    Fields come in the order of the schema, what other readers of YAML would take for a number, a time or a yes/no is
    quoted, and comments stay with what they are about. What a file says never changes; a file that cannot be read is
    left as it is.
    """
    root = project_root(context)
    patterns = _Patterns.of(root)
    names, findings = patterns.choose(list(paths) or None)
    changed = broken = 0
    for name in names:
        formatted, found = _format(root, name, patterns.kind_of(name))
        findings += found
        if formatted is None:
            broken += 1
        elif formatted.text != formatted.source.text or _has_other_bytes(root, formatted):
            changed += 1
            if diff:
                click.echo(_render_diff(formatted, colour=colour_on(sys.stdout)), nl=False)
            else:
                click.echo(f"{'would format' if check else 'formatted'} {name}")
            if not check and not diff:
                _replace(resolve_inside(root, name), formatted.text)
    click.echo(render_findings(findings, colour=colour_on(sys.stderr)), err=True, nl=False)
    click.echo(_summary(changed, broken, len(names), dry=check or diff), err=True)
    return ExitCode.INVALID if broken or (check and changed) else ExitCode.DONE


class _Patterns:
    """Which files of the project are what; those of a project that is not sound are where they usually are."""

    def __init__(self, root: Path, campaigns: tuple[str, ...], tests: tuple[str, ...]) -> None:
        self._root = root
        self._campaigns = campaigns
        self._tests = tests

    @classmethod
    def of(cls, root: Path) -> _Patterns:
        project, _ = load_project(root)
        if project is None:
            return cls(root, DEFAULT_CAMPAIGNS, DEFAULT_TESTS)
        return cls(root, project.model.campaigns, project.model.tests)

    def choose(self, paths: list[Path] | None) -> tuple[list[str], list[Finding]]:
        names, findings = choose_files(self._root, (PROJECT_FILE, *self._campaigns, *self._tests), paths)
        return names, findings

    def kind_of(self, name: str) -> type[BaseModel]:
        if name == PROJECT_FILE:
            return ProjectModel
        return TestFile if matches_any(name, self._tests) else CampaignModel


def _format(root: Path, name: str, kind: type[BaseModel]) -> tuple[Formatted | None, list[Finding]]:
    source, findings = read_source(root, name)
    if source is None:
        return None, findings
    formatted, found = format_source(source, kind)
    return formatted, [*findings, *found]


def _has_other_bytes(root: Path, formatted: Formatted) -> bool:
    """Whether the file has other line ends, or a byte-order mark, which its text no longer shows."""
    return resolve_inside(root, formatted.source.name).read_bytes() != formatted.text.encode()


def _render_diff(formatted: Formatted, *, colour: bool) -> str:
    before, after = formatted.source.text.splitlines(), formatted.text.splitlines()
    name = formatted.source.name
    lines = difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", lineterm="")
    return "".join(f"{line}\n" for line in _painted(lines, colour=colour))


def _painted(lines: Iterator[str], *, colour: bool) -> Iterator[str]:
    styles = {"+": "good", "-": "bad", "@": "label"}
    for line in lines:
        style = styles.get(line[:1])
        yield line if style is None else paint(line, style, colour=colour)


def _replace(path: Path, text: str) -> None:
    """
    Replace a file whole or not at all, with the permissions it has.

    :raises OctoplanError: if it cannot be written.
    """
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".octoplan-fmt-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
                os.fchmod(stream.fileno(), path.stat().st_mode & 0o7777)
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OctoplanError(f"{path} could not be written: {error.strerror}; it is as it was") from None


def _summary(changed: int, broken: int, total: int, *, dry: bool) -> str:
    said = [f"{changed} {'would be formatted' if dry else 'formatted'}"] if changed else []
    said += [f"{broken} cannot be read"] if broken else []
    return f"{count(total, 'file')}: {', '.join(said) or 'nothing to format'}"
