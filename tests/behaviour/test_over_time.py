"""What campaigns can do over time: grow, try first, be renamed, be held back, be stopped, be recorded."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tests.behaviour.command import Octoplan
from tests.behaviour.project import PEOPLE, Project
from tests.sandbox_process import SandboxProcess

NEWCOMERS = (("Velmire", "Ostragon", "0612345606", "QX7MAPLE"), ("Dorvain", "Pellucier", "0612345607", "QX7NETTLE"))
ALL = len(PEOPLE)


def copies(sandbox: SandboxProcess) -> Counter[str]:
    """How many messages each number got."""
    return Counter(message["number"] for message in sandbox.accepted())


def written(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


# --- the audience -----------------------------------------------------------------------------------------------------


def test_a_growing_audience_gets_only_who_is_new(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """People added since get it, in requests of their own; who has it gets nothing."""
    project.campaign("spring", audience="growing")
    octoplan("apply", "--auto-approve")
    project.contacts([*PEOPLE, *NEWCOMERS])
    plan = octoplan("plan").stdout
    assert "+ add" in plan
    assert "2 messages to send" in plan
    octoplan("apply", "--auto-approve")
    assert set(copies(sandbox).values()) == {1}
    assert len(copies(sandbox)) == ALL + 2
    assert "Nothing to send" in octoplan("plan").stdout


def test_growth_over_its_limit_is_blocked(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """A list that grows too fast is a mistake, until somebody raises the limit."""
    project.campaign("spring", audience="growing", limits={"max_growth": "1"})
    octoplan("apply", "--auto-approve")
    project.contacts([*PEOPLE, *NEWCOMERS])
    assert "2 recipients are added, the limit for one apply is 1" in octoplan("plan", code=5).stdout
    octoplan("apply", "--auto-approve", code=5)
    assert len(copies(sandbox)) == ALL


def test_the_rest_of_an_interrupted_run_is_no_growth(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """Neither limit of growth stands in the way of those who were there from the start."""
    limits = {"max_growth": "1", "min_growth_pause": "1d"}
    project.campaign("spring", audience="growing", limits=limits, canary={"recipients": "1", "pause": "approval"})
    octoplan("apply", "--auto-approve", code=9)
    octoplan("apply", "--auto-approve")
    assert len(copies(sandbox)) == ALL


def test_a_growing_audience_waits_between_additions(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """Within `min_growth_pause` who was added waits, which is no error; without the limit they get it."""
    project.campaign("spring", audience="growing", limits={"min_growth_pause": "1d"})
    octoplan("apply", "--auto-approve")
    project.contacts([*PEOPLE, *NEWCOMERS])
    assert "the next may be from" in octoplan("plan").stdout
    octoplan("apply", "--auto-approve")
    assert len(copies(sandbox)) == ALL
    project.campaign("spring", audience="growing")
    octoplan("apply", "--auto-approve")
    assert len(copies(sandbox)) == ALL + 2


def test_an_edited_list_of_a_frozen_campaign_is_a_conflict(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """Without `audience: growing` an added contact is explained and not sent to."""
    octoplan("apply", "--auto-approve")
    project.contacts([*PEOPLE, *NEWCOMERS])
    assert "the list of numbers is not the one it was sent to" in octoplan("apply", "--auto-approve", code=5).stderr
    assert len(copies(sandbox)) == ALL


@pytest.mark.parametrize("out", [PEOPLE[:1], PEOPLE[:3], PEOPLE])
def test_who_opts_out_between_plan_and_apply_gets_nothing_and_the_others_what_was_planned(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess, out: tuple[tuple[str, ...], ...]
) -> None:
    """The batches of the approved plan lose them, and gain nobody: not even who was taken off the list."""
    stopped = NEWCOMERS[0][2]
    project.contacts([*PEOPLE, *NEWCOMERS])
    project.write("stop.txt", stopped + "\n")
    project.settings(suppression=[{"path": "stop.txt"}])
    octoplan("plan", "--out", "plan.json")
    project.write("stop.txt", "\n".join(person[2] for person in out) + "\n")
    applied = octoplan("apply", "plan.json")
    assert f"spring: {len(out)} fewer than planned, they opted out since." in applied.stderr
    assert set(copies(sandbox).values()) == {1}
    assert len(copies(sandbox)) == ALL + 1 - len(out)
    assert "+33612345606" not in copies(sandbox)


# --- the canary -------------------------------------------------------------------------------------------------------


def test_a_canary_goes_first_and_the_others_after_approval(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """`pause: approval` ends the run after the first few; the next apply goes on, and nobody gets it twice."""
    project.campaign("spring", canary={"recipients": "1", "pause": "approval"})
    assert "the canary of spring went to" in octoplan("apply", "--auto-approve", code=9).stdout
    assert sandbox.summary()["messages"] == 1
    octoplan("apply", "--auto-approve")
    assert copies(sandbox) == Counter(dict.fromkeys(copies(sandbox), 1))
    assert len(copies(sandbox)) == ALL


def test_a_canary_without_a_pause_goes_on_by_itself(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """Accepted as planned: the rest follows in the same run."""
    project.campaign("spring", canary={"percent": "40"})
    octoplan("apply", "--auto-approve")
    assert set(copies(sandbox).values()) == {1}
    assert len(copies(sandbox)) == ALL


def test_a_refused_canary_keeps_the_others_back(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """One of the first is refused for its content: nobody else gets it."""
    project.campaign("spring", canary={"recipients": "1"})
    sandbox.faults({"kind": "refuse", "code": 106, "message": "sender", "status": 400})
    assert "canary" in octoplan("apply", "--auto-approve", code=9).stdout
    assert sandbox.summary()["messages"] == 0


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_copy_under_a_new_id_is_blocked_unless_it_is_meant(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """The same text to the same people is named loudly; `follow_up_of` says that it is on purpose."""
    octoplan("apply", "--auto-approve")
    project.campaign("autumn")
    plan = octoplan("plan", code=5).stdout
    assert "5 of these recipients have this very text already, as `spring`" in plan
    octoplan("apply", "--auto-approve", code=5)
    assert sandbox.summary()["messages"] == ALL
    project.campaign("autumn", follow_up_of="spring")
    octoplan("apply", "--auto-approve")
    assert set(copies(sandbox).values()) == {2}


def test_a_copy_in_the_same_plan_is_blocked_unless_it_is_meant(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """A file copied under a new id before either was sent: one of the two is named, and nothing leaves."""
    project.contacts([*PEOPLE[2:], *NEWCOMERS], path="data/others.csv")
    project.campaign("winter", recipients={"path": "data/others.csv", "phone": "mobile"})
    plan = octoplan("plan", code=5).stdout
    assert "3 of these recipients get this very text in this plan already, as `spring`" in " ".join(plan.split())
    octoplan("apply", "--auto-approve", code=5)
    assert sandbox.summary()["messages"] == 0
    project.campaign("winter", recipients={"path": "data/others.csv", "phone": "mobile"}, follow_up_of="spring")
    octoplan("apply", "--auto-approve")
    assert sandbox.summary()["messages"] == 2 * ALL


def test_a_copy_to_other_people_is_nobodys_business(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """The same text to a list without anybody in common is sent."""
    octoplan("apply", "--auto-approve")
    project.contacts(NEWCOMERS, path="data/others.csv")
    project.campaign("autumn", recipients={"path": "data/others.csv", "phone": "mobile"})
    octoplan("apply", "--auto-approve")
    assert set(copies(sandbox).values()) == {1}


def test_a_renamed_id_says_where_it_was(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Without `moved` it looks like a copy; with it what was sent is remembered, and a half-sent one goes on."""
    sandbox.faults({"kind": "pass"}, {"kind": "refuse", "code": 106, "message": "sender", "status": 400})
    octoplan("apply", "--auto-approve", code=9)
    (project.root / "campaigns/spring.yaml").unlink()
    project.campaign("vernal")
    assert "moved: {from: spring}" in octoplan("plan", code=5).stdout
    project.campaign("vernal", moved={"from": "spring"})
    octoplan("apply", "--auto-approve")
    assert copies(sandbox) == Counter(dict.fromkeys(copies(sandbox), 1))
    assert len(copies(sandbox)) == ALL


