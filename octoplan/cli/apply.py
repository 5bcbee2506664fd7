"""`octoplan apply`: do what the plan shows, or less."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path

import click

from octoplan.apply.deadlines import deadlines_of
from octoplan.apply.deliver import Delivery, Ports, Status, deliver
from octoplan.apply.execute import ApplyReport, CampaignRun, Event, Halt, Rules, execute
from octoplan.apply.lanes import ThreadLanes
from octoplan.apply.pace import Pace
from octoplan.cli.outputs import Output, emit, output_option, require_one_stdout
from octoplan.cli.planning import Planned, Selection, endpoint_of, planning, timings_option
from octoplan.cli.pricing import open_pricing, recheck
from octoplan.cli.progress import Progress
from octoplan.cli.sending import Sending
from octoplan.cli.signals import StopSignals
from octoplan.cli.stream import EventStream, stream_option
from octoplan.cli.terminal import colour_on, is_interactive, width
from octoplan.cli.wiring import (
    Workspace,
    campaign_option,
    environment_option,
    hold_lease,
    open_gateway,
    open_workspace,
    require_durable_home,
    require_no_stop,
)
from octoplan.clock import Clock
from octoplan.diagnostics import Blocked, ExitCode, InvalidInput, OctoplanError, ReportFailed
from octoplan.gateway.octopush import OctopushGateway
from octoplan.gateway.port import Balance
from octoplan.plan.approve import Commands, require_approved
from octoplan.plan.build import Prepared
from octoplan.plan.model import Action, ActionKind, Plan
from octoplan.plan.outgoing import Outgoing
from octoplan.plan.saved import SavedPlan, read_saved_plan
from octoplan.plan.shrink import opted_out, remaining_batches, shrink_plan
from octoplan.state.home import StateSession
from octoplan.state.journal import Phase
from octoplan.state.lock import lock_of, write_lock
from octoplan.views.plan_text import render_plan
from octoplan.views.report import render_report_json, render_report_text
from octoplan.views.timings import render_timings


@click.command(short_help="Do what the plan shows.")
@click.argument("plan_file", required=False, type=click.Path(path_type=Path))
@environment_option
@campaign_option
@click.option("--auto-approve", is_flag=True, help="Do not ask; plan and send in one go.")
@click.option(
    "--lock-timeout",
    default=0,
    show_default=True,
    type=click.IntRange(0, 86_400),
    metavar="SECONDS",
    help="Wait so long for another apply to end.",
)
@timings_option
@stream_option
@output_option
@click.pass_context
def command(
    context: click.Context,
    plan_file: Path | None,
    environment: str | None,
    campaigns: tuple[str, ...],
    auto_approve: bool,
    lock_timeout: int,
    wants_timings: bool,
    stream: EventStream,
    outputs: tuple[Output, ...],
) -> int:
    """
    Send what the plan shows, batch by batch, and record the tickets in the lock file.

    With PLAN_FILE (from `octoplan plan --out`) exactly that plan is carried out, or what is left of it. Without it the
    plan is made now, shown, and carried out after you typed the number of messages.
    """
    chosen = require_one_stdout(outputs, is_taken=stream.is_asked_for)
    if plan_file is None and not auto_approve and not is_interactive():
        raise InvalidInput(
            "nobody can be asked here, so apply needs a reviewed plan",
            hint="`octoplan plan --out FILE`, then `octoplan apply FILE`; or `--auto-approve` to do without a review",
        )
    with ExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        signals.tell_end = stream.end_now
        workspace = stack.enter_context(open_workspace(context, environment))
        require_durable_home(workspace)
        require_no_stop(workspace)
        saved = _read_saved(workspace, plan_file, campaigns)
        gateway = stack.enter_context(open_gateway(workspace, OctopushGateway))
        session = stack.enter_context(
            hold_lease(
                workspace, timeout_s=lock_timeout, on_wait=partial(stream.wait_for_lease, timeout_s=lock_timeout)
            )
        )
        selection = Selection(campaigns)
        if saved is not None:
            selection = Selection(tuple(saved.campaigns), may_be_gone=True)
        # Figures of earlier plans never serve here: what is sent is held against what the API says now.
        simulate = "strata" if saved is None else saved.simulate
        pricing = stack.enter_context(open_pricing(workspace, simulate, recalls=False))
        planned = stack.enter_context(
            planning(
                workspace,
                gateway,
                selection,
                endpoint=endpoint_of(workspace),
                reader=session,
                saved=saved,
                pricing=pricing,
            )
        )
        if wants_timings:
            click.echo(render_timings(planned.timings), err=True, nl=False)
        if saved is not None:
            require_approved(saved, planned.plan, session, _commands(workspace, plan_file))
            planned = _without_opted_out(planned, session)
        stream.show_plan(planned.plan, session.run)
        _require_clear(planned.plan)
        _complete_finished(planned.plan, session)
        if not planned.plan.sending:
            if saved is not None:
                click.echo(f"{plan_file} was applied already; nothing is left of it to send.", err=True)
            _write_lock(workspace, session, sent=False)
            _emit_nothing(chosen, planned.plan, session.run, stream)
            return ExitCode.DONE
        if saved is None and not auto_approve:
            _ask(planned.plan)
        signals.hold()
        report = _send(workspace, planned, gateway, session, signals, stream)
        _write_lock(workspace, session, sent=bool(report.deliveries(Status.SENT)))
    renderers = {
        "text": lambda: render_report_text(report, width=width(), colour=colour_on(sys.stdout)),
        "json": lambda: render_report_json(report),
    }
    try:
        emit(chosen, renderers, sent=bool(report.deliveries(Status.SENT)), failed_before=stream.failure)
    except ReportFailed:
        if report.exit_code is ExitCode.DONE:
            raise
    return report.exit_code


def _emit_nothing(outputs: Sequence[Output], plan: Plan, run: str, stream: EventStream) -> None:
    """What a run that has nothing to send says: the plan to a person, an empty report to a program."""
    renderers = {
        "text": lambda: render_plan(plan, width=width(), colour=colour_on(sys.stdout)),
        "json": lambda: render_report_json(ApplyReport(run, ())),
    }
    emit(outputs, renderers, failed_before=stream.failure)


def _read_saved(workspace: Workspace, plan_file: Path | None, campaigns: tuple[str, ...]) -> SavedPlan | None:
    if plan_file is None:
        return None
    saved = read_saved_plan(plan_file, workspace.home.key, environment=workspace.name, now=workspace.clock.now())
    if not campaigns:
        return saved
    unknown = sorted(set(campaigns) - saved.campaigns.keys())
    if unknown:
        raise InvalidInput(f"{plan_file.name} has no campaign {', '.join(unknown)}")
    return replace(saved, campaigns={name: saved.campaigns[name] for name in campaigns})


def _commands(workspace: Workspace, plan_file: Path | None) -> Commands:
    is_default = workspace.name == workspace.project.model.default_environment
    return Commands(str(plan_file), None if is_default else workspace.name)


def _complete_finished(plan: Plan, session: StateSession) -> None:
    """A run that died right at its end has not written down that it got there."""
    for action in plan.actions:
        if not action.batches and action.kind in (ActionKind.SENT, ActionKind.SCHEDULED):
            session.complete(action.identity)


def _require_clear(plan: Plan) -> None:
    """Refuse the whole run if something stands in the way of one of its campaigns, with the plan shown in full."""
    if plan.exit_code is ExitCode.DONE:
        return
    click.echo(render_plan(plan, width=width(), colour=colour_on(sys.stderr)), err=True, nl=False)
    stopped = [action.campaign for action in plan.actions if any(reason.exit_code for reason in action.reasons)]
    error = Blocked(
        f"nothing was sent: {', '.join(stopped)} cannot go out as planned (see above)",
        hint="settle it, or apply the other campaigns alone: `octoplan apply --campaign ID`",
    )
    error.exit_code = plan.exit_code
    raise error


def _ask(plan: Plan) -> None:
    """Show the plan and have the number of messages typed: a yes that cannot be given without having looked."""
    click.echo(render_plan(plan, width=width(), colour=colour_on(sys.stderr)), err=True, nl=False)
    click.echo("A sent message cannot be taken back.", err=True)
    answer = click.prompt(
        f"Type the number of messages to send them to {plan.environment}", default="", show_default=False, err=True
    )
    if answer.replace(",", "").replace(" ", "") != str(plan.recipients):
        raise OctoplanError("not approved; nothing was sent")


def _send(
    workspace: Workspace,
    planned: Planned,
    gateway: OctopushGateway,
    session: StateSession,
    signals: StopSignals,
    stream: EventStream,
) -> ApplyReport:
    settings = workspace.settings
    signals.is_unknown = lambda: any(state.in_phase(Phase.OPEN) for state in session.campaigns().values())
    pace = Pace(
        signals, requests_per_second=settings.requests_per_second, messages_per_second=settings.messages_per_second
    )
    rules = Rules(signals.halt, settings.on_refused, ask=signals.ask)
    runs = list(_runs(planned, session, lambda: signals.ask(gateway.balance), gateway.balance, workspace.clock))
    with Progress(sys.stderr) as progress:
        tell = _teller(Sending(progress, planned.plan.requests), stream)
        ports = Ports(gateway, session, signals, pace, settings.on_unknown, signals.is_asked, tell)
        lanes = ThreadLanes(lambda batch: deliver(batch, ports), settings.concurrency)
        return execute(runs, ports, lanes, rules, on_event=tell)


def _teller(sending: Sending, stream: EventStream) -> Callable[[Event], None]:
    """Tells people and programs alike."""

    def tell(event: Event) -> None:
        sending.tell(event)
        stream.tell(event)

    return tell


Balances = Callable[[], Balance | None]
"""Asks what is left in the wallet; `None` if somebody asked to stop before the answer."""


def _runs(
    planned: Planned, session: StateSession, balance: Balances, ask_balance: Balances, clock: Clock
) -> Iterator[CampaignRun]:
    prepared = {each.campaign.id: each for each in planned.prepared}
    for action in planned.plan.sending:
        each = prepared[action.campaign]
        yield CampaignRun(
            campaign=action.identity,
            content=action.content,
            batches=lambda action=action, each=each: _batches(action, each, session),  # type: ignore[misc]
            planned_batches=len(action.batches),
            planned_recipients=action.recipients,
            not_after=each.campaign.not_after,
            deadlines=deadlines_of(action),
            gate=_gate(each, balance, planned.plan),
            check=recheck(action, each, planned.setting, session, ask_balance, clock.now),
            audience=None if action.audience is None else action.audience.counts(),
        )


def _gate(prepared: Prepared, balance: Balances, plan: Plan) -> Callable[[Sequence[Delivery]], Halt | None]:
    """What is asked after the canary: was all accepted, did the wallet fall by what was billed, go on at all."""
    canary = prepared.campaign.model.canary

    def ask(deliveries: Sequence[Delivery]) -> Halt | None:
        refused = [delivery for delivery in deliveries if delivery.status is not Status.SENT]
        if refused:
            reason = f"{len(refused)} of {len(deliveries)} request(s) of the canary were not accepted"
            return Halt(ExitCode.PARTIAL, reason, "mend the campaign, then apply again")
        try:
            left = balance()
        except OctoplanError as error:
            return Halt(ExitCode.PARTIAL, f"after the canary the wallet could not be read: {error.message}", error.hint)
        wrong = None if left is None else _missing_money(deliveries, left, plan)
        if wrong is not None:
            return wrong
        if canary is not None and canary.pause == "approval":
            people = sum(delivery.recipients for delivery in deliveries)
            reason = (
                f"the canary of {prepared.campaign.id} went to {people:,} recipient(s); the others wait for approval"
            )
            return Halt(ExitCode.PARTIAL, reason, "look at a phone that got it, then apply again to go on")
        return None

    return ask


def _missing_money(deliveries: Sequence[Delivery], left: Balance, plan: Plan) -> Halt | None:
    """Whether the wallet holds less than the plan's balance and the bills of the canary explain."""
    billed = [delivery.cost for delivery in deliveries if delivery.cost is not None]
    if plan.balance is None or len(billed) < len(deliveries) or left.unit != plan.balance_unit:
        return None
    missing = plan.balance - sum(billed, Decimal(0)) - left.amount
    if missing <= 0 or len(plan.sending) > 1:
        return None
    reason = f"after the canary the wallet holds {missing} less than was billed"
    return Halt(ExitCode.PARTIAL, reason, "compare with the account's own pages before you go on")


