"""`octoplan status`: what was sent, what is open, who holds the lease."""

from __future__ import annotations

import json
from typing import Any

import click

from octoplan.cli.outputs import Output, emit, output_option, require_one_stdout
from octoplan.cli.planning import Selection, select_campaigns
from octoplan.cli.wiring import Workspace, environment_option, open_workspace
from octoplan.diagnostics import ExitCode
from octoplan.plan.needs import Need, find_needs
from octoplan.state.journal import CampaignState, Phase
from octoplan.state.lock import lock_of
from octoplan.values.amount import render_amount
from octoplan.views.text import count, instant


@click.command(short_help="What was sent and what is open.")
@environment_option
@click.option("--check", is_flag=True, help="For cron: say only what needs somebody, and exit 0 if nothing does.")
@output_option
@click.pass_context
def command(context: click.Context, environment: str | None, check: bool, outputs: tuple[Output, ...]) -> int:
    """
    Show every campaign that was begun in an environment. Exits 10 while an outcome is unknown.

    With --check also 8 for a campaign with a time that nobody handed over (from 24 hours before), 9 for one that is
    half sent, 7 for a lease without a sign of life, 5 for a stop notice; the first of 10, 8, 9, 7, 5 that applies.
    """
    chosen = require_one_stdout(outputs)
    with open_workspace(context, environment) as workspace:
        states = sorted(workspace.home.campaigns().values(), key=lambda state: state.campaign)
        if check:
            needs = _needs(workspace, states)
            emit(
                chosen, {"text": lambda: _needs_text(workspace, needs), "json": lambda: _json(workspace, states, needs)}
            )
            return needs[0].exit_code if needs else ExitCode.DONE
        renderers = {"text": lambda: _text(workspace, states), "json": lambda: _json(workspace, states)}
        emit(chosen, renderers)
    unknown = any(state.in_phase(Phase.OPEN) for state in states)
    return ExitCode.UNKNOWN if unknown else ExitCode.DONE


def _needs(workspace: Workspace, states: list[CampaignState]) -> tuple[Need, ...]:
    campaigns, _ = select_campaigns(workspace.project, Selection())
    home = workspace.home
    return find_needs(
        campaigns,
        {state.campaign: state for state in states},
        notice=home.stop_notice(),
        holder=home.holder(),
        now=workspace.clock.now(),
    )


def _needs_text(workspace: Workspace, needs: tuple[Need, ...]) -> str:
    head = f"{workspace.project.model.project} in {workspace.name}"
    if not needs:
        return f"{head}: nothing needs anybody\n"
    lines = [f"{head}: {count(len(needs), 'thing needs', 'things need')} somebody"]
    for need in needs:
        lines += [f"  {need.campaign or 'environment'} [{need.code}] {need.detail}", f"    hint: {need.hint}"]
    return "\n".join(lines) + "\n"


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


def _json(workspace: Workspace, states: list[CampaignState], needs: tuple[Need, ...] | None = None) -> str:
    holder = workspace.home.holder()
    document: dict[str, Any] = {
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
    if needs is not None:
        names = ("code", "campaign", "detail", "hint")
        document["needs"] = [{name: getattr(need, name) for name in names} for need in needs]
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
