"""`octoplan diff`: what is different between two git revisions."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import click

from octoplan.cli.comparing import Revisions, plan_at_revision
from octoplan.cli.outputs import Output, emit, output_option, require_one_stdout
from octoplan.cli.planning import Selection
from octoplan.cli.terminal import colour_on, width
from octoplan.cli.wiring import campaign_option, environment_option, open_workspace
from octoplan.diagnostics import InvalidInput
from octoplan.plan.compare import Comparison, compare_plans, comparison_document
from octoplan.plan.saved import render_document
from octoplan.views.comparison_text import render_comparison


@click.command(short_help="What is different between two git revisions.")
@click.argument("revisions", nargs=-1, required=True, metavar="REV1 [REV2]")
@environment_option
@campaign_option
@output_option
@click.pass_context
def command(
    context: click.Context,
    revisions: tuple[str, ...],
    environment: str | None,
    campaigns: tuple[str, ...],
    outputs: tuple[Output, ...],
) -> None:
    """
    Show what is different from REV1 to REV2, or to the working tree: texts word by word, recipients, costs.

    Both are planned with what was sent until now, without asking the API anything: costs are those that earlier plans
    were told, or the price file's. Of a contact list that is not in git, today's is taken on both sides. Sends nothing.
    """
    chosen = require_one_stdout(outputs)
    asked = Revisions.of(revisions)
    selection = Selection(campaigns, may_be_gone=True)
    with ExitStack() as stack:
        workspace = stack.enter_context(open_workspace(context, environment))
        before = stack.enter_context(plan_at_revision(workspace, asked.before, selection))
        after = stack.enter_context(plan_at_revision(workspace, asked.after, selection))
        comparison = compare_plans(before, after)
    _require_known(campaigns, comparison)
    renderers = {
        "text": lambda: render_comparison(comparison, width=width(), colour=colour_on(sys.stdout)),
        "json": lambda: render_document(comparison_document(comparison)),
    }
    emit(chosen, renderers)


def _require_known(campaigns: tuple[str, ...], comparison: Comparison) -> None:
    known = {*comparison.unchanged, *(change.campaign for change in comparison.campaigns)}
    unknown = [campaign for campaign in campaigns if campaign not in known]
    if unknown:
        raise InvalidInput(f"neither revision has a campaign {', '.join(unknown)}")
