"""
The simulated world: time, machines that crash, a network that loses things, and a state home whose writes can fail.

Nothing sleeps and nothing is random but by the chooser of faults, so that a history can be played again exactly. The
API is the sandbox's own `Octopush`, in process: it gets the very bytes and is never told what the client thinks.

What the world promises, because no client could do without it:
- A request that is late or repeated by the network arrives within `LATE_S` (an hour), not a day later.
- The network does not repeat a request after it has delivered a refusal of it.
- A process that was paused between its last look at the clock and its POST goes on within `PAUSED_POST_S`.
- Either the machine's own count can be trusted (same start, and then the wall clock may say anything), or wall clocks
  are right within `WALL_ERROR_S`. The 4 hours between the window and the API's memory pay for all of these.
- Nobody settles a request as not sent while it is on its way, or while a runner that may still send it is paused.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from octoplan.clock import Mark
from octoplan.diagnostics import StateUnavailable
from octoplan.gateway.body import require_mode
from octoplan.gateway.outcomes import classify_error, classify_response
from octoplan.gateway.port import Balance, NotSent, Outcome, SendRequest, Unknown
from octoplan.sandbox.clock import MovableClock
from octoplan.sandbox.exact import write_json
from octoplan.sandbox.service import Answer, Octopush
from octoplan.sandbox.store import Filter, Store
from octoplan.state.journal import Entry
from octoplan.state.store import Change, Holder, StateStore, StopNotice
from tests.simulation.faults import Chooser, Effect, Fault

BEGIN: Final = datetime(2027, 3, 1, 9, tzinfo=UTC)
LATE_S: Final = 3600.0
PAUSED_POST_S: Final = 3600.0
WALL_ERROR_S: Final = 1800.0
TIMEOUT_S: Final = 60.0
DAY_S: Final = 24 * 3600.0


class Crash(BaseException):
    """The process is gone, as after `kill -9` or a power cut: nothing of it runs any more."""


class World:
    """Time, the API, and what is on its way to it. `say` collects the readable trace of the history."""

    def __init__(self, choose: Chooser) -> None:
        self.choose = choose
        self.now = BEGIN
        self.effects = 0
        self.faults: Counter[Fault] = Counter()
        self.trace: list[str] = []
        self._store = Store(":memory:")
        self.judge = Octopush(self._store, MovableClock(self._store, lambda: self.now))
        self._wallet = self._store.balance()
        self._flying: list[tuple[datetime, int, bytes]] = []
        self.posted: dict[str, set[bytes]] = {}
        """What left under each request id, as seen on the wire."""

    def close(self) -> None:
        self._store.close()

    def say(self, what: str) -> None:
        self.trace.append(f"{(self.now - BEGIN).total_seconds() / 3600:9.3f} h  {what}")

    def advance(self, seconds: float) -> None:
        """Let time pass; late requests arrive in it."""
        until = self.now + timedelta(seconds=seconds)
        while self._flying and self._flying[0][0] <= until:
            due, _, body = heapq.heappop(self._flying)
            self.now = max(self.now, due)
            answer = self.judge.send(body)
            self.say(f"a late request arrives: {answer.status}")
        self.now = until

    def fly(self, body: bytes) -> None:
        """Put a request on its way; it arrives within `LATE_S`, the second of two after the first."""
        share = (self.effects * 7919 % 97 / 97) ** 3
        heapq.heappush(self._flying, (self.now + timedelta(seconds=TIMEOUT_S + share * LATE_S), self.effects, body))

    def land_everything(self) -> None:
        """Wait until no request is on its way any more."""
        self.advance(TIMEOUT_S + LATE_S)

    def empty_wallet(self) -> None:
        self._store.set_balance(self._store.balance() * 0)

    def top_up(self) -> None:
        self._store.set_balance(self._wallet)

    def was_accepted(self, request_id: str) -> bool:
        """What a person sees in the account's own pages."""
        return self._store.has_request_id(request_id, BEGIN - timedelta(days=1000))

    def accepted(self) -> list[tuple[str, str, str]]:
        """Every accepted message: request id, number, text."""
        records = self._store.records(Filter(), after=0, limit=100_000)
        return [(str(each.request_id), each.number, each.text) for each in records if each.cancelled_at is None]


