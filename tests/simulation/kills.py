"""
The real command, killed again and again: `kill -9` at moments that a seed spreads over the run, resumed until done.

    python -m tests.simulation.kills --kills 200 --seed 1

Project after project: forty people, requests of one to three, one or four of them at once. Each run of
`octoplan apply` is killed while it starts, while it plans, while a request is on its way to the API (which then is
lost, arrives, or arrives only after the next run), while the answer is on its way back, or a moment after it. Between
two runs the rows of the contacts are shuffled. The last run is left alone and must end with 0.

The judge is the record of a sandbox in a process of its own, over a socket. The seed decides what is done to which run;
how far a process gets in the same milliseconds is up to the machine, so a seed replays the plan, not the instruction.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final

from octoplan.clock import SystemClock
from octoplan.state.journal import Phase
from octoplan.state.local import local_home, read_key
from octoplan.state.lock import lock_of, lock_path, read_lock
from tests import sandbox_process
from tests.behaviour.command import Octoplan
from tests.behaviour.gate import WAITS_AT_MOST_S, Gate, Lost, Moment
from tests.behaviour.project import KEY, LOGIN, Project
from tests.sandbox_process import SandboxProcess

PEOPLE: Final = 40
ENVIRONMENT: Final = "live"
CAMPAIGN: Final = "spring"
CREDENTIALS: Final = {LOGIN: sandbox_process.LOGIN, KEY: sandbox_process.KEY}
RUN_TIME_MAX_S: Final = 120.0
KILLS_PER_PROJECT_MAX: Final = 12
"""After these a project is left alone to the end, so that every project ends."""
START_S: Final = 1.0
"""About what a run takes until its first request, on a machine that has other things to do too."""
REQUESTS_MAX: Final = 6
"""The latest request of a run at which it is killed."""
AFTERWARDS_S: Final = 0.02
"""About what a run takes from one answer to the next request."""


@dataclass(frozen=True, slots=True)
class KillReport:
    """
    What the judge found.

    `kills` counts runs that were alive when they were killed; `duplicates` messages beyond a person's first; `losses`
    people without a message, or whom octoplan does not call sent. `unknown` counts batches that a kill left without an
    outcome; the runs after it settled them, as nothing may be open at the end.
    """

    kills: int
    duplicates: int
    losses: int
    unknown: int


class Fate(StrEnum):
    """What becomes of the exchange in whose middle a run is killed."""

    LOST = "lost"
    ARRIVES = "arrives"
    LATE = "late"  # it reaches the API after the next run has ended


@dataclass(frozen=True, slots=True)
class Trap:
    """
    When a run is killed: `delay_s` after it came to `moment` for the `number`-th time, or after its start.

    Without a delay it dies in the middle of the exchange, whose `fate` is then decided here.
    """

    moment: Moment | None
    number: int = 1
    delay_s: float = 0.0
    fate: Fate = Fate.ARRIVES


def draw_trap(chance: random.Random) -> Trap:
    """A moment to die at: every third in a request, the others before, between and after."""
    number = chance.randint(1, REQUESTS_MAX)
    return chance.choice(
        [
            Trap(None, delay_s=chance.uniform(0.0, START_S)),
            Trap(Moment.PRICE, fate=chance.choice([Fate.LOST, Fate.ARRIVES])),
            Trap(Moment.REQUEST, number, fate=chance.choice(list(Fate))),
            Trap(Moment.REQUEST, number, fate=chance.choice(list(Fate))),
            Trap(Moment.ANSWER, number),
            Trap(Moment.ANSWER, number, delay_s=chance.uniform(0.0, AFTERWARDS_S)),
        ]
    )


class Relay(Gate):
    """Between command and sandbox: springs one trap a run, and knows when nothing is under way any more."""

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream)
        self._trap: Trap | None = None
        self._kill: Callable[[], None] = lambda: None
        self._passed = 0
        self._mutex = threading.Lock()
        self._exchanges: list[threading.Thread] = []
        self._late: list[threading.Event] = []

    def __enter__(self) -> Relay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release_late(self.take_late())
        super().__exit__(kind, error, trace)

    def arm(self, trap: Trap | None, kill: Callable[[], None]) -> None:
        """Watch the next run."""
        with self._mutex:
            self._trap, self._kill, self._passed = trap, kill, 0

    def release_late(self, waiting: list[threading.Event]) -> None:
        """Let requests of dead runs go on to the API."""
        for event in waiting:
            event.set()

    def take_late(self) -> list[threading.Event]:
        """The requests of dead runs that are still on their way."""
        with self._mutex:
            taken, self._late = self._late, []
        return taken

    def await_idle(self) -> None:
        """Return when every exchange is over: nothing arrives later than that."""
        self.release_late(self.take_late())
        for exchange in self._exchanges:
            exchange.join(WAITS_AT_MOST_S)
            if exchange.is_alive():
                raise TimeoutError("an exchange did not end")
        self._exchanges.clear()

    def come_to(self, moment: Moment) -> None:
        """Called for every exchange. :raises Lost: if this one is not to go on."""
        with self._mutex:
            thread = threading.current_thread()
            if thread not in self._exchanges:
                self._exchanges.append(thread)
            trap = self._spring(moment)
            if trap is None:
                return
            kill, late = self._kill, threading.Event()
            if trap.fate is Fate.LATE:
                self._late.append(late)
        if trap.delay_s:
            threading.Timer(trap.delay_s, kill).start()
            return
        kill()
        if trap.fate is Fate.LOST:
            raise Lost
        if trap.fate is Fate.LATE and not late.wait(WAITS_AT_MOST_S):
            raise TimeoutError("nobody let the late request go on")

    def _spring(self, moment: Moment) -> Trap | None:
        trap = self._trap
        if trap is None or trap.moment is not moment:
            return None
        self._passed += 1
        if self._passed < trap.number:
            return None
        self._trap = None
        return trap


class Victim:
    """One run of `octoplan apply`, in a process group of its own."""

    def __init__(self, command: Octoplan) -> None:
        self._process = subprocess.Popen(
            command.words("apply", "--auto-approve"),
            cwd=command.folder,
            env=command.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Victim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._process.communicate()

    def kill(self) -> None:
        """`kill -9` for the whole group, if the run has not ended by itself."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def finish(self) -> bool:
        """
        Wait for the end; whether it was killed.

        :raises AssertionError: if it ended by itself, and not with 0.
        """
        _, said = self._process.communicate(timeout=RUN_TIME_MAX_S)
        code = self._process.returncode
        if code not in (0, -signal.SIGKILL) or "Traceback" in said:
            raise AssertionError(f"octoplan apply ended with {code}: {said}")
        return bool(code)