def _batches(action: Action, prepared: Prepared, session: StateSession) -> Iterator[Outgoing]:
    """
    The batches of the plan, made again with their contacts.

    Each is looked up in the plan: what was not planned cannot be sent, whatever happened to the data in between.
    """
    planned = {batch.digest: batch for batch in action.batches}
    state = session.campaigns().get(action.identity)
    for batch in remaining_batches(prepared, state, session):
        yield replace(batch, cost=planned[batch.digest].cost)


def _without_opted_out(planned: Planned, session: StateSession) -> Planned:
    """Who was suppressed since the plan was approved gets nothing; the others get what was planned."""
    smaller = shrink_plan(planned.plan, planned.prepared, session)
    for campaign, number in opted_out(planned.plan, smaller).items():
        click.echo(f"{campaign}: {number:,} fewer than planned, they opted out since.", err=True)
    return replace(planned, plan=smaller)


def _write_lock(workspace: Workspace, session: StateSession, *, sent: bool) -> None:
    """
    The lock file as the journal's replay.

    :raises ReportFailed: if it cannot be written after messages were sent; nothing is lost then.
    """
    lock = lock_of(workspace.name, workspace.home.key.fingerprint, session.campaigns().values())
    if lock == workspace.lock:
        return
    try:
        write_lock(workspace.lock_path, lock)
    except OSError as error:
        message = f"{workspace.lock_path.name} could not be written: {error.strerror}"
        hint = "the state home has everything; mend the cause and run `octoplan lock rebuild`"
        raise (ReportFailed if sent else OctoplanError)(message, hint=hint) from None
