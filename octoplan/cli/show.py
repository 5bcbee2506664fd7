"""`octoplan show`: everything that is known of one campaign."""

from __future__ import annotations

import click

from octoplan.cli.wiring import campaign_argument, environment_option, open_workspace
from octoplan.clock import to_text
from octoplan.diagnostics import InvalidInput
from octoplan.state.journal import BatchState, CampaignState, Entry
from octoplan.values.amount import render_amount

_DATA_SHOWN = ("request_id", "attempt", "recipients", "ticket", "cost", "code", "note", "anomaly", "reason")


@click.command(short_help="Everything known of one campaign.")
@campaign_argument
@environment_option
@click.pass_context
def command(context: click.Context, campaign: str, environment: str | None) -> None:
    """Show the content CAMPAIGN was sent with, its batches, and its journal."""
    with open_workspace(context, environment) as workspace:
        state = workspace.home.campaigns().get(campaign)
        if state is None:
            known = ", ".join(sorted(workspace.home.campaigns())) or "none"
            raise InvalidInput(
                f"nothing was sent for `{campaign}` in {workspace.name}", hint=f"campaigns begun here: {known}"
            )
        for line in (*_content(state), *_batches(state), *_journal(list(workspace.home.entries(campaign)))):
            click.echo(line)


def _content(state: CampaignState) -> list[str]:
    content = state.content or {}
    return [f"{state.campaign}", *(f"  {name:<32} {value}" for name, value in sorted(content.items()))]


def _batches(state: CampaignState) -> list[str]:
    ordered = sorted(state.batches.values(), key=lambda batch: (batch.opened_at, batch.digest))
    return ["", "batches", *(f"  {_batch(batch)}" for batch in ordered)]


def _batch(batch: BatchState) -> str:
    cost = "" if batch.cost is None else f", billed {render_amount(batch.cost)}"
    ticket = f", ticket {batch.ticket}" if batch.ticket else ""
    note = f" ({batch.note})" if batch.note else ""
    when = f", for {batch.send_at}" if batch.send_at else ""
    return f"{batch.digest}  {batch.phase:<5} {batch.recipients:,} recipients{when}{cost}{ticket}{note}"


def _journal(entries: list[Entry]) -> list[str]:
    return ["", "journal", *(f"  {_entry(entry)}" for entry in entries)]


def _entry(entry: Entry) -> str:
    shown = [f"{name}={entry.data[name]}" for name in _DATA_SHOWN if entry.data.get(name) is not None]
    return " ".join([to_text(entry.at), entry.run, f"{entry.kind:<16}", (entry.batch or "")[:15], *shown]).rstrip()