class Ordeal:
    """One project, from its first run to the one that is left alone."""

    def __init__(self, root: Path, sandbox: SandboxProcess, relay: Relay, chance: random.Random) -> None:
        self._sandbox = sandbox
        self._relay = relay
        self._chance = chance
        self._rows = [(f"Zorvane{n}", f"Vantrellec{n}", f"+336123400{n:02}", f"QX{n:02}") for n in range(PEOPLE)]
        self._project = Project(root)
        self._project.environment(relay.endpoint, concurrency=chance.choice([1, 1, 4]))
        self._project.campaign(CAMPAIGN, batch_size=chance.randint(1, 3))
        self._command = Octoplan(root, CREDENTIALS)

    def run(self, kills_max: int) -> KillReport:
        """Kill at most `kills_max` times, then let it finish, and ask the judge."""
        kills = unknown = 0
        while self._run_once(draw_trap(self._chance) if kills < kills_max else None):
            kills += 1
            unknown += self._open_batches()
        self._relay.await_idle()
        return self._judge(kills, unknown)

    def _run_once(self, trap: Trap | None) -> bool:
        """Whether it was killed; if not, it is done."""
        self._chance.shuffle(self._rows)
        self._project.contacts(self._rows)
        late = self._relay.take_late()
        with Victim(self._command) as victim:
            self._relay.arm(trap, victim.kill)
            at_start = trap is not None and trap.moment is None
            timer = threading.Timer(trap.delay_s if trap else 0.0, victim.kill) if at_start else None
            if timer is not None:
                timer.start()
            was_killed = victim.finish()
            if timer is not None:
                timer.cancel()
        self._relay.release_late(late)
        return was_killed

    def _open_batches(self) -> int:
        """
        Batches that a run has left without an outcome, read from a copy.

        To open the database itself would mend what the kill has left, before the next run can.
        """
        state = self._project.state / "environments" / ENVIRONMENT
        key = read_key(self._project.state)
        if key is None or not (state / "state.db").exists():
            return 0
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(state, Path(folder) / "environments" / ENVIRONMENT)
            with contextlib.closing(local_home(Path(folder), ENVIRONMENT, key, SystemClock())) as home:
                return sum(len(each.in_phase(Phase.OPEN)) for each in home.campaigns().values())

    def _judge(self, kills: int, unknown: int) -> KillReport:
        accepted = [message["number"] for message in self._sandbox.accepted()]
        expected = {phone for _, _, phone, _ in self._rows}
        losses = len(expected - set(accepted)) + PEOPLE - self._said_sent()
        return KillReport(kills, len(accepted) - len(set(accepted)), losses, unknown)

    def _said_sent(self) -> int:
        """
        How many octoplan calls sent.

        :raises AssertionError: if a batch is open, or the lock file is not the replay of the journal.
        """
        key = read_key(self._project.state)
        if key is None:
            raise AssertionError("there is no digest key")
        with contextlib.closing(local_home(self._project.state, ENVIRONMENT, key, SystemClock())) as home:
            campaigns = home.campaigns()
        lock = read_lock(lock_path(self._project.root, ENVIRONMENT), ENVIRONMENT)
        if lock != lock_of(ENVIRONMENT, key.fingerprint, campaigns.values()):
            raise AssertionError("the lock file is not what the journal says")
        if campaigns[CAMPAIGN].in_phase(Phase.OPEN):
            raise AssertionError("an outcome is unknown, though every run was resumed in time")
        return campaigns[CAMPAIGN].sent_recipients


