"""`octoplan report`: what was sent over time, for whoever pays for it."""

from __future__ import annotations

import re
import sys
from datetime import UTC
from typing import Final

import click

from octoplan.cli.outputs import REPORT_KINDS, Output, emit, option_for, require_one_stdout
from octoplan.cli.planning import batches_unknown_to
from octoplan.cli.terminal import colour_on, width
from octoplan.cli.wiring import Workspace, campaign_option, environment_option, open_workspace
from octoplan.diagnostics import InvalidInput, StateUnavailable
from octoplan.state.history import RequestRecord, history_of
from octoplan.values.local_time import load_zone
from octoplan.views.history import (
    By,
    History,
    render_history_csv,
    render_history_json,
    render_history_markdown,
    render_history_text,
)
from octoplan.views.history_html import render_history_page

_MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


def _month(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _MONTH.fullmatch(value):
        raise click.BadParameter(f"`{value}` is no month such as 2027-03")
    return value


@click.command(short_help="What was sent and billed, by campaign and month.")
@environment_option
@campaign_option
@click.option("--month", metavar="YYYY-MM", callback=_month, help="Only this month, in the project's time zone.")
@click.option(
    "--by",
    type=click.Choice(["campaign", "request"]),
    default="campaign",
    show_default=True,
    help="One row a campaign and month, or one a request, with its ticket.",
)
@option_for(REPORT_KINDS)
@click.pass_context
def command(
    context: click.Context,
    environment: str | None,
    campaigns: tuple[str, ...],
    month: str | None,
    by: By,
    outputs: tuple[Output, ...],
) -> None:
    """
    Report what was sent over time: billed against planned, refused, left out and unknown, by campaign and month.

    It is read from the state home; the API is not asked. A request counts in the month in which it was first tried.
    """
    chosen = require_one_stdout(outputs)
    with open_workspace(context, environment) as workspace:
        _require_whole(workspace)
        history = _history(workspace, campaigns, month, by)
    renderers = {
        "text": lambda: render_history_text(history, width=width(), colour=colour_on(sys.stdout)),
        "csv": lambda: render_history_csv(history),
        "json": lambda: render_history_json(history),
        "markdown": lambda: render_history_markdown(history),
        "html": lambda: render_history_page(history),
    }
    emit(chosen, renderers)


def _require_whole(workspace: Workspace) -> None:
    """:raises StateUnavailable: if the lock file records what the state home does not know."""
    missing = batches_unknown_to(workspace.home, workspace)
    if missing:
        raise StateUnavailable(
            f"{workspace.lock_path.name} records {len(missing)} request(s) that the state home here does not know: "
            "the report would not be whole",
            hint="report from the machine that sent them, or with its state home",
        )


def _history(workspace: Workspace, campaigns: tuple[str, ...], month: str | None, by: By) -> History:
    known = workspace.home.campaigns()
    unknown = sorted(set(campaigns) - known.keys())
    if unknown:
        hint = f"campaigns begun here: {', '.join(sorted(known)) or 'none'}"
        raise InvalidInput(f"nothing was sent for {', '.join(unknown)} in {workspace.name}", hint=hint)

    def is_wanted(record: RequestRecord) -> bool:
        return month in (None, record.month) and (not campaigns or record.campaign in campaigns)

    name = workspace.project.model.defaults.timezone
    zone = UTC if name is None else load_zone(name)
    return History(
        project=workspace.project.model.project,
        environment=workspace.name,
        zone=name or "UTC",
        made_at=workspace.clock.now(),
        by=by,
        months=history_of(workspace.home.entries(), zone, is_wanted),
        month=month,
        campaigns=campaigns,
    )
