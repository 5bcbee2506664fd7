"""`apply --json`: whatever happens to a run, its lines tell it, and the last one has the exit code."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest

from tests.behaviour.command import ENDS_WITHIN_S, Octoplan
from tests.behaviour.gate import Gate, Moment
from tests.behaviour.project import PEOPLE, Project
from tests.behaviour.state import held_lease
from tests.behaviour.test_privacy import require_no_trace
from tests.sandbox_process import SandboxProcess

ROOT: Final = Path(__file__).parents[2]
GOLDEN: Final = ROOT / "tests/data/golden/apply-stream.jsonl"
APPLY: Final = ("apply", "--auto-approve", "--json")
_CHANGES: Final = (
    (r'"at":"[^"]+"', '"at":"…"'),
    (r'"octoplan":"[^"]+"', '"octoplan":"…"'),
    (r"\b(r_|b1_|sms_)[0-9a-f]+", r"\1…"),
)
"""What is another one in every run."""


@cache
def schema() -> jsonschema.Draft202012Validator:
    document = json.loads((ROOT / "schemas/apply-stream.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(document)


def read_stream(text: str, code: int) -> list[dict[str, Any]]:
    """The lines, each of which is held against the schema; the first and last are as they always are."""
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        schema().validate(line)
    assert (lines[0]["type"], lines[0]["version"]) == ("version", 1)
    assert (lines[-1]["type"], lines[-1]["exit_code"]) == ("end", code)
    assert [line["type"] for line in lines].count("end") == 1
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    return lines


def stream(octoplan: Octoplan, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    return read_stream(octoplan(*APPLY, *arguments, code=code).stdout, code)


def kinds(lines: Sequence[dict[str, Any]]) -> list[str]:
    return [line["type"] for line in lines]


# --- runs ------------------------------------------------------------------------------------------------------------


def test_a_run_that_goes_well(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Line by line as in the golden file; the tickets are those of the API, and no line holds anybody's data."""
    result = octoplan(*APPLY)
    lines = read_stream(result.stdout, 0)
    shown = result.stdout
    for pattern, instead in _CHANGES:
        shown = re.sub(pattern, instead, shown)
    assert shown == GOLDEN.read_text(encoding="utf-8")
    tickets = {line["ticket"] for line in lines if line["type"] == "batch"}
    assert tickets == {message["ticket"] for message in sandbox.accepted()}
    require_no_trace(project, octoplan)


def test_nothing_to_send(octoplan: Octoplan) -> None:
    """A plan of no requests, and the end."""
    octoplan(*APPLY)
    lines = stream(octoplan)
    assert kinds(lines) == ["version", "plan", "end"]
    assert (lines[1]["requests"], lines[1]["campaigns"][0]["action"]) == (0, "sent")