@dataclass(slots=True)
class Machine:
    """A computer: how wrong its wall clock is, and which start of it this is. `has_mark` is false where none counts."""

    name: str
    trusts_count: bool
    has_mark: bool = True
    error_s: float = 0.0
    boot: int = 1

    def jump(self, seconds: float) -> None:
        """Somebody or something sets the wall clock."""
        self.error_s += seconds
        if not self.trusts_count:
            self.error_s = max(-WALL_ERROR_S, min(WALL_ERROR_S, self.error_s))

    def restart(self) -> None:
        """Only where the history does not rely on the machine's count."""
        if not self.trusts_count:
            self.boot += 1


class SimulatedClock:
    """What a process on a machine sees of the time."""

    def __init__(self, world: World, machine: Machine) -> None:
        self._world = world
        self._machine = machine

    def now(self) -> datetime:
        return self._world.now + timedelta(seconds=self._machine.error_s)

    def mark(self) -> Mark | None:
        return Mark(f"{self._machine.name}-{self._machine.boot}", self.monotonic()) if self._machine.has_mark else None

    def monotonic(self) -> float:
        return (self._world.now - BEGIN).total_seconds()

    def sleep(self, seconds: float) -> None:
        self._world.advance(seconds)


Meanwhile = Callable[["Process", Effect], None]
"""What happens while a process is paused."""


class Process:
    """One running command: the one place where faults meet effects. After a crash nothing it does has any effect."""

    def __init__(self, world: World, machine: Machine, run: str, meanwhile: Meanwhile | None = None) -> None:
        self.world = world
        self.machine = machine
        self.run = run
        self.clock = SimulatedClock(world, machine)
        self.is_dead = False
        self.is_asked_to_stop = False
        self.has_lost_lease = False
        self._meanwhile = meanwhile

    def before(self, effect: Effect) -> Fault | None:
        """The fault that meets this effect, if any; those that strike before it do so now."""
        if self.is_dead:
            raise Crash
        fault = self.world.choose(self.world.effects, effect)
        self.world.effects += 1
        if fault is None:
            self.say(effect)
            return None
        self.world.faults[fault] += 1
        self.say(f"{effect} !! {fault}")
        if fault is Fault.CRASH_BEFORE:
            self.crash()
        if fault is Fault.PAUSE_BEFORE:
            self._pause(effect)
        if fault is Fault.ASKED_TO_STOP:
            self.is_asked_to_stop = True
        self.machine.jump(_JUMPS.get(fault, 0.0))
        return fault

    def after(self, effect: Effect, fault: Fault | None) -> None:
        """The faults that strike when the effect has happened, before the process hears of it."""
        if fault is Fault.CRASH_AFTER:
            self.crash()
        if fault is Fault.PAUSE_AFTER:
            self._pause(effect)

    def crash(self) -> None:
        self.is_dead = True
        raise Crash

    def say(self, what: str) -> None:
        self.world.say(f"{self.run}: {what}")

    def _pause(self, effect: Effect) -> None:
        # Another runner can be paused too, but not a third one inside it: two are enough for every race.
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            meanwhile(self, effect)


_JUMPS: Final[Mapping[Fault, float]] = {
    Fault.CLOCK_FORWARD: DAY_S,
    Fault.CLOCK_BACK: -DAY_S,
    Fault.CLOCK_STEP: 60.0,
}


# --- the network ------------------------------------------------------------------------------------------------------

_HTML: Final = b"<html><body><h1>Service Unavailable</h1></body></html>"
_Reply = tuple[int, Mapping[str, str], bytes]


def _refusal(status: int, code: int) -> _Reply:
    return status, {}, write_json({"code": code, "message": "refused for the simulation"})


_UNOBEYED: Final[Mapping[Fault, _Reply | Exception]] = {
    Fault.NO_CONNECTION: httpx.ConnectError("no"),
    Fault.LOST_REQUEST: httpx.ReadTimeout("no"),
    Fault.THROTTLED: (429, {}, b""),
    Fault.THROTTLED_BRIEFLY: (429, {"retry-after": "2"}, b""),
    Fault.THROTTLED_LONG: (429, {"retry-after": "3600"}, b""),
    Fault.ERROR_500: (500, {}, b""),
    Fault.ERROR_503_HTML: (503, {}, _HTML),
    Fault.HTML_200: (200, {}, _HTML),
    Fault.REFUSED_FILE: _refusal(400, 106),
    Fault.REFUSED_ACCOUNT: _refusal(401, 101),
    Fault.REFUSED_RETRY: _refusal(400, 153),
    Fault.REFUSED_UNCLEAR: _refusal(400, 125),
}
"""Answers to a request that the API never obeyed."""

