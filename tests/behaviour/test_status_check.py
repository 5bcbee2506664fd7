"""`status --check`, as a cron job runs it: silent success, or what needs somebody and how serious it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.behaviour.command import Octoplan
from tests.behaviour.project import PEOPLE, Project
from tests.behaviour.state import remember_unknown
from tests.sandbox_process import SandboxProcess


def in_hours(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")


def codes(octoplan: Octoplan, code: int) -> list[str]:
    """What needs somebody, by code, after `status --check` ended as expected."""
    return [need["code"] for need in octoplan("status", "--check", "--output", "json", code=code).json()["needs"]]


def test_nothing_needs_anybody(octoplan: Octoplan) -> None:
    """Before the first apply of a campaign without a time, and after it got to its end."""
    assert codes(octoplan, 0) == []
    octoplan("apply", "--auto-approve")
    assert octoplan("status", "--check").stdout == "maple in sandbox: nothing needs anybody\n"


def test_an_unknown_outcome_is_10(project: Project, octoplan: Octoplan) -> None:
    """Whatever else there is."""
    remember_unknown(project, octoplan, hours_ago=1)
    octoplan("stop", "--reason", "to be sure")
    assert codes(octoplan, 10) == ["outcome-unknown", "stopped"]
    assert "octoplan recover" in octoplan("status", "--check", code=10).stdout


def test_a_half_sent_campaign_is_9_until_the_rest_has_gone(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """A run that did not get to its end is told of, without its contacts being read."""
    sandbox.faults({"kind": "pass"}, {"kind": "refuse", "code": 106, "message": "sender", "status": 400})
    octoplan("apply", "--auto-approve", code=9)
    assert codes(octoplan, 9) == ["part-sent"]
    octoplan("apply", "--auto-approve")
    assert codes(octoplan, 0) == []


def test_a_half_sent_campaign_that_nobody_is_left_of_is_settled_by_an_apply(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """The rest has opted out: the next apply has nothing to send, and writes down that this is the end."""
    project.campaign("spring", canary={"recipients": "1", "pause": "approval"})
    octoplan("apply", "--auto-approve", code=9)
    assert codes(octoplan, 9) == ["part-sent"]
    sent = {message["number"] for message in sandbox.accepted()}
    project.write("stop.txt", "\n".join(f"+3361234560{last}" for last in range(1, len(PEOPLE) + 1)) + "\n")
    project.settings(suppression=[{"path": "stop.txt"}])
    octoplan("apply", "--auto-approve")
    assert codes(octoplan, 0) == []
    assert len(sent) == sandbox.summary()["messages"] == 1


@pytest.mark.parametrize(
    ("hours", "hand_over", "expected"),
    [(20, None, ["due"]), (72, None, []), (72, "60h", ["due"]), (72, "2h", []), (-1, None, ["missed"])],
)
def test_a_time_that_nobody_hands_over_is_8(
    project: Project, octoplan: Octoplan, hours: float, hand_over: str | None, expected: list[str]
) -> None:
    """From 24 hours before the moment at which an apply has to run, and after it has passed."""
    schedule = {"at": in_hours(hours)} | ({"hand_over": hand_over} if hand_over else {})
    project.campaign("spring", schedule=schedule)
    assert codes(octoplan, 8 if expected else 0) == expected


def test_what_was_handed_over_is_not_due(project: Project, octoplan: Octoplan) -> None:
    """The API has it."""
    project.campaign("spring", schedule={"at": in_hours(20)})
    octoplan("apply", "--auto-approve")
    assert codes(octoplan, 0) == []


def test_the_end_of_a_window_without_a_time_is_due(project: Project, octoplan: Octoplan) -> None:
    """`not_after` alone: who wants it sent has to apply before."""
    project.campaign("spring", schedule={"not_after": in_hours(5)})
    assert codes(octoplan, 8) == ["due"]


def test_a_stop_notice_is_5(octoplan: Octoplan) -> None:
    """With who posted it, and why."""
    octoplan("stop", "--reason", "wrong price")
    assert "wrong price" in octoplan("status", "--check", code=5).stdout


def test_contacts_and_api_are_not_needed(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """It runs where neither is at hand."""
    octoplan("apply", "--auto-approve")
    (project.root / "data/contacts.csv").unlink()
    asked = sandbox.stats()
    assert codes(octoplan, 0) == []
    assert sandbox.stats() == asked
