"""Mishaps on demand: what the client sees, and what really happened."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.sandbox_process import SandboxProcess, exact
from tests.unit.sandbox.bodies import campaign


@pytest.mark.parametrize(("kind", "sent"), [("reset_before", 0), ("reset_after", 1)])
def test_reset(sandbox: SandboxProcess, kind: str, sent: int) -> None:
    """The client sees the same reset whether the request was obeyed or not; a repetition tells by its code."""
    sandbox.faults({"kind": kind})
    with pytest.raises(httpx.ReadError):
        sandbox.send(campaign(request_id="a1"))
    assert sandbox.summary()["messages"] == sent
    assert sandbox.send(campaign(request_id="a1")).status_code == (400 if sent else 201)
    assert sandbox.summary()["messages"] == 1


@pytest.mark.parametrize(("process", "sent"), [(False, 0), (True, 1)])
def test_status(sandbox: SandboxProcess, process: bool, sent: int) -> None:
    """An error page may come instead of an answer, with or without the request being obeyed."""
    sandbox.faults({"kind": "status", "status": 502, "body": "<h1>Bad Gateway</h1>", "process": process})
    answer = sandbox.send(campaign())
    assert (answer.status_code, answer.text) == (502, "<h1>Bad Gateway</h1>")
    assert answer.headers["content-type"].startswith("text/html")
    assert sandbox.summary()["messages"] == sent


@pytest.mark.parametrize("retry_after", [7, "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_throttled(sandbox: SandboxProcess, retry_after: int | str) -> None:
    """A 429 can say when to come back, in seconds or as a date."""
    sandbox.faults({"kind": "status", "status": 429, "retry_after": retry_after})
    answer = sandbox.send(campaign())
    assert (answer.status_code, answer.headers["retry-after"]) == (429, str(retry_after))


def test_truncated(sandbox: SandboxProcess) -> None:
    """The request is obeyed, and half of its JSON comes back in well-formed HTTP."""
    sandbox.faults({"kind": "truncate"})
    answer = sandbox.send(campaign())
    assert answer.status_code == 201
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        exact(answer)
    assert sandbox.summary()["messages"] == 1


def test_delay(sandbox: SandboxProcess) -> None:
    """The request is obeyed at once; its answer comes after the client has lost patience."""
    sandbox.faults({"kind": "delay", "delay_s": 60})
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{sandbox.endpoint}/sms-campaign/send",
            json=campaign(),
            headers={"api-login": "sandbox@octoplan.invalid", "api-key": "sandbox-key"},
            timeout=httpx.Timeout(5, read=0.2),
            trust_env=False,
        )
    assert sandbox.summary()["messages"] == 1


def test_delay_ends(sandbox: SandboxProcess) -> None:
    """A patient client gets the answer in the end."""
    sandbox.faults({"kind": "delay", "delay_s": 0})
    assert sandbox.send(campaign()).status_code == 201


@pytest.mark.parametrize(("kind", "field", "value"), [
    ("wrong_count", "number_of_contacts", 0), ("wrong_cost", "total_cost", Decimal("0.071")),
])  # fmt: skip
def test_falsified(sandbox: SandboxProcess, kind: str, field: str, value: Any) -> None:
    """One figure of the answer is wrong; what happened is right."""
    sandbox.faults({"kind": kind})
    assert exact(sandbox.send(campaign()))[field] == value
    assert (sandbox.summary()["messages"], sandbox.summary()["cost"]) == (1, Decimal("0.061"))


def test_refuse(sandbox: SandboxProcess) -> None:
    """Any code can be answered, and the request is not obeyed."""
    sandbox.faults({"kind": "refuse", "status": 400, "code": 126, "message": "A large campaign waits."})
    answer = sandbox.send(campaign())
    assert (answer.status_code, exact(answer)) == (400, {"code": 126, "message": "A large campaign waits."})
    assert sandbox.summary()["messages"] == 0


def test_queue(sandbox: SandboxProcess) -> None:
    """Faults meet requests in their order, `times` each; `pass` lets one through; simulations wait for their own."""
    sandbox.faults({"kind": "pass"}, {"kind": "refuse", "times": 2}, {"kind": "truncate", "on": "simulated"})
    assert sandbox.control("/faults")["waiting"] == ["pass", "refuse", "refuse", "truncate"]
    assert [sandbox.send(campaign()).status_code for _ in range(4)] == [201, 400, 400, 201]
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        exact(sandbox.send(campaign(simulation_mode=True)))
    assert sandbox.control("/faults")["waiting"] == []


def test_faults_on_any_request(sandbox: SandboxProcess) -> None:
    """`any` meets simulated and real requests alike."""
    sandbox.faults({"kind": "refuse", "on": "any", "times": 2})
    statuses = [sandbox.send(campaign(simulation_mode=simulated)).status_code for simulated in (True, False)]
    assert statuses == [400, 400]


def test_faults_can_be_cleared(sandbox: SandboxProcess) -> None:
    """Clearing forgets every fault and the mode."""
    sandbox.faults({"kind": "reset_before"})
    sandbox.ignore_simulation(True)
    assert sandbox.control("/faults", {"clear": True}) == {"waiting": [], "ignore_simulation": False}


def test_ignoring_simulation(sandbox: SandboxProcess) -> None:
    """In this mode a simulated request is a real one: the wallet tells."""
    sandbox.ignore_simulation(True)
    assert sandbox.send(campaign(simulation_mode=True)).status_code == 201
    assert (sandbox.stats()["real_sends"], sandbox.balance()) == (1, Decimal("9999.939"))
    sandbox.ignore_simulation(False)
    sandbox.send(campaign(simulation_mode=True))
    assert sandbox.stats()["real_sends"] == 1


@pytest.mark.parametrize(
    "fault",
    [
        {},
        "reset_before",
        {"kind": "fire"},
        {"kind": "pass", "status": 500},
        {"kind": "status", "status": "500"},
        {"kind": "status", "status": 99},
        {"kind": "delay", "delay_s": -1},
        {"kind": "pass", "times": 0},
        {"kind": "pass", "times": 10_001},
        {"kind": "pass", "on": "sunday"},
    ],
)
def test_faults_that_are_not_understood(sandbox: SandboxProcess, fault: Any) -> None:
    """A misspelt fault is refused: a rehearsal that did not happen would prove nothing."""
    answer = httpx.post(f"{sandbox.url}/_sandbox/faults", json=fault, trust_env=False)
    assert answer.status_code == 400
    assert sandbox.control("/faults")["waiting"] == []
