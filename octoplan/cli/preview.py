"""`octoplan preview`: messages as a phone shows them."""

from __future__ import annotations

import sys
from collections.abc import Collection

import click

from octoplan.audience.readers.together import row_at
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
    "--line",
    "lines",
    multiple=True,
    metavar="LINE",
    help="The recipient on this line of the contacts file, as the plan shows it: `17`, of several files `FILE:17`.",
)
@click.option(
    "--count", default=2, show_default=True, type=click.IntRange(1, 50), help="How many of the first recipients."
)
@click.option("--reveal", is_flag=True, help="Show phone numbers in full.")
@click.pass_context
def command(
    context: click.Context, campaign: str, environment: str | None, lines: tuple[str, ...], count: int, reveal: bool
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
        records = prepared.audience.sources.records
        rows = {line: row_at(records, line) for line in lines}
        with prepared.audience:
            messages = choose_messages(prepared, rows.values(), count)
        found = {message.row for message in messages}
        missing = [line for line, row in rows.items() if row not in found]
        if missing:
            raise InvalidInput(
                f"no recipient comes from line {', '.join(missing)}",
                hint="write a line as `octoplan plan` does, which also says which are left out; "
                f"`octoplan excluded {campaign}` shows why",
            )
        for message in messages:
            click.echo(render_phone(message, width=width(), colour=colour_on(sys.stdout), reveal=reveal))


def choose_messages(prepared: Prepared, rows: Collection[int | None], count: int) -> list[PhoneMessage]:
    """The messages of these records; without any, the longest, the shortest and the first few of the audience."""
    statistics, records = prepared.dispatch.message.statistics, prepared.audience.sources.records
    labels: dict[int | None, str] = dict.fromkeys(rows, "chosen")
    if not rows:
        extremes = [("shortest", statistics.shortest), ("longest", statistics.longest)]
        labels = {extreme.row: label for label, extreme in extremes if extreme is not None}
    found: list[PhoneMessage] = []
    others = 0
    for batch in prepared.dispatch.message.filled_texts():
        for index, row in enumerate(batch.column("row").to_pylist()):
            if row in labels or (not rows and others < count):
                others += row not in labels
                record = batch.slice(index, 1).to_pylist()[0]
                label, line, sender = (
                    labels.get(row, "example"),
                    records.place_of(row),
                    prepared.dispatch.request.sender,
                )
                found.append(PhoneMessage(label, row, line, sender, record["phone"], record["filled"]))
    order = ["chosen", "longest", "shortest", "example"]
    return sorted(found, key=lambda message: (order.index(message.label), message.row))