def run(kills: int, seed: int) -> KillReport:
    """
    Kill `kills` runs, over as many projects as that takes, and add up what the judge found.

    :raises AssertionError: if a run ends by itself in another way than well; the seed and the project are named.
    """
    total = KillReport(0, 0, 0, 0)
    with tempfile.TemporaryDirectory() as folder, SandboxProcess.start(Path(folder) / "sandbox") as sandbox:
        for number, chance in enumerate(_chances(seed)):
            if total.kills >= kills:
                return total
            sandbox.reset()
            root = Path(folder) / f"project-{number}"
            with Relay(sandbox.url) as relay:
                try:
                    ordeal = Ordeal(root, sandbox, relay, chance)
                    found = ordeal.run(min(kills - total.kills, KILLS_PER_PROJECT_MAX))
                except Exception as error:
                    raise AssertionError(f"seed {seed}, project {number}: {error}") from error
            total = _sum(total, found)
            shutil.rmtree(root)
    raise AssertionError("unreachable: seeds do not end")


def _chances(seed: int) -> Iterator[random.Random]:
    """One source of chance a project, so that a project does not depend on how far the last one got."""
    number = 0
    while True:
        yield random.Random(f"{seed}/{number}")
        number += 1


def _sum(one: KillReport, other: KillReport) -> KillReport:
    return KillReport(
        one.kills + other.kills,
        one.duplicates + other.duplicates,
        one.losses + other.losses,
        one.unknown + other.unknown,
    )


def main() -> int:
    """Ends with one line of JSON; exits with 1 if anybody got it twice or not at all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    began = time.monotonic()
    report = run(wanted.kills, wanted.seed)
    seconds = round(time.monotonic() - began, 1)
    sys.stdout.write(json.dumps({**asdict(report), "seed": wanted.seed, "seconds": seconds}) + "\n")
    return int(bool(report.duplicates or report.losses))


if __name__ == "__main__":
    sys.exit(main())
