"""`octoplan excluded`: the rows that get no message, for whoever mends the list."""

from __future__ import annotations

import sys

import click

from octoplan.audience.excluded import read_excluded
from octoplan.audience.policy import INVALID
from octoplan.audience.rules import EXPLANATIONS, NOT_MOBILE, UNSAFE_VALUE
from octoplan.cli.planning import Selection, select_campaigns
from octoplan.cli.progress import Progress
from octoplan.cli.terminal import colour_on, width
from octoplan.cli.wiring import account_of, environment_option, open_workspace
from octoplan.limits import EXCLUDED_SHOWN_MAX
from octoplan.meter import Meter
from octoplan.pipeline import Setting, resolve_contacts
from octoplan.views.excluded import render_excluded


@click.command(short_help="Show the rows that get no message, and why.")
@click.argument("campaign")
@environment_option
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    type=click.Choice(sorted(EXPLANATIONS.keys() - {UNSAFE_VALUE})),  # that one is known only with the message
    help="Only rows with this reason; without it, all rows whose number cannot be used.",
)
@click.option(
    "--count",
    default=20,
    show_default=True,
    type=click.IntRange(1, EXCLUDED_SHOWN_MAX),
    help="How many rows of each reason; the others are counted.",
)
@click.pass_context
def command(
    context: click.Context, campaign: str, environment: str | None, reasons: tuple[str, ...], count: int
) -> None:
    """
    List the rows of CAMPAIGN that are left out: file and line, what the number looks like, and what is wrong with it.

    Values are masked: digits are dots and letters `x`, only the last two digits of a number stay. Asks no API.
    """
    with open_workspace(context, environment) as workspace:
        (chosen, *_), _ = select_campaigns(workspace.project, Selection((campaign,)))
        with Progress(sys.stderr) as progress:
            account, meter = account_of(workspace), Meter(progress.tell)
            setting = Setting(
                workspace.project, workspace.name, workspace.settings, account, workspace.home.key, meter=meter
            )
            with resolve_contacts(setting, chosen, count) as audience:
                listed = read_excluded(audience, reasons or (*INVALID, NOT_MOBILE), chosen.region)
        contacts = audience.sources.records.shown
        column = audience.sources.records.names[audience.sources.phone]
        shown = render_excluded(
            chosen.id, contacts, column, audience.rows, listed, width=width(), colour=colour_on(sys.stdout)
        )
        click.echo(shown, nl=False)
