"""Who may apply now: waiting for it, taking over from the dead, taking it away; and a lock file that lags behind."""

from __future__ import annotations

import socket

import pytest

from octoplan.state.store import LeaseLost
from tests.behaviour.command import Octoplan
from tests.behaviour.gate import Gate, Moment
from tests.behaviour.project import PEOPLE, Project
from tests.behaviour.state import held_lease
from tests.sandbox_process import SandboxProcess


@pytest.mark.parametrize("command", [("apply", "--auto-approve"), ("recover", "b1_", "--mark-sent")])
def test_the_lease_of_a_dead_run_is_taken_over_aloud(
    octoplan: Octoplan, sandbox: SandboxProcess, gate: Gate, command: tuple[str, ...]
) -> None:
    """Owner, host, run and age are named, once; after a run that ended in order nobody is."""
    gate.hold(Moment.ANSWER)
    running = octoplan.start("apply", "--auto-approve")
    gate.await_held()
    running.kill()
    octoplan.finish(running, -9)
    gate.drop()
    said = octoplan(*command).stderr
    assert "was still in the name of run r_" in said
    assert f"on {socket.gethostname()} (process {running.pid})" in said
    assert "this run has taken the lease over" in said
    assert "in the name of" not in octoplan("apply", "--auto-approve").stderr
    assert sandbox.summary()["duplicates"] == 0


def test_lock_timeout_waits_for_a_lease_that_is_given_back(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """It says for whom it waits, and then goes on by itself."""
    octoplan("plan")
    with held_lease(project):
        running = octoplan.start("apply", "--auto-approve", "--lock-timeout", "60")
        assert running.stderr is not None
        assert "waiting up to 60 s for the lease, held by run r_1 of dana on build-7" in running.stderr.readline()
    octoplan.finish(running, 0)
    assert sandbox.summary()["messages"] == len(PEOPLE)


@pytest.mark.parametrize("seconds", ["0", "1"])
def test_a_lease_that_is_not_given_back_is_7(project: Project, octoplan: Octoplan, seconds: str) -> None:
    """With who holds it, and what to do."""
    octoplan("plan")
    with held_lease(project):
        said = octoplan("apply", "--auto-approve", "--lock-timeout", seconds, code=7).stderr
    assert "another run is applying: run r_1 of dana on build-7" in said


def test_unlock_names_the_run_and_keeps_it_from_writing(project: Project, octoplan: Octoplan) -> None:
    """Another name is refused with the right one; after it the old run can write nothing more."""
    octoplan("plan")
    with held_lease(project) as session:
        assert "it is held by run r_1 of dana" in octoplan("state", "unlock", "r_2", code=3).stderr
        session.open_campaign("other", {})
        assert "r_1 has no lease any more" in octoplan("state", "unlock", "r_1").stdout
        with pytest.raises(LeaseLost):
            session.open_campaign("spring", {})


def test_a_lock_file_of_an_old_checkout_is_named_and_loses(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """Plan and apply warn, send nothing again, and apply brings the file up to date."""
    project.campaign("summer", message={"template": "Ete {{ code }}. STOP au XXXXX"})
    octoplan("apply", "--auto-approve", "--campaign", "summer")
    lock = project.root / "octoplan.sandbox.lock"
    old = lock.read_bytes()
    octoplan("apply", "--auto-approve")
    new = lock.read_bytes()
    lock.write_bytes(old)
    for command in (("plan",), ("apply", "--auto-approve")):
        said = octoplan(*command)
        assert "octoplan.sandbox.lock is older than the state home: it lacks 3 request(s) (spring)" in said.stderr
        assert "Nothing to send." in said.stdout
    assert lock.read_bytes() == new
    assert "is older" not in octoplan("plan").stderr
    assert sandbox.summary()["messages"] == 2 * len(PEOPLE)