def test_a_refused_request(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Its line has the API's words, the campaign counts its people, and the others go on."""
    sandbox.faults({"kind": "pass"}, {"kind": "refuse", "status": 400, "code": 1340, "message": "Forbidden word."})
    lines = stream(octoplan, code=9)
    batches = [line for line in lines if line["type"] == "batch"]
    assert [line["status"] for line in batches] == ["sent", "refused", "sent"]
    assert "Forbidden word." in batches[1]["detail"]
    (done,) = (line for line in lines if line["type"] == "campaign-done")
    assert sum(done["recipients"].values()) == len(PEOPLE)
    assert (done["recipients"]["refused"], done["is_complete"]) == (batches[1]["recipients"], False)


def test_an_unknown_outcome(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """The batch is unknown, the halt says why and what to do, the rest is not tried."""
    project.settings(environments={"sandbox": {"on_unknown": "stop"}})
    sandbox.faults({"kind": "reset_after"})
    lines = stream(octoplan, code=10)
    assert kinds(lines) == ["version", "plan", "campaign", "batch", "halt", "campaign-done", "end"]
    assert lines[3]["status"] == "unknown"
    assert (lines[4]["exit_code"], "octoplan recover" in lines[4]["hint"]) == (10, True)
    assert lines[5]["recipients"] | {"sent": 0, "unknown": 0, "not-tried": 0} == dict.fromkeys(
        lines[5]["recipients"], 0
    )
    assert lines[5]["billed"] == "0"


def test_a_canary_that_holds_the_others_back(project: Project, octoplan: Octoplan) -> None:
    """Waiting for a person is a halt like others: 9, with the reason."""
    project.campaign("spring", canary={"recipients": "1", "pause": "approval"})
    lines = stream(octoplan, code=9)
    assert "wait for approval" in next(line["reason"] for line in lines if line["type"] == "halt")


# --- before anything is sent -----------------------------------------------------------------------------------------


def test_what_is_refused_before_the_first_request(project: Project, octoplan: Octoplan) -> None:
    """
    An error with its hint and findings, and the exit code: for a command line, a file, and a plan alike.

    A blocked plan is told first.
    """
    lines = read_stream(octoplan("apply", "--json", code=3).stdout, 3)
    assert kinds(lines) == ["version", "error", "end"]
    assert "needs a reviewed plan" in lines[1]["message"]
    lines = stream(octoplan, "--lock-timeout", "soon", code=3)
    assert "--lock-timeout" in lines[1]["message"]
    project.campaign("spring", sende="MAPLE")
    (found,) = stream(octoplan, code=3)[1]["findings"]
    assert (found["code"], found["place"]) == ("campaign/unknown-field", "campaigns/spring.yaml:10:1")
    project.campaign("spring", limits={"max_cost": "0.01"})
    lines = stream(octoplan, code=5)
    assert kinds(lines) == ["version", "plan", "error", "end"]
    assert lines[1]["campaigns"][0]["reasons"] == ["over-max-cost"]


def test_standard_output_has_one_writer(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Another output needs a file; without standard output there is no stream, and nothing is sent."""
    assert "only one output" in stream(octoplan, "-o", "json", code=3)[1]["message"]
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *octoplan.words(*APPLY)]
    ended = subprocess.run(closed, env=octoplan.environment(), capture_output=True, timeout=ENDS_WITHIN_S, check=False)
    assert (ended.returncode, b"which is closed" in ended.stderr) == (3, True)
    assert sandbox.stats()["real_sends"] == 0
    stream(octoplan, "-o", "json=report.json")
    assert json.loads((project.root / "report.json").read_text())["exit_code"] == 0


def test_waiting_for_another_run_is_told(project: Project, octoplan: Octoplan) -> None:
    """Which run holds the lease, and how long this one waits for it; not who is behind it."""
    octoplan("plan")
    with held_lease(project) as session:
        lines = stream(octoplan, "--lock-timeout", "1", code=7)
        assert kinds(lines) == ["version", "wait", "error", "end"]
        assert lines[1]["reason"] == f"run {session.run} holds the lease"


# --- signals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_planning(
    octoplan: Octoplan, sandbox: SandboxProcess, gate: Gate, sent: signal.Signals, code: int
) -> None:
    """Before the first request: an error, and the code of the signal."""
    gate.hold(Moment.PRICE)
    running = octoplan.start(*APPLY)
    gate.await_held()
    running.send_signal(sent)
    lines = read_stream(octoplan.finish(running, code).stdout, code)
    assert kinds(lines) == ["version", "error", "end"]
    assert f"stopped by {sent.name}" in lines[1]["message"]


def test_ctrl_c_between_two_requests(octoplan: Octoplan, gate: Gate) -> None:
    """What was under way has its line, the halt names the signal, and everybody is accounted for."""
    gate.hold(Moment.ANSWER)
    running = octoplan.start(*APPLY)
    gate.await_held()
    running.send_signal(signal.SIGINT)
    gate.release()
    lines = read_stream(octoplan.finish(running, 130).stdout, 130)
    assert kinds(lines) == ["version", "plan", "campaign", "batch", "halt", "campaign-done", "end"]
    assert (lines[3]["status"], lines[4]["exit_code"]) == ("sent", 130)
    assert sum(lines[5]["recipients"].values()) == len(PEOPLE)


def test_the_pause_that_the_api_asks_for_is_told(octoplan: Octoplan, sandbox: SandboxProcess, gate: Gate) -> None:
    """Before it begins, with its length: nobody wonders why nothing happens. A signal ends it."""
    sandbox.faults({"kind": "status", "status": 429, "process": False, "retry_after": 45})
    running = octoplan.start(*APPLY)
    assert running.stdout is not None
    head = [running.stdout.readline() for _ in range(4)]
    wait = json.loads(head[-1])
    assert (wait["type"], wait["on"], wait["seconds"]) == ("wait", "api", 45)
    running.send_signal(signal.SIGTERM)
    rest = octoplan.finish(running, 143)
    read_stream("".join(head) + rest.stdout, 143)
    assert "waits 45 s before" in rest.stderr


def test_an_end_that_waits_for_nothing_has_its_last_line(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess, gate: Gate
) -> None:
    """The state home hangs, so the process ends itself: the outcome is unknown, and the stream says so."""
    gate.hold(Moment.ANSWER)
    running = octoplan.start(*APPLY)
    gate.await_held()
    database = sqlite3.connect(project.state / "environments/live/state.db", isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
        gate.release_and_await()
        running.send_signal(signal.SIGTERM)
        lines = read_stream(octoplan.finish(running, 10).stdout, 10)
    finally:
        database.close()
    assert kinds(lines) == ["version", "plan", "campaign", "batch", "halt", "campaign-done", "end"]
    assert (lines[3]["status"], lines[4]["exit_code"]) == ("unknown", 143)


# --- nobody reads ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [0, 1])
def test_nobody_who_reads_stops_no_run(octoplan: Octoplan, sandbox: SandboxProcess, gate: Gate, read: int) -> None:
    """The reader goes away, before or after a line: everybody is written to, and every ticket is kept. Exit code 11."""
    gate.hold(Moment.PRICE)
    running = octoplan.start(*APPLY)
    assert running.stdout is not None
    gate.await_held()
    for _ in range(read):
        running.stdout.readline()
    running.stdout.close()
    gate.release()
    assert running.stderr is not None
    with running.stderr:
        said = running.stderr.read()
    assert (running.wait(ENDS_WITHIN_S), "everything is sent and recorded" in said) == (11, True)
    assert sandbox.summary()["messages"] == len(PEOPLE)
    shown = octoplan("show", "spring").stdout
    assert all(message["ticket"] in shown for message in sandbox.accepted())
    assert octoplan("lock", "check").code == 0
