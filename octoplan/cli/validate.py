"""`octoplan validate`: every finding at once, without asking anybody."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from octoplan.campaign.policy import check_policy
from octoplan.campaign.project import PROJECT_FILE, load_campaigns, load_project
from octoplan.catalogue import check_overrides
from octoplan.cli.ci import CiRun, ci_option, detect_ci, report_option
from octoplan.cli.folder import project_root
from octoplan.cli.outputs import Output, emit, output_option, require_one_stdout
from octoplan.cli.terminal import colour_on
from octoplan.diagnostics import ExitCode, Finding
from octoplan.views.problems import render_findings


@click.command(short_help="Check the project's files.")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@report_option
@ci_option
@output_option
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[Path, ...],
    reports: tuple[tuple[Output, ...], ...],
    ci: str | None,
    outputs: tuple[Output, ...],
) -> int:
    """
    Check octoplan.yaml and the campaign files, and show every finding with its place and a hint.

    Reads no contacts and asks no API: `octoplan plan` checks those. PATHS limit the check to some campaign files.
    """
    chosen = require_one_stdout(outputs)
    with CiRun("validate", detect_ci(ci), reports) as run:
        run.root = project_root(context)
        project, found = load_project(run.root)
        campaigns = 0
        if project is not None:
            loaded, more = load_campaigns(project, list(paths) or None)
            run.files = [campaign.file for campaign in loaded]
            broken = [each for campaign in loaded for each in check_policy(project.model.policy, campaign)]
            campaigns, found = len(loaded), [*found, *more, *check_overrides(loaded), *broken]
        run.findings = found
        errors = sum(finding.severity == "error" for finding in found)
        summary = f"{campaigns} campaign(s) without errors; {errors} error(s), {len(found) - errors} warning(s)\n"
        colour = colour_on(sys.stdout)
        emit(
            chosen,
            {
                "text": lambda: (
                    render_findings(found, colour=colour) + (f"{PROJECT_FILE}: " if not found else "") + summary
                ),
                "json": lambda: json.dumps([_plain(finding) for finding in found], indent=2, ensure_ascii=False) + "\n",
            },
        )
        return run.end(ExitCode.INVALID if errors else ExitCode.DONE)


def _plain(finding: Finding) -> dict[str, object]:
    place = finding.place
    return {
        "code": finding.code,
        "severity": finding.severity,
        "summary": finding.summary,
        "detail": finding.detail,
        "hint": finding.hint,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
    }
