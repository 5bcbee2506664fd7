"""What the operator can ask and move."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.sandbox_process import SandboxProcess, exact
from tests.unit.sandbox.bodies import FRENCH, campaign, contacts, french


def test_health(sandbox: SandboxProcess) -> None:
    """It says who answers, where, and how many requests were accepted."""
    sandbox.send(campaign())
    assert sandbox.control("/health") == {
        "name": "octoplan-sandbox",
        "version": 1,
        "url": sandbox.url,
        "pid": sandbox.process.pid,
        "accepted": 1,
    }


def test_who_got_what(sandbox: SandboxProcess) -> None:
    """Every accepted message is listed with its recipient, its text as filled in, its ticket and its cost."""
    sandbox.set_now("2027-03-20T09:00:00Z")
    recipients = [*contacts(french(1), first_name="Anne"), *contacts(french(2), first_name="Marc")]
    said = exact(sandbox.send(campaign(text="Hé {first_name} STOP au 36111", recipients=recipients, request_id="a1")))
    first, second = sandbox.accepted()
    assert datetime.fromisoformat(first.pop("accepted_at")) >= datetime.fromisoformat("2027-03-20T09:00:00Z")
    assert first == {
        "number": french(1),
        "text": "Hé Anne STOP au 36111",
        "ticket": said["sms_ticket"],
        "request_id": "a1",
        "type": "sms_premium",
        "sender": "ACME",
        "send_at": None,
        "parts": 1,
        "cost": Decimal("0.061"),
        "status": "delivered",
    }
    assert (second["number"], second["text"]) == (french(2), "Hé Marc STOP au 36111")


def test_inbox_can_be_searched_and_paged(sandbox: SandboxProcess) -> None:
    """Filters pick by ticket, request id and number; pages are bounded and lose nobody."""
    sandbox.send(campaign(recipients=contacts(*map(french, range(5))), request_id="a1"))
    ticket = exact(sandbox.send(campaign(recipients=contacts(FRENCH, french(9)), request_id="a2")))["sms_ticket"]
    assert len(sandbox.accepted(ticket=ticket)) == len(sandbox.accepted(request_id="a2")) == 2
    assert [message["request_id"] for message in sandbox.accepted(number=FRENCH)] == ["a1", "a2"]
    seen: list[str] = []
    after: int | None = 0
    while after is not None:
        page = sandbox.control("/accepted", after=after, limit=3)
        assert len(page["messages"]) <= 3
        seen += [message["number"] for message in page["messages"]]
        after = page["next"]
    assert seen == [*map(french, range(5)), FRENCH, french(9)]


def test_summary_counts_duplicates(sandbox: SandboxProcess) -> None:
    """A duplicate is a pair of number and text that was accepted more than once; another text is none."""
    for text in ("A STOP au 36111", "B STOP au 36111", "A STOP au 36111", "A STOP au 36111"):
        sandbox.send(campaign(text=text))
    assert sandbox.summary() == {
        "messages": 4,
        "distinct_recipients": 1,
        "requests": 4,
        "duplicates": 1,
        "cost": Decimal("0.244"),
        "cancelled_requests": 0,
    }


def test_summary_of_nothing(sandbox: SandboxProcess) -> None:
    """An empty inbox is all zeros."""
    assert set(sandbox.summary().values()) == {0}


def test_stats(sandbox: SandboxProcess) -> None:
    """Requests are counted by how they ended."""
    for body in (campaign(), campaign(simulation_mode=True), campaign(text=""), campaign(text=""), b""):
        sandbox.send(body)
    assert sandbox.stats() == {
        "real_sends": 1,
        "simulated_sends": 1,
        "refused": 3,
        "refused_by_code": {"100": 1, "107": 2},
    }


def test_clock(sandbox: SandboxProcess) -> None:
    """The clock can be set, moved on and back, and reset; it runs on from there."""
    sandbox.set_now("2030-01-01T00:00:00+01:00")
    sandbox.advance(90)
    sandbox.advance(-30)
    assert sandbox.control("/clock")["now"].startswith("2029-12-31T23:01:0")
    sandbox.control("/clock", {"advance_s": 0.5})
    sandbox.control("/clock", {"reset": True})
    assert not sandbox.control("/clock")["now"].startswith("20" + "29")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/clock", {}),
        ("/clock", {"now": "2030-01-01"}),
        ("/clock", {"advance_s": "60"}),
        ("/clock", {"advance_s": True}),
        ("/clock", {"advance_s": 10**12}),
        ("/clock", {"advance_s": 1, "reset": True}),
        ("/balance", {"amount": 1}),
        ("/balance", {"amount": "-1"}),
        ("/balance", {"amount": "1e9"}),
        ("/blacklist", {"numbers": FRENCH}),
        ("/blacklist", {"numbers": [1]}),
    ],
)
def test_commands_that_are_not_understood(sandbox: SandboxProcess, path: str, body: Any) -> None:
    """They are refused and move nothing."""
    before = sandbox.control("/clock")["now"][:16], sandbox.balance()
    assert httpx.post(f"{sandbox.url}/_sandbox{path}", json=body, trust_env=False).status_code == 400
    assert (sandbox.control("/clock")["now"][:16], sandbox.balance()) == before


@pytest.mark.parametrize("query", ["limit=0", "limit=10001", "limit=x", "campaign=spring"])
def test_questions_that_are_not_understood(sandbox: SandboxProcess, query: str) -> None:
    """A misspelt filter is refused: it would show everybody."""
    assert httpx.get(f"{sandbox.url}/_sandbox/accepted?{query}", trust_env=False).status_code == 400


def test_control_is_local(sandbox: SandboxProcess) -> None:
    """A name that somebody else's web page gave to this machine opens nothing."""
    for host, status in [("evil.example", 403), ("localhost", 200), ("127.0.0.1:80", 200), ("[::1]", 200)]:
        answer = httpx.get(f"{sandbox.url}/_sandbox/accepted", headers={"Host": host}, trust_env=False)
        assert answer.status_code == status


def test_reset(sandbox: SandboxProcess) -> None:
    """Everything is as on the first day, request ids forgotten."""
    sandbox.send(campaign(request_id="a1"))
    sandbox.blacklist(FRENCH)
    sandbox.advance(86400 * 400)
    sandbox.faults({"kind": "reset_before"})
    sandbox.reset()
    assert (sandbox.balance(), sandbox.accepted(), sandbox.stats()["real_sends"]) == (Decimal(10000), [], 0)
    assert sandbox.send(campaign(request_id="a1", auto_remove_blacklisted_numbers=True)).status_code == 201
