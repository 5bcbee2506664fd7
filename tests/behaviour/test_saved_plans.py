"""Review first, apply later: a saved plan is carried out exactly, or not at all (G4)."""

from __future__ import annotations

import json

from tests.behaviour.command import Octoplan
from tests.behaviour.project import KEY, LOGIN, PEOPLE, Project
from tests.git_repositories import git
from tests.sandbox_process import SandboxProcess


def test_the_saved_plan_is_what_is_sent(octoplan: Octoplan, sandbox: SandboxProcess, project: Project) -> None:
    """Request ids and cost on the API's side are those of the reviewed file; applying it again sends nothing."""
    octoplan("plan", "--out", "plan.json")
    document = json.loads((project.root / "plan.json").read_text())
    octoplan("apply", "plan.json", code=0)
    (campaign,) = document["campaigns"]
    request_ids = {batch["request_id"] for batch in campaign["batches"]}
    assert {message["request_id"] for message in sandbox.accepted()} == request_ids
    assert str(sandbox.summary()["cost"]) == document["totals"]["cost"]
    again = octoplan("apply", "plan.json", code=0)
    assert "plan.json was applied already; nothing is left of it to send." in again.stderr
    assert sandbox.summary()["messages"] == len(PEOPLE)


def test_a_saved_plan_is_finished_after_a_stop(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """What a stop left of an approved plan is still approved."""
    octoplan("plan", "--out", "plan.json")
    sandbox.faults({"kind": "pass"}, {"kind": "wrong_count"})
    octoplan("apply", "plan.json", code=9)
    octoplan("apply", "plan.json", code=0)
    assert sandbox.summary()["messages"] == sandbox.summary()["distinct_recipients"] == len(PEOPLE)


def test_a_part_of_a_saved_plan_can_be_applied(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """`--campaign` takes a subset; what the plan does not have is refused, and what was never planned is not sent."""
    other = {"template": "Bonsoir {{ first_name }}, code {{ code }}. STOP au XXXXX"}
    project.campaign("autumn", batch_size=5, message=other)
    octoplan("plan", "--out", "plan.json")
    project.campaign("winter")
    assert "has no campaign winter" in octoplan("apply", "plan.json", "--campaign", "winter", code=3).stderr
    octoplan("apply", "plan.json", "--campaign", "autumn", code=0)
    assert sandbox.summary()["requests"] == 1
    octoplan("apply", "plan.json", code=0)
    begun = octoplan("status", "--output", "json").json()["campaigns"]
    assert [campaign["id"] for campaign in begun] == ["autumn", "spring"]
    assert sandbox.summary()["messages"] == 2 * len(PEOPLE)


def test_an_offline_plan_knows_no_cost(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Without asking the API costs are unknown: that is said, never 0; and such a plan approves no price."""
    shown = octoplan("plan", "--offline", "--out", "plan.json", code=0).stdout
    assert "cost unknown" in shown
    assert "cost 0" not in shown
    document = json.loads((project.root / "plan.json").read_text())
    assert document["totals"]["cost"] is None
    assert {batch["cost"] for batch in document["campaigns"][0]["batches"]} == {None}
    assert document["balance"]["amount"] is None
    octoplan("apply", "plan.json", code=6)
    assert sandbox.stats() == {"real_sends": 0, "simulated_sends": 1, "refused": 0, "refused_by_code": {}}


def test_several_outputs_at_once(project: Project, octoplan: Octoplan) -> None:
    """`--output json=FILE --output text` writes the one and prints the other; both say the same."""
    shown = octoplan("plan", "--output", "json=plan.json", "--output", "text")
    totals = json.loads((project.root / "plan.json").read_text())["totals"]
    assert f"{totals['recipients']} messages to send" in shown.stdout
    assert octoplan("plan", "--output", "json").json()["totals"] == totals


def test_what_is_no_plan_is_said_to_be_none(project: Project, octoplan: Octoplan) -> None:
    """Any other file ends with 3 and the way to make a plan."""
    for content in ("[1]", '{"format": "octoplan-plan"}', "[" * 100_000):
        project.write("plan.json", content)
        assert "is not a plan" in octoplan("apply", "plan.json", code=3).stderr


def test_a_plan_names_its_revision(project: Project, octoplan: Octoplan) -> None:
    """Commit, branch, and how many files of the plan differ from it; files that are no part of a plan do not count."""

    def revision() -> object:
        return octoplan("plan", "--offline", "-o", "json").json()["revision"]

    assert revision() is None
    git(project.root, "init", "-q")
    assert revision() is None
    git(project.root, "add", ".")
    git(project.root, "commit", "-q", "-m", "first")
    commit = git(project.root, "rev-parse", "HEAD")
    project.write("notes.txt", "no part of a plan")
    assert revision() == {"commit": commit, "branch": "main", "dirty": 0}
    project.campaign("autumn", message={"template": "Bonsoir. STOP au XXXXX"})
    project.contacts(PEOPLE[1:])
    git(project.root, "checkout", "-q", "--detach")
    assert revision() == {"commit": commit, "branch": None, "dirty": 2}


def test_a_repository_that_git_does_not_trust_is_a_warning(project: Project, octoplan: Octoplan) -> None:
    """A plan is made all the same; it names no revision, and says how to mend that."""
    git(project.root, "init", "-q")
    (project.root / ".git/HEAD").write_text("ref: refs/heads/main\n")
    foreign = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    planned = octoplan("plan", "--offline", "-o", "json", variables=foreign)
    assert planned.json()["revision"] is None
    assert "plan/no-revision" in planned.stderr
    assert "safe.directory" in planned.stderr


def test_another_campaigns_send_makes_no_plan_stale(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """What somebody else sends between plan and apply is no matter, as long as it is another campaign."""
    project.campaign("autumn", message={"template": "Bonsoir {{ first_name }}. STOP au XXXXX"})
    octoplan("plan", "--campaign", "spring", "--out", "plan.json")
    octoplan("apply", "--auto-approve", "--campaign", "autumn")
    octoplan("apply", "plan.json")
    assert sandbox.summary()["messages"] == 2 * len(PEOPLE)


def test_a_stale_plan_says_who_sent_and_what_still_fits(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """Exit 6 names what moved, the run that sent, and two commands: plan this again, apply the others alone."""
    project.campaign("autumn", message={"template": "Bonsoir {{ first_name }}. STOP au XXXXX"})
    octoplan("plan", "--out", "plan.json")
    project.campaign("spring", batch_size=5)
    sent = octoplan("apply", "--auto-approve", "--campaign", "spring", "-o", "json").json()
    project.contacts(PEOPLE[1:])
    project.contacts(PEOPLE, path="data/all.csv")
    project.campaign(
        "autumn",
        message={"template": "Bonsoir {{ first_name }}. STOP au XXXXX"},
        recipients={"path": "data/all.csv", "phone": "mobile"},
    )
    stale = " ".join(octoplan("apply", "plan.json", code=6).stderr.split())
    assert "spring: changed since: audience; since then 5 recipients were written to by run" in stale
    assert sent["run"] in stale
    assert "(apply)" in stale
    assert "plan again: `octoplan plan --out plan.json --campaign spring`" in stale
    assert "`autumn` still fit: `octoplan apply plan.json --campaign autumn`" in stale
    assert sandbox.summary()["messages"] == len(PEOPLE)
    octoplan("apply", "plan.json", "--campaign", "autumn")
    assert sandbox.summary()["messages"] == 2 * len(PEOPLE)


def test_commands_name_the_environment_that_is_not_the_default(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """What a stale plan tells to type works as it is."""
    credentials = {"login": f"env/{LOGIN}", "key": f"env/{KEY}"}
    project.settings(environments={"live": {"endpoint": sandbox.endpoint, "credentials": credentials}})
    octoplan("plan", "--env", "live", "--out", "plan.json")
    project.campaign("spring", message={"template": "Bonsoir {{ first_name }}. STOP au XXXXX"})
    stale = octoplan("apply", "--env", "live", "plan.json", code=6).stderr
    assert "`octoplan plan --out plan.json --env live --campaign spring`" in stale


def test_what_the_plan_knew_of_is_no_news(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """A plan holds how far the journal had come, and a stale one tells only what came after."""
    project.contacts(PEOPLE[:4])
    project.campaign("spring", audience="growing")
    sent = octoplan("apply", "--auto-approve", "-o", "json").json()
    project.contacts(PEOPLE)
    octoplan("plan", "--out", "plan.json")
    (campaign,) = json.loads((project.root / "plan.json").read_text())["campaigns"]
    assert campaign["position"]["run"] == sent["run"]
    project.contacts([*PEOPLE[:4], ("Wystane", *PEOPLE[4][1:])])
    stale = octoplan("apply", "plan.json", code=6).stderr
    assert "1 request(s) differ from the plan" in stale
    assert "since then" not in stale
