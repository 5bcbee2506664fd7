"""How far a plan is and what it took: on standard error, and never in the way of a result."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess

from tests.behaviour.command import ENDS_WITHIN_S, Octoplan
from tests.behaviour.gate import Gate, Moment
from tests.behaviour.project import Project
from tests.behaviour.test_interactive import read_until
from tests.sandbox_process import SandboxProcess

_CLEAR = "\r\x1b[K"
STAGES = (
    "cache",
    "inspect",
    "suppression",
    "contacts",
    "settle",
    "message",
    "batches",
    "ledger",
    "prices",
    "decide",
    "rest",
)


def watch(octoplan: Octoplan, gate: Gate, moment: Moment, stage: str, *arguments: str) -> tuple[str, str]:
    """Hold the API at a moment until a terminal shows the stage; what it showed in all, and standard output."""
    ours, theirs = pty.openpty()
    variables = {"TERM": "xterm", "NO_COLOR": "1"}
    gate.hold(moment)
    with subprocess.Popen(
        octoplan.words(*arguments),
        cwd=octoplan.folder,
        env=octoplan.environment(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        encoding="utf-8",
    ) as process:
        os.close(theirs)
        gate.await_held()
        shown = read_until(ours, f"{_CLEAR}{stage}  ")
        gate.release()
        stdout, _ = process.communicate(timeout=ENDS_WITHIN_S)
        shown += read_until(ours, None)
        os.close(ours)
    assert process.returncode == 0
    assert set(re.findall(r"\x1b\[[^A-Za-z]*[A-Za-z]", shown)) == {"\x1b[K"}, "no colour"
    assert "\r" not in stdout
    return shown, stdout


def test_a_terminal_sees_how_far_a_slow_plan_is(octoplan: Octoplan, gate: Gate) -> None:
    """While the API takes its time, the terminal shows the stage; afterwards its line is empty again."""
    shown, stdout = watch(octoplan, gate, Moment.PRICE, "prices", "plan")
    assert shown.endswith(_CLEAR)
    assert "Plan for maple in live" in stdout


def test_a_terminal_sees_how_far_a_slow_run_is(octoplan: Octoplan, gate: Gate) -> None:
    """The same while requests are sent; what became of each stands on a line of its own."""
    shown, stdout = watch(octoplan, gate, Moment.ANSWER, "sending", "apply", "--auto-approve")
    lines = re.findall(r"^(\[\d/3\]) spring: ", shown.replace(_CLEAR, "\n"), re.MULTILINE)
    assert lines == ["[1/3]", "[2/3]", "[3/3]"]
    assert "Total: 5 messages sent" in stdout


def test_a_log_gets_no_control_characters(octoplan: Octoplan) -> None:
    """Without a terminal nothing is rewritten."""
    assert not set("\r\x1b") & set(octoplan("plan").output)


def test_timings_are_shown_after_the_plan(octoplan: Octoplan) -> None:
    """`--timings`: a line a stage on standard error; the plan on standard output is the same with and without it."""
    result = octoplan("plan", "--timings", "--offline")
    lines = result.stderr.splitlines()
    assert [line.split()[0] for line in lines[-len(STAGES) - 2 :]] == ["stage", *STAGES, "total"]
    assert "seconds" not in result.stdout
    assert "seconds" not in octoplan("plan", "--offline").output


def test_apply_shows_what_its_plan_took(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Before the first message goes out."""
    result = octoplan("apply", "--auto-approve", "--timings")
    assert 0 < result.stderr.index("total ") < result.stderr.index("[1/3]")
    assert sandbox.summary()["requests"] == 3


def test_timings_as_data(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """
    In the JSON of `--output` under `timings`, in no saved plan.

    They are no part of what is approved, so a plan that has them can be applied all the same.
    """
    octoplan("plan", "--timings", "--output", "json=shown.json", "--out", "saved.json")
    shown, saved = (json.loads((project.root / name).read_text()) for name in ("shown.json", "saved.json"))
    stages = {stage["stage"]: stage for stage in shown.pop("timings")["stages"]}
    assert tuple(stages) == STAGES
    assert stages["contacts"]["rows"] == 5
    assert shown == saved
    octoplan("apply", "shown.json")
    assert sandbox.summary()["messages"] == 5
