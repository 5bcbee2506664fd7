"""The examples for GitHub, step by step as its runners would carry them out."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator

from tests.behaviour.command import Octoplan
from tests.behaviour.gate import Moment
from tests.behaviour.project import PEOPLE
from tests.git_repositories import git
from tests.workflows.conftest import SECRETS, Shop
from tests.workflows.runner import Event, Job, Run


@contextlib.contextmanager
def running(start: Callable[[str], Job], name: str) -> Iterator[None]:
    """A job that goes on while the block does; the block ends when both have."""
    thread = threading.Thread(target=start, args=(name,))
    thread.start()
    try:
        yield
    finally:
        thread.join()


def results(run: Run) -> dict[str, str]:
    """How each job ended."""
    return {name: job.result for name, job in run.jobs.items()}


def logs(run: Run) -> str:
    """What all jobs said, which holds no secret."""
    said = "".join(job.log + job.summary for job in run.jobs.values())
    assert [name for name, value in SECRETS.items() if value in said] == []
    return said


def merged(shop: Shop, campaign: str, **changes: object) -> Event:
    """A campaign that is merged without more ado."""
    shop.branch(campaign)
    shop.project.campaign(campaign, **changes)
    shop.commit(campaign)
    return shop.merge()


def test_from_pull_request_to_applied(shop: Shop) -> None:
    """One comment, kept up to date; merged, planned, sent from the saved plan; then there is nothing more to send."""
    shop.branch("spring")
    shop.project.campaign("spring")
    planned = shop.github.run("plan.yml", shop.pull_request())
    assert results(planned) == {"plan": "success", "fork": "skipped"}, logs(planned)
    assert "**5 messages, cost 0.305**" in planned.jobs["plan"].summary
    shop.project.campaign("spring", batch_size=5)
    shop.github.run("plan.yml", shop.pull_request())
    (comment,) = shop.forge.bodies
    assert "run=2 -->\n## octoplan: `maple` in `production`" in comment
    assert "1 request" in comment
    assert "Beside `HEAD^1: " in comment
    assert "Total to send: 5 messages, cost 0.00 → 0.305 (+0.305)" in comment
    shop.require_once(0)

    merge = shop.merge()
    applied = shop.github.run("apply.yml", merge)
    assert results(applied) == {"plan": "success", "apply": "success"}, logs(applied)
    assert {file.name for file in (applied.artifacts / "octoplan-report-1").iterdir()} == {
        "octoplan-report.json",
        "octoplan.production.lock",
    }
    shop.require_once(len(PEOPLE))

    assert "`spring`" in applied.jobs["apply"].summary
    assert 'state: "sent"' in git(shop.remote, "show", "main:octoplan.production.lock")

    second = shop.github.run("apply.yml", merge)
    assert results(second) == {"plan": "success", "apply": "skipped"}
    assert "was applied already" in applied.again("apply").log
    assert results(applied) == {"plan": "success", "apply": "success"}
    logs(second)
    shop.require_once(len(PEOPLE))


def test_the_job_of_an_old_plan_sends_nothing(shop: Shop) -> None:
    """Merged, not applied, then edited: the old run's plan is stale (6) and its job red; the new one sends."""
    old = shop.github.start("apply.yml", merged(shop, "spring"))
    old.job("plan")
    new = shop.github.run("apply.yml", merged(shop, "spring", batch_size=5))
    shop.require_once(len(PEOPLE))
    old.job("apply")
    assert old.jobs["apply"].codes["octoplan"] == 6
    assert old.jobs["apply"].result == "failure"
    assert results(new) == {"plan": "success", "apply": "success"}
    shop.require_once(len(PEOPLE))


def test_a_cancelled_job_is_finished_by_its_second_run(shop: Shop) -> None:
    """
    Cancelled while the API works on a request: octoplan writes down what left (143), and the report is uploaded.

    The job that is run again sends the rest of the same plan.
    """
    run = shop.github.start("apply.yml", merged(shop, "spring"))
    run.job("plan")
    shop.gate.hold(Moment.ANSWER)
    with running(run.job, "apply"):
        shop.gate.await_held()
        cancelling = threading.Thread(target=run.cancel)
        cancelling.start()
        shop.gate.release()
        cancelling.join()
    assert run.jobs["apply"].result == "cancelled"
    assert run.jobs["apply"].codes["octoplan"] == 130
    assert (run.artifacts / "octoplan-report-1/octoplan-report.json").exists()
    assert 0 < shop.sandbox.summary()["messages"] < len(PEOPLE)
    assert run.again("apply").codes["octoplan"] == 0
    shop.require_once(len(PEOPLE))


