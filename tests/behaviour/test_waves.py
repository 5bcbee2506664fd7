"""
Each recipient at the same time on the own clock, through the real commands: what leaves is what was planned.

The judge is the sandbox, which notes for each message when it is to leave.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest

from tests.behaviour.command import Octoplan
from tests.behaviour.gate import Gate, Moment
from tests.behaviour.project import Project
from tests.sandbox_process import SandboxProcess

# French mobiles of the textbook block; a mobile of Réunion, whose number may be on Mayotte, an hour behind; numbers of
# the United States that are reserved for fiction.
PARIS: Final = tuple(f"+336123456{last:02}" for last in range(1, 6))
NEW_YORK: Final = ("+12025550123", "+12025550124", "+12025550125")
REUNION: Final = ("+262692123456",)
EVERYBODY: Final = (*REUNION, *PARIS, *NEW_YORK)
SENT: Final = {
    **dict.fromkeys(REUNION, "2030-06-18T07:00:00+00:00"),
    **dict.fromkeys(PARIS, "2030-06-18T08:00:00+00:00"),
    **dict.fromkeys(NEW_YORK, "2030-06-18T14:00:00+00:00"),
}
SCHEDULE: Final[dict[str, Any]] = {"at": "2030-06-18T10:00", "recipient_local": True}


@pytest.fixture
def spring(project: Project, sandbox: SandboxProcess) -> Project:
    """Nine people on three clocks, in requests of two."""
    rows = [(f"Quorra{index}", "Vantrellec", phone, f"QX{index}") for index, phone in enumerate(EVERYBODY)]
    project.contacts(rows)
    project.campaign("spring", schedule=SCHEDULE)
    return project


def received(sandbox: SandboxProcess) -> dict[str, str]:
    """When each number gets it; nobody twice."""
    messages = sandbox.accepted()
    assert len({message["number"] for message in messages}) == len(messages)
    return {message["number"]: message["send_at"] for message in messages}


def test_what_apply_sends_is_what_the_plan_showed(spring: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Every message at its own time; requests, recipients and cost to the last digit those of the plan."""
    document = octoplan("plan", "--output", "json").json()
    (campaign,) = document["campaigns"]
    assert [(wave["send_at"], wave["recipients"], wave["requests"]) for wave in campaign["schedule"]["waves"]] == [
        ("2030-06-18T07:00:00.000000Z", 1, 1),
        ("2030-06-18T08:00:00.000000Z", 5, 3),
        ("2030-06-18T14:00:00.000000Z", 3, 2),
    ]
    assert (campaign["schedule"]["send_at"], campaign["schedule"]["last_send_at"]) == (
        "2030-06-18T07:00:00.000000Z",
        "2030-06-18T14:00:00.000000Z",
    )
    shown = " ".join(octoplan("plan").stdout.split())
    assert "on each recipient's clock, from 2030-06-18 07:00 UTC to 2030-06-18 14:00 UTC" in shown
    assert "waves 2030-06-18 07:00 UTC = 10:00 in Indian/Mayotte: 1 recipient, 1 request" in shown
    assert "2030-06-18 08:00 UTC = 10:00 in Europe/Paris: 5 recipients, 3 requests" in shown
    octoplan("apply", "--auto-approve")
    assert received(sandbox) == SENT
    summary = sandbox.summary()
    assert (summary["requests"], Decimal(summary["cost"])) == (6, Decimal(document["totals"]["cost"]))
    shown = " ".join(octoplan("plan").stdout.split())
    assert "for 2030-06-18T07:00:00+00:00, the last of 3 waves for 2030-06-18T14:00:00+00:00" in shown
    lock = (spring.root / "octoplan.sandbox.lock").read_text()
    assert lock.count('send_at: "2030-06-18T08:00:00+00:00"') == 3
    assert "for 2030-06-18T14:00:00+00:00" in octoplan("show", "spring").stdout


