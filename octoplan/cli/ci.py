"""`--report` and `--ci`: what a command leaves for the CI system it runs in, whether it ends well or with an error."""

from __future__ import annotations

import atexit
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Final, Literal, cast

import click

from octoplan import limits
from octoplan.cli.outputs import Output, emit
from octoplan.diagnostics import ExitCode, Finding, OctoplanError
from octoplan.plan.model import Plan
from octoplan.views.ci_text import annotation_lines, figures, github_output, render_dotenv
from octoplan.views.finding_reports import REPORTS, Checked
from octoplan.views.plan_markdown import render_failure_markdown

Ci = Literal["github", "gitlab", "none"]
_SIGNS: Final[tuple[tuple[str, Ci], ...]] = (("GITHUB_ACTIONS", "github"), ("GITLAB_CI", "gitlab"))
_DOTENV: Final = "dotenv"

COMMENT_BYTES_MAX: Final = {
    "github": limits.GITHUB_COMMENT_BYTES_MAX,
    "gitlab": limits.GITLAB_NOTE_BYTES_MAX,
    "none": limits.GITHUB_COMMENT_BYTES_MAX,
}
"""How long a comment may be; the smaller where nobody knows where it goes."""


class ReportType(click.ParamType["tuple[Output, ...]"]):
    """`KIND=FILE`, or several with commas between them."""

    name = "report"

    def __init__(self, kinds: Sequence[str]) -> None:
        self.kinds = kinds

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Output, ...]:
        """Check kinds and folders now, so that a long run does not end in a typing mistake."""
        if isinstance(value, tuple):
            return value
        return tuple(self._one(part, param, ctx) for part in str(value).split(","))

    def _one(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> Output:
        kind, _, path = text.partition("=")
        if kind not in self.kinds or not path:
            self.fail(f"`{text}` is none of: {', '.join(f'{kind}=FILE' for kind in self.kinds)}", param, ctx)
        if not Path(path).parent.is_dir():
            self.fail(f"there is no folder {Path(path).parent}", param, ctx)
        return Output(kind, Path(path))


def _report_option(kinds: Sequence[str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--report",
        "reports",
        type=ReportType(kinds),
        multiple=True,
        metavar="KIND=FILE,…",
        help=f"Also write {', '.join(kinds[:-1])} or {kinds[-1]} for a CI system; several with commas.",
    )


report_option = _report_option((*REPORTS,))
plan_report_option = _report_option((*REPORTS, _DOTENV))
ci_option = click.option(
    "--ci",
    type=click.Choice(("github", "gitlab", "none")),
    help="The CI system to speak to (default: the one that runs this).",
)


def detect_ci(asked: str | None) -> Ci:
    """What `--ci` says, else what the environment's own variables say."""
    if asked is not None:
        return cast("Ci", asked)
    return next((name for variable, name in _SIGNS if os.environ.get(variable) == "true"), "none")


def folder_in_repository(root: Path) -> PurePosixPath:
    """Where a project lies in the repository around it; the empty path where there is none."""
    root = root.absolute()
    for above in (root, *root.parents[: limits.PROJECT_PARENTS_MAX]):
        if (above / ".git").exists():
            return PurePosixPath(root.relative_to(above).as_posix())
    return PurePosixPath()


@dataclass(slots=True)
class CiRun:
    """
    A command's stay in a CI system: filled in on the way, published when the block ends.

    An error of octoplan's is published too and goes on; the command's exit code is never changed by what is published
    without being asked for.
    """

    command: str
    ci: Ci
    reports: Sequence[tuple[Output, ...]]
    outputs: Sequence[Output] = ()
    root: Path = field(default_factory=Path.cwd)
    files: Sequence[str] = ()
    findings: Sequence[Finding] = ()
    plan: Plan | None = None
    plan_file: str = ""
    exit_code: int = ExitCode.DONE
    summary: Callable[[int], str] | None = None
    """Makes the page for the step's summary, of at most so many bytes."""
    token: str = field(default_factory=lambda: f"octoplan-{secrets.token_hex(16)}")
    """Nobody knows it beforehand, so no text can hold it."""

    def __enter__(self) -> CiRun:
        if self.ci == "github":
            # Until the end, errors shown after this block included, GitHub takes no line for a command to it: a
            # campaign's text could look like one.
            self._stop_commands()
            atexit.register(self._resume_commands)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OctoplanError):
            self._fail(error)
        elif error is not None:
            return
        self._tell()
        self._write_reports()

    @property
    def is_read_by_programs(self) -> bool:
        """Whether somebody besides a person reads the result."""
        return self.ci != "none" or bool(self.reports)

    @property
    def comment_bytes_max(self) -> int:
        """How long a page for a comment may be here."""
        return COMMENT_BYTES_MAX[self.ci]

    def end(self, code: int) -> int:
        """Remember the exit code and hand it on."""
        self.exit_code = code
        return code

    def _fail(self, error: OctoplanError) -> None:
        """What is published where there is no result: the error, as the page that a comment shows too."""
        self.exit_code = error.exit_code
        bare = Finding("octoplan/error", "octoplan could not go on", "error", error.message, hint=error.hint)
        self.findings = error.findings or (bare,)

        def page(bytes_max: int) -> str:
            return render_failure_markdown(
                error.message, error.hint, error.findings, exit_code=int(error.exit_code), bytes_max=bytes_max
            )

        self.summary = page
        pages = [output for output in self.outputs if output.kind == "markdown"]
        emit(pages, {"markdown": lambda: page(self.comment_bytes_max)})

    def _tell(self) -> None:
        """GitHub's files and lines; a file that cannot be written is no reason to fail."""
        if self.ci != "github":
            return
        self._resume_commands()
        for line in annotation_lines(self._checked()):
            click.echo(line, err=True)
        self._stop_commands()
        if self.summary is not None:
            _append("GITHUB_STEP_SUMMARY", self.summary(limits.GITHUB_SUMMARY_BYTES_MAX))
        if self.command == "plan":
            values = figures(self.plan, self.exit_code, self.plan_file)
            _append("GITHUB_OUTPUT", github_output(values, self.token))

    def _stop_commands(self) -> None:
        click.echo(f"::stop-commands::{self.token}", err=True)

    def _resume_commands(self) -> None:
        click.echo(f"::{self.token}::", err=True)

    def _write_reports(self) -> None:
        checked = self._checked()
        emit(
            [output for several in self.reports for output in several],
            {
                **{kind: lambda render=render: render(checked) for kind, render in REPORTS.items()},  # type: ignore[misc]
                _DOTENV: lambda: render_dotenv(figures(self.plan, self.exit_code, self.plan_file)),
            },
        )

    def _checked(self) -> Checked:
        return Checked(self.command, self.findings, self.files, folder_in_repository(self.root))


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable)
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        click.echo(f"Warning: {variable} could not be written: {error.strerror}.", err=True)