def test_a_runner_that_vanishes(shop: Shop) -> None:
    """
    Its lease stays. The job that is run again waits and names the run; once somebody takes the lease away it goes on.

    It repeats the request whose answer nobody heard, and hears that it was obeyed.
    """
    run = shop.github.start("apply.yml", merged(shop, "spring"))
    run.job("plan")
    shop.gate.hold(Moment.ANSWER)
    with running(run.job, "apply"):
        shop.gate.await_held()
        run.vanish()
        shop.gate.drop()
    assert run.jobs["apply"].codes["octoplan"] == -9
    with running(run.again, "apply"):
        said = run.await_said("waiting up to 600 s for the lease")
        (dead,) = re.findall(r"held by run (r_\w+)", said)
        laptop = Octoplan(shop.laptop, SECRETS)
        assert f"{dead} has no lease any more" in laptop("state", "unlock", dead, "--env", "production").stdout
    assert run.jobs["apply"].codes["octoplan"] == 0
    shop.require_once(len(PEOPLE))


def test_two_merges_at_once(shop: Shop) -> None:
    """Both were planned before either is applied: the second waits for the lease, then sends only what is its own."""
    first = shop.github.start("apply.yml", merged(shop, "spring", batch_size=5))
    text = {"template": "Bonsoir {{ first_name }}. STOP au XXXXX"}
    second = shop.github.start("apply.yml", merged(shop, "autumn", batch_size=5, message=text))
    for run in (first, second):
        run.job("plan")
    shop.gate.hold(Moment.ANSWER)
    with running(first.job, "apply"):
        shop.gate.await_held()
        with running(second.job, "apply"):
            second.await_said("waiting up to 600 s for the lease")
            shop.gate.release()
    assert results(first) == results(second) == {"plan": "success", "apply": "success"}
    shop.require_once(2 * len(PEOPLE))


def test_a_forks_pull_request_is_checked_without_secrets(shop: Shop) -> None:
    """Its campaigns are validated and planned offline, from the files alone; no comment, no question to the API."""
    shop.branch("spring")
    shop.project.campaign("spring")
    run = shop.github.run("plan.yml", shop.pull_request(repository="somebody/shop"), is_fork=True)
    assert results(run) == {"plan": "skipped", "fork": "success"}
    assert "5 messages" in run.jobs["fork"].summary
    assert shop.forge.requests == []
    assert shop.sandbox.stats()["simulated_sends"] == 0


def test_a_plan_that_fails_is_red(shop: Shop) -> None:
    """The job fails with octoplan's own exit code, the comment says why, and the next push makes it green again."""
    shop.branch("spring")
    shop.project.campaign("spring", typ="sms_premium")
    run = shop.github.run("plan.yml", shop.pull_request())
    assert run.jobs["plan"].codes == {"Install octoplan": 0, "octoplan": 3, "Comment": 0}
    assert run.jobs["plan"].result == "failure"
    assert "::error file=campaigns/spring.yaml,line=" in logs(run)
    assert "## 🔴 octoplan: no plan (exit code 3)" in shop.forge.bodies[0]
    shop.project.campaign("spring")
    shop.github.run("plan.yml", shop.pull_request())
    (comment,) = shop.forge.bodies
    assert "🔴" not in comment
    shop.require_once(0)


def test_a_campaign_over_its_limit_is_not_sent(shop: Shop) -> None:
    """Merged all the same, its plan ends with 5 and there is nothing that could be approved."""
    blocked = shop.github.run("apply.yml", merged(shop, "spring", limits={"max_recipients": 1}))
    assert blocked.jobs["plan"].codes["octoplan"] == 5
    assert results(blocked) == {"plan": "failure", "apply": "skipped"}
    shop.require_once(0)


def test_a_run_that_died_is_seen_by_the_status(shop: Shop) -> None:
    """The schedule is green while nothing needs anybody, and fails with 9 when a run did not get to its end."""
    event = Event("schedule", "refs/heads/main", merged(shop, "spring").sha)
    assert results(shop.github.run("status.yml", event)) == {"status": "success"}
    shop.sandbox.faults({"kind": "pass"}, {"kind": "wrong_count"})
    assert shop.github.run("apply.yml", merged(shop, "spring", description="Now")).jobs["apply"].codes["octoplan"] == 9
    status = shop.github.run("status.yml", event)
    assert status.jobs["status"].codes["octoplan"] == 9
    assert "[part-sent]" in logs(status)
