"""
What people and their commands do in a history: `apply`, `recover`, `state unlock`, `resume`.

`apply` is the command without its flags and views: the same plan, the same checks, the same run, from the same modules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, Literal

from octoplan.apply.deliver import Ports, deliver
from octoplan.apply.execute import CampaignRun, Halt, Rules, execute
from octoplan.apply.lanes import InlineLanes
from octoplan.apply.pace import Pace
from octoplan.cli.planning import require_home_knows_lock
from octoplan.diagnostics import ExitCode, OctoplanError
from octoplan.plan.build import Prepared, build_action
from octoplan.plan.model import Action
from octoplan.plan.outgoing import Outgoing
from octoplan.plan.shrink import remaining_batches
from octoplan.state.home import Home, Session, StateReader
from octoplan.state.journal import BatchState, Kind, Phase
from octoplan.state.lock import Lock, lock_of
from octoplan.state.store import Holder, StateStore
from tests.simulation.campaigns import ENVIRONMENT, KEY, Sheet, prepare
from tests.simulation.world import Crash, FaultyStore, Network, Process, Witness


@dataclass(slots=True)
class Checkout:
    """A project's files on one machine: what people edit."""

    sheets: tuple[Sheet, ...]
    suppressed: frozenset[str] = frozenset()
    on_unknown: Literal["repeat", "stop"] = "repeat"
    lock: Lock = field(default_factory=lambda: Lock(ENVIRONMENT))


@dataclass(frozen=True, slots=True)
class Ending:
    """How a command ended: its exit code, or `None` where it crashed. `is_idle` when nothing was left to send."""

    code: int | None
    is_idle: bool = False
    why: str = ""


@dataclass(slots=True)
class Office:
    """Where commands find the state home, and who watches what becomes durable in it."""

    opened: Callable[[], StateStore]
    witness: Witness
    dies_with_process: bool
    """Whether the lease of a dead process is free by itself, as with the local home."""
    blame: Callable[[str], None]
    """Told of a bug that the product itself has stopped."""


def apply(process: Process, checkout: Checkout, office: Office) -> Ending:
    """`octoplan apply --auto-approve`, from start to exit or crash."""
    store = office.opened()
    home = Home(FaultyStore(store, process, office.witness), KEY, process.clock)
    holder = Holder(process.run, "dana", process.machine.name, 1, process.clock.now())
    try:
        ending = _apply(process, checkout, home, holder)
    except Crash:
        ending = Ending(None, why="crashed")
        if office.dies_with_process:
            store.release(holder)
    except OctoplanError as error:
        ending = Ending(error.exit_code, why=error.message)
    except Exception as error:  # noqa: BLE001 - a traceback: a bug, whatever it is, and perhaps the last defence
        office.blame(f"the command breaks: {type(error).__name__}: {error}")
        ending = Ending(ExitCode.UNCLASSIFIED, why=str(error))
    finally:
        store.close()
    process.say(f"ends: {'crash' if ending.code is None else ending.code} {ending.why}")
    return ending


def _apply(process: Process, checkout: Checkout, home: Home, holder: Holder) -> Ending:
    notice = home.stop_notice()
    if notice is not None:
        return Ending(ExitCode.BLOCKED, why="stopped by a notice")
    with home.session(holder) as session:
        actions = _plan(checkout, session, process)
        blocked = [str(reason.code) for action in actions for reason in action.reasons if reason.exit_code]
        if blocked:
            checkout.lock = _lock(session)
            return Ending(ExitCode.BLOCKED, why=", ".join(blocked))
        sending = [action for action in actions if action.kind.sends]
        if not sending:
            checkout.lock = _lock(session)
            return Ending(ExitCode.DONE, is_idle=True)
        network = Network(process)
        stopped = Halt(ExitCode.TERMINATED, "asked to stop")
        ports = Ports(
            network,
            session,
            process.clock,
            Pace(process.clock),
            checkout.on_unknown,
            lambda: process.is_asked_to_stop,
        )
        lanes = InlineLanes(lambda batch: deliver(batch, ports))
        rules = Rules(lambda: stopped if process.is_asked_to_stop else None)
        report = execute(_runs(sending, checkout, session), ports, lanes, rules)
        checkout.lock = _lock(session)
    return Ending(report.exit_code, why=report.halt.reason if report.halt else "")


def _prepared(checkout: Checkout) -> Mapping[str, Prepared]:
    return {sheet.id: prepare(sheet, checkout.suppressed, checkout.on_unknown) for sheet in checkout.sheets}


def _plan(checkout: Checkout, session: Session, process: Process) -> list[Action]:
    workspace: Any = SimpleNamespace(lock=checkout.lock, lock_path=SimpleNamespace(name="octoplan.lock"))
    require_home_knows_lock(workspace, session)
    states = session.campaigns()
    return [
        build_action(each, states.get(name), session, None, process.clock)
        for name, each in sorted(_prepared(checkout).items())
    ]


def _runs(sending: list[Action], checkout: Checkout, session: Session) -> Iterator[CampaignRun]:
    prepared = _prepared(checkout)
    for action in sending:
        yield CampaignRun(
            campaign=action.identity,
            content=action.content,
            batches=lambda action=action: _batches(action, prepared[action.campaign], session),  # type: ignore[misc]
            planned_batches=len(action.batches),
            planned_recipients=action.recipients,
        )


def _batches(action: Action, prepared: Prepared, session: Session) -> Iterator[Outgoing]:
    """As the command does: a batch that was not planned cannot be looked up, so it cannot be sent."""
    planned = {batch.digest: batch for batch in action.batches}
    for batch in remaining_batches(prepared, session.campaigns().get(action.identity), session):
        yield replace(batch, cost=planned[batch.digest].cost)


def _lock(session: Session) -> Lock:
    return lock_of(ENVIRONMENT, KEY.fingerprint, session.campaigns().values())


def unknown(reader: StateReader) -> list[tuple[str, BatchState]]:
    """What `recover` lists."""
    return [(name, batch) for name, state in sorted(reader.campaigns().items()) for batch in state.in_phase(Phase.OPEN)]


def settle(process: Process, checkout: Checkout, office: Office) -> int:
    """
    A person looks every unknown outcome up in the account's own pages, and says what is there. How many there were.

    Faults meet this command too.
    """
    store = office.opened()
    home = Home(FaultyStore(store, process, office.witness), KEY, process.clock)
    holder = Holder(process.run, "erin", process.machine.name, 2, process.clock.now())
    found: list[tuple[str, BatchState]] = []
    try:
        with home.session(holder) as session:
            found = unknown(session)
            for campaign, batch in found:
                is_there = process.world.was_accepted(batch.request_id)
                kind = Kind.SETTLED_SENT if is_there else Kind.SETTLED_NOT_SENT
                session.record(kind, campaign, batch.digest, {"note": "looked it up"})
                checkout.lock = _lock(session)
    except Crash:
        if office.dies_with_process:
            store.release(holder)
    except OctoplanError as error:
        process.say(f"cannot settle: {error.message}")
    finally:
        store.close()
    return len(found)


def unlock(office: Office) -> None:
    """Somebody makes sure that the run which holds the lease is gone, and takes the lease away from it."""
    store = office.opened()
    held = store.holder()
    if held is not None:
        store.unlock(held.run)
    store.close()
