"""The examples for GitHub, step by step as its runners would carry them out."""

from __future__ import annotations

from tests.behaviour.project import PEOPLE
from tests.workflows.conftest import SECRETS, Shop
from tests.workflows.runner import Run


def logs(run: Run) -> str:
    """What all jobs said, which holds no secret."""
    said = "".join(job.log + job.summary for job in run.jobs.values())
    assert [name for name, value in SECRETS.items() if value in said] == []
    return said


def test_from_pull_request_to_applied(shop: Shop) -> None:
    """One comment, kept up to date; merged, planned, sent from the saved plan; then there is nothing more to send."""
    shop.branch("spring")
    shop.project.campaign("spring")
    planned = shop.github.run("plan.yml", shop.pull_request())
    assert {name: job.result for name, job in planned.jobs.items()} == {"plan": "success", "fork": "skipped"}, logs(
        planned
    )
    assert "**5 messages, cost 0.305**" in planned.jobs["plan"].summary
    shop.project.campaign("spring", batch_size=5)
    shop.github.run("plan.yml", shop.pull_request())
    (comment,) = shop.forge.bodies
    assert "run=2 -->\n## octoplan: `maple` in `production`" in comment
    assert "1 request" in comment
    shop.require_once(0)

    merged = shop.merge()
    applied = shop.github.run("apply.yml", merged)
    assert {name: job.result for name, job in applied.jobs.items()} == {"plan": "success", "apply": "success"}, logs(
        applied
    )
    assert {file.name for file in (applied.artifacts / "octoplan-report-1").iterdir()} == {
        "octoplan-report.json",
        "octoplan.production.lock",
    }
    shop.require_once(len(PEOPLE))

    second = shop.github.run("apply.yml", merged)
    assert {name: job.result for name, job in second.jobs.items()} == {"plan": "success", "apply": "skipped"}
    assert "was applied already" in applied.again("apply").log
    assert applied.jobs["apply"].result == "success"
    shop.require_once(len(PEOPLE))
    assert logs(applied)
