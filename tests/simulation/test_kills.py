"""
Real processes that are killed, that race, and that come from an old checkout; `python -m tests.simulation.kills` kills
more of them.

The judge is the sandbox's record: who got what, and how often.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from octoplan.digests import DigestKey
from tests.behaviour.command import Octoplan
from tests.behaviour.gate import Gate, Moment
from tests.behaviour.project import NUMBERS, PEOPLE, Project
from tests.git_repositories import git
from tests.sandbox_process import SandboxProcess
from tests.simulation import kills
from tests.simulation.kills import CREDENTIALS, KillReport

KILLS = 8
NEWCOMERS = (("Velmire", "Ostragon", "0612345606", "QX7MAPLE"), ("Dorvain", "Pellucier", "0612345607", "QX7NETTLE"))
AT_ONCE = ("apply", "--auto-approve", "--lock-timeout", "60")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("sandbox") / "served") as running:
        yield running


@pytest.fixture
def sandbox(served: SandboxProcess) -> SandboxProcess:
    """As on its first day."""
    served.reset()
    return served


@pytest.fixture
def gate(sandbox: SandboxProcess) -> Iterator[Gate]:
    with Gate(sandbox.url) as between:
        yield between


@pytest.fixture
def octoplan(tmp_path: Path, gate: Gate) -> Iterator[Octoplan]:
    """The command in a project whose state home is local."""
    project = Project(tmp_path / "maple")
    project.environment(gate.endpoint)
    command = Octoplan(project.root, CREDENTIALS)
    yield command
    command.close()


class Team:
    """One bare repository with a project whose state home is `git`; everybody works in a clone."""

    def __init__(self, folder: Path, gate: Gate) -> None:
        self._folder = folder
        self._remote = folder / "remote.git"
        self._variables = {**CREDENTIALS, "OCTOPLAN_DIGEST_KEY": DigestKey.generate().to_text()}
        self.commands: list[Octoplan] = []
        git(folder, "init", "-q", "--bare", str(self._remote))
        self.project = Project(folder / "author")
        self.project.environment(gate.endpoint, state={"home": "git"})
        git(self.project.root, "init", "-q")
        git(self.project.root, "remote", "add", "origin", str(self._remote))
        self.publish()

    def publish(self) -> None:
        """Commit the project as it is and push it to `main`."""
        git(self.project.root, "add", ".")
        git(self.project.root, "commit", "-q", "-m", "edited")
        git(self.project.root, "push", "-q", "origin", "HEAD:main")

    def clone(self, name: str) -> Octoplan:
        """The command in a fresh clone with a single commit, as CI has it."""
        git(self._folder, "clone", "-q", "--depth=1", "--branch=main", self._remote.as_uri(), name)
        self.commands.append(Octoplan(self._folder / name, self._variables))
        return self.commands[-1]


@pytest.fixture
def team(tmp_path: Path, gate: Gate) -> Iterator[Team]:
    made = Team(tmp_path, gate)
    yield made
    for command in made.commands:
        command.close()


def require_everybody_once(sandbox: SandboxProcess, numbers: tuple[str, ...] = NUMBERS) -> None:
    """Each of them got one message, and nobody else any."""
    assert sorted(message["number"] for message in sandbox.accepted()) == sorted(numbers)


def test_kill_9_at_any_moment_gives_nobody_two_and_nobody_none() -> None:
    """Killed again and again and resumed until done: everybody has one message, and octoplan says so."""
    report = kills.run(KILLS, seed=3)
    assert replace(report, unknown=0) == KillReport(KILLS, duplicates=0, losses=0, unknown=0)
    assert report.unknown > 0, "no kill hit a request under way"


def test_of_applies_at_once_in_one_folder_one_sends(octoplan: Octoplan, sandbox: SandboxProcess, gate: Gate) -> None:
    """While one sends, a second ends with 7; one with `--lock-timeout` waits, and then finds nothing left."""
    gate.hold(Moment.REQUEST)
    first = octoplan.start("apply", "--auto-approve")
    gate.await_held()
    waiting = octoplan.start(*AT_ONCE)
    octoplan("apply", "--auto-approve", code=7)
    gate.release()
    octoplan.finish(first, 0)
    assert "Nothing to send." in octoplan.finish(waiting, 0).stdout
    require_everybody_once(sandbox)


def test_applies_that_start_together_share_one_folder(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """A race from the first moment on, also for the digest key: one sends all, the others nothing."""
    racing = [octoplan.start(*AT_ONCE) for _ in range(3)]
    results = [octoplan.finish(process, 0) for process in racing]
    assert sorted("Nothing to send." in result.stdout for result in results) == [False, True, True]
    require_everybody_once(sandbox)


def test_applies_that_start_together_in_two_clones(team: Team, sandbox: SandboxProcess) -> None:
    """Two machines race for the ref of one bare repository: one sends all, the other nothing."""
    racing = [(command, command.start(*AT_ONCE)) for command in (team.clone("laptop"), team.clone("runner"))]
    results = [command.finish(process, 0) for command, process in racing]
    assert sorted("Nothing to send." in result.stdout for result in results) == [False, True]
    require_everybody_once(sandbox)


def test_a_machine_that_dies_is_taken_over_by_another(team: Team, sandbox: SandboxProcess, gate: Gate) -> None:
    """Its lease stays until a person takes it away; then the other machine repeats the very request, and goes on."""
    dying, other = team.clone("laptop"), team.clone("runner")
    gate.hold(Moment.ANSWER)
    running = dying.start("apply", "--auto-approve")
    gate.await_held()
    running.kill()
    dying.finish(running, -9)
    gate.drop()
    refused = other("apply", "--auto-approve", code=7).stderr
    found = re.search(r"run (r_[0-9a-f]+)", refused)
    assert found, refused
    other("state", "unlock", found[1])
    other("apply", "--auto-approve")
    require_everybody_once(sandbox)
    assert "Nothing to send." in dying("apply", "--auto-approve").stdout


def test_an_old_checkout_without_the_local_home_sends_nothing(
    octoplan: Octoplan, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """A copy of the repository has the lock file but not the memory: with the key or without, it refuses."""
    octoplan("apply", "--auto-approve")
    git(octoplan.folder, "init", "-q")
    git(octoplan.folder, "add", ".")
    git(octoplan.folder, "commit", "-q", "-m", "sent")
    git(tmp_path, "clone", "-q", str(octoplan.folder), "elsewhere")
    elsewhere = Octoplan(tmp_path / "elsewhere", CREDENTIALS)
    elsewhere("apply", "--auto-approve", code=7)
    key = (octoplan.folder / ".octoplan/digest.key").read_text().strip()
    behind = elsewhere("apply", "--auto-approve", code=7, variables={"OCTOPLAN_DIGEST_KEY": key}).stderr
    assert "records 3 request(s) that the state home here does not know" in behind
    require_everybody_once(sandbox)


def test_a_job_run_again_from_an_old_checkout_sends_nothing(team: Team, sandbox: SandboxProcess) -> None:
    """An older list and no lock file, but the shared memory: it knows who has it, whoever asks."""
    team.project.campaign("spring", audience="growing")
    team.publish()
    old = team.clone("old")
    team.clone("first")("apply", "--auto-approve")
    team.project.contacts([*PEOPLE, *NEWCOMERS])
    team.publish()
    team.clone("second")("apply", "--auto-approve")
    assert "Nothing to send." in old("apply", "--auto-approve").stdout
    require_everybody_once(sandbox, (*NUMBERS, "+33612345606", "+33612345607"))