@pytest.mark.parametrize("moment", [Moment.REQUEST, Moment.ANSWER])
def test_a_run_killed_in_the_middle_of_a_wave_goes_on(
    spring: Project, octoplan: Octoplan, sandbox: SandboxProcess, gate: Gate, moment: Moment
) -> None:
    """Before or after the API has obeyed the first request of Paris: everybody once, each at his own time."""
    octoplan("plan", "--out", "plan.json")
    gate.hold(moment, then=moment)
    running = octoplan.start("apply", "plan.json")
    gate.await_held()
    gate.release()
    gate.await_held()
    running.kill()
    octoplan.finish(running, -9)
    gate.drop()
    octoplan("apply", "plan.json")
    assert received(sandbox) == SENT
    assert sandbox.summary()["requests"] == 6
    assert "Nothing to send" in octoplan("plan").stdout


def test_an_unknown_outcome_is_repeated_with_its_own_time(
    spring: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """A lost answer in the second wave: the very same request again, and the waves after it."""
    sandbox.faults({"kind": "pass"}, {"kind": "status", "status": 500, "process": True})
    spring.settings(environments={"sandbox": {"on_unknown": "stop"}})
    octoplan("apply", "--auto-approve", code=10)
    spring.settings(environments={"sandbox": {"on_unknown": "repeat"}})
    octoplan("apply", "--auto-approve")
    assert received(sandbox) == SENT
    assert sandbox.stats()["refused_by_code"] == {"120": 1}


def test_who_opts_out_leaves_the_wave_and_nobody_moves(
    spring: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """The requests of an approved plan lose them; the others get it when it was planned."""
    gone = {PARIS[0], NEW_YORK[1], *REUNION}
    spring.write("stop.txt", "+33612345699\n")
    spring.settings(suppression=[{"path": "stop.txt"}])
    octoplan("plan", "--out", "plan.json")
    spring.write("stop.txt", "\n".join(sorted(gone)) + "\n")
    assert "spring: 3 fewer than planned" in octoplan("apply", "plan.json").stderr
    assert received(sandbox) == {phone: at for phone, at in SENT.items() if phone not in gone}


def test_a_canary_goes_to_its_own_times_first(spring: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """The first few of the whole list, whichever clocks they have; then the others."""
    spring.campaign("spring", schedule=SCHEDULE, canary={"recipients": "4", "pause": "approval"})
    octoplan("apply", "--auto-approve", code=9)
    first = received(sandbox)
    assert len(first) == 4
    assert first == {phone: SENT[phone] for phone in first}
    octoplan("apply", "--auto-approve")
    assert received(sandbox) == SENT


def test_a_wave_in_the_past_is_refused(spring: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Where it is noon already somewhere among the recipients nothing is sent to anybody: exit code 8."""
    # Eight hours lie between Réunion and New York in summer, nine in winter: this is past here, and ahead there.
    at = datetime.now(UTC) + timedelta(hours=1)
    spring.campaign("spring", schedule={"at": f"{at:%Y-%m-%dT%H:%M}", "recipient_local": True})
    planned = octoplan("plan", code=8)
    assert "[campaign/time-passed]" in planned.output or "Time to send has passed" in planned.output
    octoplan("apply", "--auto-approve", code=8)
    assert sandbox.summary()["messages"] == 0


def test_cancel_takes_back_small_requests_of_far_waves(
    spring: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """Each by the time of its own wave; all of two recipients and years ahead."""
    octoplan("apply", "--auto-approve")
    assert "spring: 6 requests cancelled, 0 requests not." in octoplan("cancel", "spring").stdout
    assert sandbox.summary()["cancelled_requests"] == 6


def test_a_number_without_a_zone_stops_the_campaign(
    spring: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """An error with the number of people and the field that mends it; validate, which reads no list, has none."""
    spring.contacts([("Quorra", "Vantrellec", "+870773111632", "QX")])
    octoplan("validate")
    said = octoplan("plan", code=3).output
    assert "[campaign/recipient-zone]" in said
    assert "1 recipient: nothing tells the time zone" in said
    assert "`elsewhere: Europe/Paris`" in said