# --- time -------------------------------------------------------------------------------------------------------------


def test_a_scheduled_campaign_is_held_back_and_then_handed_over(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """Until `hand_over` before its time nothing leaves; inside it the batches are handed to the API."""
    at = written(datetime.now(UTC) + timedelta(days=2))
    project.campaign("spring", schedule={"at": at, "hand_over": "2h"})
    assert "held back until" in octoplan("plan").stdout
    octoplan("apply", "--auto-approve")
    assert sandbox.summary()["messages"] == 0
    project.campaign("spring", schedule={"at": at, "hand_over": "3d"})
    octoplan("apply", "--auto-approve")
    assert sandbox.summary()["messages"] == ALL


def test_cancel_takes_back_what_the_api_can_and_says_what_it_cannot(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """Fewer than 3 recipients and far ahead: cancelled, recorded, never sent again. Others stay, and why is said."""
    at = written(datetime.now(UTC) + timedelta(days=2))
    project.campaign("spring", schedule={"at": at}, batch_size=3)
    octoplan("apply", "--auto-approve")
    said = octoplan("cancel", "spring", code=9).stdout
    assert "spring: 1 request cancelled, 1 request not." in said
    assert "fewer than 3 recipients" in said
    assert sandbox.summary()["cancelled_requests"] == 1
    assert 'state: "cancelled"' in (project.root / "octoplan.sandbox.lock").read_text()
    octoplan("apply", "--auto-approve")
    assert sandbox.summary()["messages"] == 3


# --- people -----------------------------------------------------------------------------------------------------------


def test_stop_and_resume(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """While a stop is posted nothing can be sent, and everybody reads why."""
    octoplan("stop", "--reason", "wrong price in the text")
    assert "wrong price in the text" in octoplan("apply", "--auto-approve", code=5).stderr
    assert sandbox.summary()["messages"] == 0
    assert "wrong price in the text" in octoplan("state", "info").stdout
    octoplan("resume")
    octoplan("apply", "--auto-approve")
    assert sandbox.summary()["messages"] == ALL


def test_what_was_sent_elsewhere_can_be_adopted(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Recorded without sending; from then on it counts as sent, and cannot be adopted twice."""
    said = octoplan("adopt", "spring", "--ticket", "sms_hand", "--reason", "sent by hand on Monday").stdout
    assert "Recorded spring as sent to 5 people" in said
    octoplan("apply", "--auto-approve")
    assert sandbox.summary()["messages"] == 0
    assert "sms_hand" in octoplan("show", "spring").stdout
    octoplan("adopt", "spring", "--reason", "again", code=3)


def test_a_forgotten_campaign_is_closed(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Nobody could tell who has it, so nothing is sent for it any more; counts stay."""
    octoplan("state", "forget", "--campaign", "spring", "--yes", code=3)
    octoplan("apply", "--auto-approve")
    octoplan("state", "forget", "--campaign", "spring", "--yes")
    assert "recipients were forgotten" in octoplan("plan").stdout
    octoplan("apply", "--auto-approve")
    assert sandbox.summary()["messages"] == ALL
    assert "5 messages sent" in octoplan("status").stdout


def test_unlocking_a_run_that_holds_nothing_is_refused(octoplan: Octoplan) -> None:
    """The run is named as the refusal of `apply` names it."""
    assert "it is free" in octoplan("state", "unlock", "r_nobody", code=3).stderr


def test_requests_at_once_reach_everybody_once(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Four lanes: the same messages as with one."""
    project.settings(environments={"sandbox": {"concurrency": "4"}})
    project.campaign("spring", batch_size=1)
    octoplan("apply", "--auto-approve")
    assert copies(sandbox) == Counter(dict.fromkeys(copies(sandbox), 1))
    assert len(copies(sandbox)) == ALL


def test_another_digest_key_is_refused_before_anything_is_sent(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """With another key nobody would be recognised: everybody would get it a second time."""
    octoplan("apply", "--auto-approve")
    (project.root / "octoplan.sandbox.lock").unlink()
    octoplan("apply", "--auto-approve", code=7, variables={"OCTOPLAN_DIGEST_KEY": "5a" * 32})
    assert sandbox.summary()["messages"] == ALL


# --- a part of the list -----------------------------------------------------------------------------------------------

LIST = {"path": "data/contacts.csv", "phone": "mobile"}


def test_a_limit_of_a_sent_campaign_is_part_of_it(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """Frozen means that nobody is added: not by another limit, and not because one of the first opts out."""
    project.campaign("spring", recipients={**LIST, "limit": "3"})
    octoplan("apply", "--auto-approve")
    sent = copies(sandbox)
    assert (len(sent), set(sent.values())) == (3, {1})
    project.write("stop.txt", next(iter(sent)) + "\n")
    project.settings(suppression=[{"path": "stop.txt"}])
    assert "Nothing to send" in octoplan("plan").stdout
    for limit in ({"limit": "4"}, {}, {"limit": "3", "sample": "50%"}):
        project.campaign("spring", recipients={**LIST, **limit})
        assert "changed-" in octoplan("plan", "--output", "json", code=5).stdout
    octoplan("apply", "--auto-approve", code=5)
    assert copies(sandbox) == sent


def test_a_growing_campaign_goes_on_with_a_larger_part(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """Two people first, then everybody; who has it gets nothing again."""
    project.campaign("spring", audience="growing", recipients={**LIST, "sample": "2"})
    octoplan("apply", "--auto-approve")
    assert len(copies(sandbox)) == 2
    project.campaign("spring", audience="growing", recipients=LIST)
    octoplan("apply", "--auto-approve")
    assert (len(copies(sandbox)), set(copies(sandbox).values())) == (ALL, {1})
