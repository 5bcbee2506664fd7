"""
SIGINT and SIGTERM: nothing new begins, what is under way gets a bounded time, and the command ends.

No test looks at a clock: the other side hangs for far longer than the command may take, and still hangs when it ended.
"""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
from typing import Final

import pytest

from tests.behaviour.command import Octoplan
from tests.behaviour.gate import Gate, Moment
from tests.behaviour.project import PEOPLE, Project
from tests.behaviour.state import held_lease
from tests.sandbox_process import SandboxProcess

SIGNALS: Final = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
HANG_S: Final = 45
"""How long the other side hangs; the command is expected to be gone long before."""


def interrupt(octoplan: Octoplan, running: subprocess.Popen[str], sent: signal.Signals, code: int) -> str:
    """Send the signal and wait for the end, less long than anything here hangs. The two streams."""
    running.send_signal(sent)
    running.wait(HANG_S / 3)
    return octoplan.finish(running, code).output


def require_everybody_once(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """The next apply finishes, and each person has one message."""
    octoplan("apply", "--auto-approve", code=0)
    summary = sandbox.summary()
    assert summary["messages"] == summary["distinct_recipients"] == len(PEOPLE)
    assert summary["duplicates"] == 0


@pytest.mark.parametrize(("sent", "code"), SIGNALS)
def test_a_hanging_request_is_left_behind_as_unknown(
    octoplan: Octoplan, sandbox: SandboxProcess, gate: Gate, sent: signal.Signals, code: int
) -> None:
    """
    Its time is up while the answer is still held: exit 10, and the journal says so. A second signal does no harm.

    The next apply repeats the very request, and hears that it was obeyed.
    """
    gate.hold(Moment.ANSWER)
    running = octoplan.start("apply", "--auto-approve")
    gate.await_held()
    running.send_signal(sent)
    said = interrupt(octoplan, running, sent, 10)
    assert f"stopped by {sent.name}" in said
    assert "left behind when stopped" in said
    assert "first sent" in octoplan("recover", code=10).stdout
    request_id = sandbox.accepted()[0]["request_id"]
    gate.drop()
    require_everybody_once(octoplan, sandbox)
    assert sandbox.stats()["refused_by_code"] == {"120": 1}
    assert request_id in octoplan("show", "spring").stdout


@pytest.mark.parametrize(("sent", "code"), SIGNALS)
def test_the_pause_that_the_api_asked_for_ends_at_once(
    octoplan: Octoplan, sandbox: SandboxProcess, gate: Gate, sent: signal.Signals, code: int
) -> None:
    """Retry-After: the request is given up as certainly not sent; it is not repeated before its time."""
    sandbox.faults({"kind": "status", "status": 429, "process": False, "retry_after": HANG_S})
    gate.hold(Moment.REQUEST)
    running = octoplan.start("apply", "--auto-approve")
    gate.await_held()
    gate.release_and_await()
    said = interrupt(octoplan, running, sent, code)
    assert f"stopped by {sent.name}" in said
    assert "the API could not be reached" not in said
    assert sandbox.stats()["real_sends"] == 0
    assert "UNKNOWN" not in octoplan("status", code=0).stdout
    require_everybody_once(octoplan, sandbox)


def test_waiting_for_the_pace_ends_at_once(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess, gate: Gate
) -> None:
    """A request that waits for its turn is given up as certainly not sent."""
    project.environment(gate.endpoint, requests_per_second="0.01")
    gate.hold(Moment.ANSWER)
    running = octoplan.start("apply", "--auto-approve")
    gate.await_held()
    gate.release_and_await()
    interrupt(octoplan, running, signal.SIGTERM, 143)
    assert sandbox.summary()["requests"] == 1
    project.environment(gate.endpoint)
    require_everybody_once(octoplan, sandbox)


@pytest.mark.parametrize(("sent", "code"), SIGNALS)
def test_planning_ends_at_once_and_gives_the_lease_back(
    octoplan: Octoplan, sandbox: SandboxProcess, gate: Gate, sent: signal.Signals, code: int
) -> None:
    """Before the first send there is nothing to finish, whatever the API is doing."""
    gate.hold(Moment.PRICE)
    running = octoplan.start("apply", "--auto-approve")
    gate.await_held()
    assert f"stopped by {sent.name} before anything was sent" in interrupt(octoplan, running, sent, code)
    assert sandbox.stats()["real_sends"] == 0
    gate.drop()
    assert "lease" not in octoplan("apply", "--auto-approve", code=0).stderr


def test_sigterm_ends_a_plan(octoplan: Octoplan, gate: Gate) -> None:
    """Every command ends with the code of the signal."""
    gate.hold(Moment.PRICE)
    running = octoplan.start("plan")
    gate.await_held()
    interrupt(octoplan, running, signal.SIGTERM, 143)


def test_asking_the_wallet_after_the_canary_ends_at_once(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess, gate: Gate
) -> None:
    """A question that writes nothing is dropped; the canary is recorded as sent."""
    project.campaign("spring", canary={"recipients": "1"})
    gate.hold(Moment.ANSWER, then=Moment.WALLET)
    running = octoplan.start("apply", "--auto-approve")
    gate.await_held()
    gate.release_and_await()
    gate.await_held()
    said = interrupt(octoplan, running, signal.SIGTERM, 143)
    assert "without waiting" not in said
    assert "Applied (run" in said
    assert sandbox.summary()["messages"] == 1
    gate.drop()
    require_everybody_once(octoplan, sandbox)


def test_waiting_for_the_lease_ends_at_once(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """`--lock-timeout` is a promise to wait, not to be deaf."""
    octoplan("plan")
    with held_lease(project):
        running = octoplan.start("apply", "--auto-approve", "--lock-timeout", str(HANG_S))
        assert running.stderr is not None
        assert "waiting" in running.stderr.readline()
        interrupt(octoplan, running, signal.SIGINT, 130)
    assert sandbox.stats()["real_sends"] == 0


def test_a_state_home_that_hangs_does_not_keep_the_command(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess, gate: Gate
) -> None:
    """
    The outcome cannot be written, nor the store be closed: the command ends all the same, and calls it unknown.

    Somebody else holds the database's write lock, for longer than the command may take after the signal.
    """
    gate.hold(Moment.ANSWER)
    running = octoplan.start("apply", "--auto-approve")
    gate.await_held()
    database = sqlite3.connect(project.state / "environments/live/state.db", isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
        gate.release_and_await()
        said = interrupt(octoplan, running, signal.SIGTERM, 10)
        assert "without waiting for what still hangs" in said
        assert "Applied (run" not in said
    finally:
        database.close()
    require_everybody_once(octoplan, sandbox)


def test_a_remote_that_hangs_does_not_keep_the_command(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """A git server that accepts and says nothing: nothing was begun, so the command is gone at once."""
    subprocess.run(["git", "init", "-q", str(project.root)], check=True)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(HANG_S)
        remote = f"git://127.0.0.1:{silent.getsockname()[1]}/x.git"
        project.environment(sandbox.endpoint, state={"home": "git", "remote": remote})
        running = octoplan.start("apply", "--auto-approve", variables={"OCTOPLAN_DIGEST_KEY": "5a" * 32})
        connection, _ = silent.accept()
        with connection:
            interrupt(octoplan, running, signal.SIGTERM, 143)
