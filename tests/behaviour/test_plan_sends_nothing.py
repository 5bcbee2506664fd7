"""Outside apply nothing can send (G3): every command is driven against a sandbox that counts real sends."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Final

from octoplan.cli.main import COMMANDS
from tests.behaviour.command import Octoplan
from tests.behaviour.project import Project
from tests.git_repositories import git
from tests.sandbox_process import SandboxProcess

DRIVEN: Final[dict[str, list[tuple[int, tuple[str, ...]]]]] = {
    "init": [(0, ("init", "elsewhere"))],
    "validate": [(0, ("validate",))],
    "fmt": [(0, ("fmt",))],
    "test": [(0, ("test",))],
    "completion": [(0, ("completion", "fish"))],
    "preview": [(0, ("preview", "spring", "--reveal"))],
    "excluded": [(0, ("excluded", "spring"))],
    "plan": [(10, ("plan", "--out", "plan.json")), (10, ("plan", "--offline"))],
    "diff": [(0, ("diff", "HEAD"))],
    "comment": [(0, ("comment", "--exit-code", "3", "--if-possible", "--ci", "github"))],
    "status": [(10, ("status",))],
    "report": [(0, ("report",))],
    "show": [(0, ("show", "spring"))],
    "lock": [(0, ("lock", "check")), (0, ("lock", "rebuild")), (0, ("lock", "resolve"))],
    "rules": [(0, ("rules",)), (0, ("rules", "window/fr-hours", "--output", "json"))],
    "schema": [(0, ("schema", "--write", "schemas"))],
    "doctor": [(0, ("doctor",))],
    "stop": [(0, ("stop", "--reason", "a look at it"))],
    "state": [(0, ("state", "info"))],
    "resume": [(0, ("resume",))],
    "adopt": [(3, ("adopt", "spring", "--reason", "begun already"))],
    "cancel": [(0, ("cancel", "spring"))],
    "recover": [(10, ("recover",)), (0, ("recover", "b1_", "--mark-not-sent", "--reason", "looked it up"))],
}
"""Command -> exit codes and arguments, in a project where one request has an unknown outcome and two are to be sent."""
LEFT_OUT: Final = {
    "apply": "sends, that is its purpose",
    "demo": "applies, to the sandbox alone",
    "sandbox": "is the API's other side; it runs in a test of its own",
}


def test_every_command_but_apply_sends_nothing(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """
    Each command of the command line is run where there is something to send and something to repeat.

    A new command has to be added to the table, or left out with a reason.
    """
    assert {*DRIVEN, *LEFT_OUT} == {*COMMANDS}
    project.settings(environments={"sandbox": {"on_unknown": "stop"}})
    row = "{first_name: Alix, last_name: Orme, code: X, mobile: '0612340010'}"
    project.write("tests/spring.yaml", f"campaign: spring\ntests:\n  - name: a test\n    contacts: [{{row: {row}}}]\n")
    sandbox.faults({"kind": "reset_before"})
    octoplan("apply", "--auto-approve", code=10)
    git(project.root, "init", "-q")
    git(project.root, "add", ".")
    git(project.root, "commit", "-q", "-m", "sent in part")
    for runs in DRIVEN.values():
        for code, arguments in runs:
            octoplan(*arguments, code=code)
            assert sandbox.stats()["real_sends"] == 0, arguments
    assert octoplan("plan", "--output", "json").json()["totals"]["recipients"] == 5
    assert sandbox.stats()["real_sends"] == 0


def test_a_plan_asks_for_prices_by_simulation_only(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """A first plan of unsent campaigns simulates one request and leaves the wallet as it was."""
    before = sandbox.balance()
    octoplan("plan")
    assert sandbox.stats()["simulated_sends"] == 1
    assert sandbox.stats()["real_sends"] == 0
    assert sandbox.balance() == before


def test_an_api_that_ignores_simulation_is_noticed(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Should the API send what was only simulated, the balance falls: plan and apply stop with 10 and say so."""
    sandbox.ignore_simulation(True)
    assert "the balance fell from" in octoplan("plan", code=10).stderr
    assert sandbox.stats()["real_sends"] == 1
    octoplan("apply", "--auto-approve", code=10)
    assert sandbox.stats()["real_sends"] == 2


def test_the_sandbox_command_serves_until_ctrl_c(tmp_path: Path) -> None:
    """`octoplan sandbox` announces itself, is found by other commands, and ends with 0 without having sent anything."""
    project = Project(tmp_path / "alone")
    octoplan = Octoplan(project.root)
    try:
        serving = octoplan.start("sandbox")
        assert serving.stdout is not None
        assert serving.stdout.readline().startswith("Sandbox at http://127.0.0.1:")
        octoplan("plan")
        serving.send_signal(signal.SIGINT)
        octoplan.finish(serving, 0)
    finally:
        octoplan.close()
