"""`octoplan test`: campaigns held against what they are expected to do with made-up contacts."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from octoplan.campaign.project import choose_files, load_campaigns
from octoplan.cli.outputs import Output, OutputType, emit, output_option, require_one_stdout
from octoplan.cli.terminal import colour_on
from octoplan.cli.wiring import open_project
from octoplan.diagnostics import ExitCode, InvalidInput, require_no_errors
from octoplan.rehearsal import run_file
from octoplan.views.rehearsal import render_tests, render_tests_json, render_tests_junit


@click.command(short_help="Test campaigns with made-up contacts.")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--report",
    "reports",
    type=OutputType(("junit",)),
    multiple=True,
    metavar="junit=FILE",
    help="Also write the results as JUnit XML, for the test reports of a CI system.",
)
@output_option
@click.pass_context
def command(
    context: click.Context, paths: tuple[Path, ...], reports: tuple[Output, ...], outputs: tuple[Output, ...]
) -> int:
    """
    Plan campaigns for the made-up contacts of tests/*.yaml, and compare texts, parts, costs and reasons with what is
    expected. Asks nobody, sends nothing, reads no list of the project, and needs no key.

    PATHS limit it to some files or folders. Exits 3 if a test fails.
    """
    chosen = require_one_stdout(outputs)
    if any(report.path is None for report in reports):
        raise InvalidInput("`--report junit` needs a file", hint="`--report junit=report.xml`")
    project, _ = open_project(context)
    names, findings = choose_files(project.root, project.model.tests, list(paths) or None)
    require_no_errors(findings, "the tests cannot be found")
    if not names:
        patterns = ", ".join(project.model.tests)
        raise InvalidInput(f"there is no test: looked for {patterns}", hint="docs/guides/testing-campaigns.md")
    campaigns, loaded = load_campaigns(project)
    results = [run_file(project, campaigns, loaded, name) for name in names]
    renderers = {
        "text": lambda: render_tests(results, colour=colour_on(sys.stdout)),
        "json": lambda: render_tests_json(results),
        "junit": lambda: render_tests_junit(results),
    }
    emit([*chosen, *reports], renderers)
    return ExitCode.DONE if all(result.passed for result in results) else ExitCode.INVALID
