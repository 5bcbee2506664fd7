"""`octoplan preview`: messages as a phone shows them."""

from __future__ import annotations

import sys

import click

from octoplan.cli.planning import Selection, select_campaigns
from octoplan.cli.terminal import colour_on, width
from octoplan.cli.wiring import account_of, environment_option, open_workspace
from octoplan.diagnostics import InvalidInput
from octoplan.pipeline import Setting, prepare_campaign
from octoplan.plan.build import Prepared
from octoplan.views.preview import PhoneMessage, render_phone


@click.command(short_help="Messages as a phone shows them.")
@click.argument("campaign")
@environment_option
@click.option(
    "--line", "lines", multiple=True, type=click.IntRange(1), help="The recipient on this line of the contacts file."
)
@click.option(
    "--count", default=2, show_default=True, type=click.IntRange(1, 50), help="How many of the first recipients."
)
@click.option("--reveal", is_flag=True, help="Show phone numbers in full.")
@click.pass_context
def command(
    context: click.Context, campaign: str, environment: str | None, lines: tuple[int, ...], count: int, reveal: bool
) -> None:
    """
    Draw the messages of CAMPAIGN: sender, parts and encoding; the longest and the shortest, then a few others.

    Numbers are masked; the texts are what the recipients read. Asks no API.
    """
    with open_workspace(context, environment) as workspace:
        chosen, _ = select_campaigns(workspace.project, Selection((campaign,)))
        account = account_of(workspace)
        setting = Setting(workspace.project, workspace.name, workspace.settings, account, workspace.home.key)
        prepared = prepare_campaign(setting, chosen[0])
        with prepared.audience:
            messages = choose_messages(prepared, lines, count)
        missing = set(lines) - {message.line for message in messages}
        if missing:
            listed = ", ".join(str(line) for line in sorted(missing))
            raise InvalidInput(
                f"no recipient comes from line {listed}", hint="`octoplan plan` says which lines are left out, and why"
            )
        for message in messages:
            click.echo(render_phone(message, width=width(), colour=colour_on(sys.stdout), reveal=reveal))


def choose_messages(prepared: Prepared, lines: tuple[int, ...], count: int) -> list[PhoneMessage]:
    """The messages of `lines`; without any, the longest, the shortest and the first few of the audience's order."""
    statistics = prepared.dispatch.message.statistics
    labels = dict.fromkeys(lines, "chosen")
    if not lines:
        extremes = [("shortest", statistics.shortest), ("longest", statistics.longest)]
        labels = {extreme.row: label for label, extreme in extremes if extreme is not None}
    found: list[PhoneMessage] = []
    others = 0
    for batch in prepared.dispatch.message.filled_texts():
        for index, line in enumerate(batch.column("row").to_pylist()):
            if line in labels or (not lines and others < count):
                others += line not in labels
                record = batch.slice(index, 1).to_pylist()[0]
                sender = prepared.dispatch.request.sender
                found.append(PhoneMessage(labels.get(line, "example"), line, sender, record["phone"], record["filled"]))
    order = ["chosen", "longest", "shortest", "example"]
    return sorted(found, key=lambda message: (order.index(message.label), message.line))
