"""`octoplan plan`: show what apply would do."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import click

from octoplan.campaign.checkout import UnusableRevision
from octoplan.cli.ci import CiRun, ci_option, detect_ci, plan_report_option
from octoplan.cli.comparing import plan_at_revision, plan_in_file, present_plan
from octoplan.cli.outputs import Output, emit, plan_output_option, require_one_stdout
from octoplan.cli.planning import Planned, Selection, endpoint_of, planning, timings_option, verify_plan
from octoplan.cli.pricing import chosen_simulation, offline_option, open_pricing, simulate_option
from octoplan.cli.terminal import colour_on, width
from octoplan.cli.wiring import Workspace, campaign_option, environment_option, open_gateway, open_workspace
from octoplan.diagnostics import ExitCode
from octoplan.digests import DigestKey
from octoplan.gateway.octopush import PriceGateway
from octoplan.plan.compare import Comparison, compare_plans, comparison_document
from octoplan.plan.model import Plan
from octoplan.plan.saved import plan_document, render_document
from octoplan.views.comparison_text import render_comparison
from octoplan.views.finding_reports import refusals
from octoplan.views.plan_html import render_plan_page
from octoplan.views.plan_markdown import render_plan_markdown
from octoplan.views.plan_text import render_plan
from octoplan.views.problems import render_findings
from octoplan.views.timings import render_timings


@click.command(short_help="Show what apply would do.")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@environment_option
@campaign_option
@click.option("--out", type=click.Path(path_type=Path), help="Save the plan for `octoplan apply FILE`.")
@simulate_option
@offline_option
@click.option("--verify", is_flag=True, help="Also render every message as a whole and compare it with what is sent.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 if apply would send something.")
@click.option("--no-cache", is_flag=True, help="Check every list anew, also one that did not change.")
@click.option(
    "--compare",
    metavar="OTHER",
    help="Also show what is different from another plan, in a file, or from a git revision, such as the base branch.",
)
@click.option("--all", "everything", is_flag=True, help="Each campaign in full, also of many, and those sent before.")
@timings_option
@plan_report_option
@ci_option
@plan_output_option
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[Path, ...],
    environment: str | None,
    campaigns: tuple[str, ...],
    out: Path | None,
    simulate: str | None,
    offline: bool,
    verify: bool,
    detailed_exitcode: bool,
    no_cache: bool,
    compare: str | None,
    everything: bool,
    wants_timings: bool,
    reports: tuple[tuple[Output, ...], ...],
    ci: str | None,
    outputs: tuple[Output, ...],
) -> int:
    """
    Show what apply would do: to whom, with which text, in how many parts, for how much. Sends nothing.

    PATHS are campaign files or folders; without them all campaigns of the project are planned.
    """
    chosen = require_one_stdout(outputs)
    asked = chosen_simulation(simulate, offline=offline)
    with ExitStack() as stack:
        run = stack.enter_context(CiRun("plan", detect_ci(ci), reports, chosen))
        workspace = stack.enter_context(open_workspace(context, environment))
        run.root = workspace.project.root
        prices = None if asked == "none" else stack.enter_context(open_gateway(workspace, PriceGateway))
        # What is going to be approved shows what the API says today.
        pricing = stack.enter_context(open_pricing(workspace, asked, recalls=out is None))
        selection = Selection(campaigns, paths)
        # What a program reads or apply takes is never from the cache.
        is_shown = all(output.kind != "json" for output in chosen) and not run.is_read_by_programs
        is_for_eyes = is_shown and out is None and compare is None and not verify
        cache: Literal["use", "renew"] = "use" if is_for_eyes and not no_cache else "renew"
        planned = stack.enter_context(
            planning(workspace, prices, selection, endpoint=endpoint_of(workspace), cache=cache, pricing=pricing)
        )
        plan = run.plan = planned.plan
        run.findings = [*plan.findings, *refusals(plan)]
        run.files = [action.file for action in plan.actions]
        for campaign, since in planned.unchanged_since.items():
            told = f"{campaign}: unchanged since {since:%Y-%m-%d %H:%M:%S} UTC, from the cache"
            click.echo(f"{told} (`--no-cache` checks it anew).", err=True)
        if verify:
            for line in verify_plan(planned.prepared):
                click.echo(line, err=True)
        click.echo(render_findings(plan.findings, colour=colour_on(sys.stderr)), err=True, nl=False)
        key = workspace.home.key
        comparison = None if compare is None else _compare(workspace, compare, planned, selection)
        run.summary = lambda bytes_max: render_plan_markdown(plan, comparison, bytes_max=bytes_max)
        renderers = {
            "text": lambda: _text(plan, comparison, everything=everything),
            "html": lambda: render_plan_page(plan),
            "markdown": lambda: render_plan_markdown(plan, comparison, bytes_max=run.comment_bytes_max),
            "json": lambda: render_document(_document(planned, key, comparison, wants_timings=wants_timings)),
        }
        emit(chosen, renderers)
        if out is not None:
            emit([Output("json", out)], {"json": lambda: render_document(plan_document(plan, key))})
            run.plan_file = str(out)
            click.echo(f"Saved to {out}; carry it out with `octoplan apply {out}`.", err=True)
        if wants_timings:
            click.echo(render_timings(planned.timings), err=True, nl=False)
        return run.end(_exit_code(plan, detailed=detailed_exitcode))


def _exit_code(plan: Plan, *, detailed: bool) -> ExitCode:
    if plan.exit_code is not ExitCode.DONE:
        return plan.exit_code
    return ExitCode.CHANGES if detailed and plan.sending else ExitCode.DONE


def _compare(workspace: Workspace, other: str, planned: Planned, selection: Selection) -> Comparison | None:
    """
    The other plan beside this one; only what was chosen of both, if something was.

    `None`, with a word about it, for a revision that cannot be used: who mends its errors must be able to see the plan.
    """
    campaigns = [each.campaign for each in planned.prepared]
    after = present_plan(workspace, planned.plan, campaigns)
    is_part = bool(selection.ids or selection.paths)
    only = {*selection.ids, *(campaign.id for campaign in campaigns)} if is_part else None
    if Path(other).is_file():
        return compare_plans(plan_in_file(workspace, Path(other)), after, only)
    try:
        with plan_at_revision(workspace, other, replace(selection, may_be_gone=True)) as before:
            return compare_plans(before, after, only)
    except UnusableRevision as error:
        click.echo(f"Not compared: {error.message}", err=True)
        return None


def _text(plan: Plan, comparison: Comparison | None, *, everything: bool) -> str:
    """The plan, and what is different about it."""
    columns, colour = width(), colour_on(sys.stdout)
    shown = render_plan(plan, width=columns, colour=colour, everything=everything)
    return shown if comparison is None else f"{shown}\n{render_comparison(comparison, width=columns, colour=colour)}"


def _document(
    planned: Planned, key: DigestKey, comparison: Comparison | None, *, wants_timings: bool
) -> dict[str, Any]:
    document = plan_document(planned.plan, key)
    if comparison is not None:
        document |= {"comparison": comparison_document(comparison)}
    return document | {"timings": planned.timings.to_data()} if wants_timings else document
