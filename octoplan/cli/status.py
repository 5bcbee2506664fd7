"""`octoplan status`: what was sent, what is open, who holds the lease."""

from __future__ import annotations

import json

import click

from octoplan.cli.outputs import Output, emit, output_option, require_one_stdout
from octoplan.cli.wiring import Workspace, environment_option, open_workspace
from octoplan.diagnostics import ExitCode
from octoplan.state.journal import CampaignState, Phase
from octoplan.state.lock import lock_of
from octoplan.values.amount import render_amount
from octoplan.views.text import count, instant


@click.command(short_help="What was sent and what is open.")
@environment_option
@output_option
@click.pass_context
def command(context: click.Context, environment: str | None, outputs: tuple[Output, ...]) -> int:
    """Show every campaign that was begun in an environment. Exits 10 while an outcome is unknown."""
    chosen = require_one_stdout(outputs)
    with open_workspace(context, environment) as workspace:
        states = sorted(workspace.home.campaigns().values(), key=lambda state: state.campaign)
        renderers = {"text": lambda: _text(workspace, states), "json": lambda: _json(workspace, states)}
        emit(chosen, renderers)
    unknown = any(state.in_phase(Phase.OPEN) for state in states)
    return ExitCode.UNKNOWN if unknown else ExitCode.DONE


def _text(workspace: Workspace, states: list[CampaignState]) -> str:
    lines = [f"{workspace.project.model.project} in {workspace.name}"]
    holder = workspace.home.holder()
    if holder is not None:
        lines.append(f"an apply is running: {holder}")
    if not states:
        lines.append("nothing was sent yet")
    width = max((len(state.campaign) for state in states), default=0)
    lines += [f"  {state.campaign:<{width}}  {_line(state)}" for state in states]
    if lock_of(workspace.name, workspace.home.key.fingerprint, states) != workspace.lock:
        lines.append(f"{workspace.lock_path.name} is behind: the next apply writes it, or `octoplan lock rebuild`")
    return "\n".join(lines) + "\n"


def _line(state: CampaignState) -> str:
    sent, unknown = state.in_phase(Phase.SENT), state.in_phase(Phase.OPEN)
    costs = [batch.cost for batch in sent]
    known = [cost for cost in costs if cost is not None]
    billed = render_amount(sum(known)) if known and len(known) == len(costs) else "unknown"  # type: ignore[arg-type]
    parts = [f"{count(state.sent_recipients, 'message')} sent in {count(len(sent), 'request')}, billed {billed}"]
    if unknown:
        people = sum(batch.recipients for batch in unknown)
        parts.append(f"UNKNOWN: {count(people, 'message')} in {count(len(unknown), 'request')} (octoplan recover)")
    if sent:
        parts.append(f"last {instant(max(batch.changed_at for batch in sent))}")
    return "; ".join(parts)


def _json(workspace: Workspace, states: list[CampaignState]) -> str:
    holder = workspace.home.holder()
    document = {
        "format": "octoplan-status",
        "version": 1,
        "project": workspace.project.model.project,
        "environment": workspace.name,
        "lease": None if holder is None else str(holder),
        "campaigns": [
            {
                "id": state.campaign,
                "sent": {
                    "recipients": state.sent_recipients,
                    "requests": len(state.in_phase(Phase.SENT)),
                },
                "unknown": {
                    "recipients": sum(batch.recipients for batch in state.in_phase(Phase.OPEN)),
                    "requests": len(state.in_phase(Phase.OPEN)),
                },
            }
            for state in states
        ],
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
