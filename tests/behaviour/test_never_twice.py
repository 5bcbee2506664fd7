"""
Nobody twice, nobody lost (G1, G2), whatever the network, the API or the kernel does in the middle.

The judge is the sandbox's inbox: who got what, and how often.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.behaviour.command import Octoplan
from tests.behaviour.gate import Gate, Moment
from tests.behaviour.project import NUMBERS, PEOPLE, Project
from tests.sandbox_process import SandboxProcess


def require_everybody_once(sandbox: SandboxProcess, octoplan: Octoplan) -> None:
    """Each of the five got one message, and octoplan says the same."""
    assert sorted(message["number"] for message in sandbox.accepted()) == list(NUMBERS)
    assert sandbox.summary()["duplicates"] == 0
    said = octoplan("status", code=0).stdout
    assert f"{len(PEOPLE)} messages sent in" in said
    assert "UNKNOWN" not in said
    assert "is behind" not in said


def test_apply_again_sends_nothing(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """The second apply of the same project finds nothing to send."""
    octoplan("apply", "--auto-approve")
    again = octoplan("apply", "--auto-approve")
    assert "Nothing to send." in again.stdout
    require_everybody_once(sandbox, octoplan)


def test_a_renamed_file_with_shuffled_rows_sends_nothing(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """A campaign is its id and a recipient their number: neither file names nor the order of rows make a new one."""
    octoplan("apply", "--auto-approve")
    written = project.campaign("spring", recipients={"path": "data/other.csv", "phone": "mobile"})
    written.rename(written.with_name("a-renamed.yaml"))
    project.contacts(reversed(PEOPLE), path="data/other.csv")
    octoplan("apply", "--auto-approve")
    require_everybody_once(sandbox, octoplan)


LOST_REQUESTS: Final[list[dict[str, Any]]] = [
    {"kind": "reset_before"},
    {"kind": "status", "status": 429, "retry_after": 1},
    {"kind": "status", "status": 500, "process": False},
    {"kind": "refuse", "status": 400, "code": 153},
    {"kind": "status", "status": 503, "process": False, "retry_after": 0},
]
LOST_ANSWERS: Final[list[dict[str, Any]]] = [
    {"kind": "reset_after"},
    {"kind": "truncate"},
    {"kind": "status", "status": 500, "process": True},
    {"kind": "status", "status": 301, "process": True},
    {"kind": "status", "status": 200, "process": True, "body": ""},
]


@pytest.mark.parametrize("mishaps", [LOST_REQUESTS, LOST_ANSWERS], ids=["requests", "answers"])
def test_mishaps_are_survived_within_the_run(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess, mishaps: list[dict[str, Any]]
) -> None:
    """Whether the API had obeyed or not: apply repeats under the same id where it must, and ends with 0."""
    project.campaign("spring", batch_size=1)
    sandbox.faults(*(fault for mishap in mishaps for fault in (mishap, {"kind": "pass"})))
    octoplan("apply", "--auto-approve", code=0)
    require_everybody_once(sandbox, octoplan)
    refused = sandbox.stats()["refused_by_code"]
    assert refused == ({"120": len(mishaps)} if mishaps is LOST_ANSWERS else {})


@pytest.mark.parametrize("processed", [True, False])
def test_an_outcome_left_open_is_settled_by_the_next_apply(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess, processed: bool
) -> None:
    """A run that stopped at a doubt leaves one request open; a later apply repeats that very request, then the rest."""
    project.settings(environments={"sandbox": {"on_unknown": "stop"}})
    sandbox.faults({"kind": "status", "status": 500, "process": processed})
    octoplan("apply", "--auto-approve", code=10)
    project.settings(environments={"sandbox": {"on_unknown": "repeat"}})
    octoplan("apply", "--auto-approve", code=0)
    require_everybody_once(sandbox, octoplan)
    refused = sandbox.stats()["refused_by_code"]
    assert refused == ({"120": 1} if processed else {})


@pytest.mark.parametrize(
    ("moment", "goes_on"),
    [(Moment.PRICE, False), (Moment.REQUEST, False), (Moment.REQUEST, True), (Moment.ANSWER, False)],
)
def test_kill_9_in_the_middle_and_apply_again(
    octoplan: Octoplan, sandbox: SandboxProcess, gate: Gate, moment: Moment, goes_on: bool
) -> None:
    """
    A run killed before, in or after a request, which then is lost or arrives all the same.

    The lease is free at once, and the next apply brings everybody their one message.
    """
    gate.hold(moment)
    running = octoplan.start("apply", "--auto-approve")
    gate.await_held()
    running.kill()
    octoplan.finish(running, -9)
    if goes_on:
        gate.release_and_await()
    else:
        gate.drop()
    octoplan("apply", "--auto-approve", code=0)
    require_everybody_once(sandbox, octoplan)


def test_of_two_applies_at_once_one_ends_with_7(octoplan: Octoplan, sandbox: SandboxProcess, gate: Gate) -> None:
    """While one apply runs, a second is refused and told who holds the lease; looking is not."""
    gate.hold(Moment.REQUEST)
    running = octoplan.start("apply", "--auto-approve")
    gate.await_held()
    second = octoplan("apply", "--auto-approve", code=7)
    assert "another run is applying: run r_" in second.stderr
    assert "an apply is running: run r_" in octoplan("status", code=10).stdout
    assert "cannot" not in octoplan("plan", code=0).stderr
    gate.release()
    octoplan.finish(running, 0)
    require_everybody_once(sandbox, octoplan)


def test_recover_waits_for_the_lease(octoplan: Octoplan, sandbox: SandboxProcess, gate: Gate) -> None:
    """A batch cannot be settled by hand while the run that sends it is alive."""
    gate.hold(Moment.REQUEST)
    running = octoplan.start("apply", "--auto-approve")
    gate.await_held()
    octoplan("recover", "b1_", "--mark-not-sent", "--reason", "impatience", code=7)
    gate.release()
    octoplan.finish(running, 0)
    require_everybody_once(sandbox, octoplan)