_GARBLED: Final[Mapping[Fault, Callable[[_Reply], _Reply | Exception]]] = {
    Fault.LOST_ANSWER: lambda reply: httpx.ReadError("no"),
    Fault.OBEYED_500: lambda reply: (500, {}, b""),
    Fault.OBEYED_503_HTML: lambda reply: (503, {}, _HTML),
    Fault.OBEYED_HTML: lambda reply: (200, {}, _HTML),
    Fault.OBEYED_EMPTY: lambda reply: (200, {}, b""),
    Fault.TRUNCATED: lambda reply: (reply[0], reply[1], reply[2][: len(reply[2]) // 2]),
    Fault.WRONG_COUNT: lambda reply: (
        reply[0],
        reply[1],
        reply[2].replace(b'"number_of_contacts": ', b'"number_of_contacts": 7'),
    ),
}
"""What becomes of the API's answer on its way back."""


class Network:
    """The gateway of one process: the real reading of answers, over a wire that loses and repeats."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._world = process.world

    def send(self, body: bytes) -> Outcome:
        require_mode(body, simulation=False)
        fault = self._process.before(Effect.POST)
        self._world.posted.setdefault(json.loads(body)["request_id"], set()).add(body)
        outcome = self._travel(body, fault)
        self._process.after(Effect.POST, fault)
        self._process.say(f"  -> {type(outcome).__name__}")
        return outcome

    def _travel(self, body: bytes, fault: Fault | None) -> Outcome:
        if fault is Fault.LATE:
            self._world.fly(body)
        if fault in (Fault.LATE, Fault.LOST_REQUEST):
            self._world.advance(TIMEOUT_S)
            return classify_error(httpx.ReadTimeout("no"))
        if fault is Fault.EMPTY_WALLET:
            self._world.empty_wallet()
        if fault is not None and fault in _UNOBEYED:
            return _outcome(_UNOBEYED[fault])
        if fault is Fault.DOUBLED:
            self._world.judge.send(body)
        reply = _reply(self._world.judge.send(body))
        return _outcome(_GARBLED[fault](reply) if fault is not None and fault in _GARBLED else reply)

    def simulate(self, request: SendRequest) -> Outcome:
        raise AssertionError("apply does not simulate here")

    def balance(self) -> Balance:
        raise AssertionError("nobody asks for the balance here")

    def cancel(self, ticket: str) -> Outcome | None:
        raise AssertionError("nothing is cancelled here")


def _reply(answer: Answer) -> _Reply:
    return answer.status, {}, b"" if answer.body is None else write_json(answer.body)


def _outcome(what: _Reply | Exception) -> Outcome | NotSent | Unknown:
    return classify_error(what) if isinstance(what, Exception) else classify_response(*what)


# --- the state home ---------------------------------------------------------------------------------------------------

Witness = Callable[[Entry], None]
"""Told of every entry at the moment it is durable."""


class FaultyStore:
    """A process's opening of the state home, in front of a real store. `inner` is what is durable."""

    def __init__(self, inner: StateStore, process: Process, witness: Witness) -> None:
        self._inner = inner
        self._process = process
        self._witness = witness

    def __getattr__(self, name: str) -> Any:
        """Reading goes through as it is."""
        return getattr(self._inner, name)

    def commit(self, changes: Sequence[Change], holder: Holder) -> None:
        fault = self._process.before(Effect.COMMIT)
        if fault is Fault.LEASE_TAKEN:
            self._inner.unlock(holder.run)
        if fault is Fault.STOP_NOTICE:
            self._inner.put_stop_notice(StopNotice("a look first", "dana", self._process.clock.now()))
        if fault is Fault.WRITE_FAILS:
            raise StateUnavailable("the disk is full")
        self._inner.commit(changes, holder)
        for change in changes:
            self._process.say(f"  {change.entry.kind} {change.entry.campaign} {(change.entry.batch or '')[:11]}")
            self._witness(change.entry)
        self._process.after(Effect.COMMIT, fault)
        if fault is Fault.WRITE_FAILS_BUT_IS_THERE:
            raise StateUnavailable("the connection broke during the write")

    def acquire(self, holder: Holder) -> Holder:
        fault = self._process.before(Effect.ACQUIRE)
        if fault is Fault.WRITE_FAILS:
            raise StateUnavailable("the disk is full")
        held = self._inner.acquire(holder)
        self._process.after(Effect.ACQUIRE, fault)
        return held

    def release(self, holder: Holder) -> None:
        if self._process.is_dead:
            return
        fault = self._process.before(Effect.RELEASE)
        self._inner.release(holder)
        self._process.after(Effect.RELEASE, fault)
