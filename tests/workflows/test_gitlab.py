"""The example for GitLab, job by job as its runners would carry them out."""

from __future__ import annotations

import json
from itertools import count

import pytest

from tests.behaviour.project import PEOPLE
from tests.forge_server import TOKEN
from tests.workflows.conftest import SECRETS, Shop
from tests.workflows.gitlab import Pipeline
from tests.workflows.runner import Event

_NUMBERS = count(1)


def pipeline(shop: Shop, event: Event, *, source: str, **variables: str) -> Pipeline:
    """A pipeline for a commit; that of a merge request says which."""
    number = next(_NUMBERS)
    given = {
        "CI_PIPELINE_SOURCE": source,
        "CI_PIPELINE_ID": str(number),
        "CI_PROJECT_ID": "11",
        "CI_API_V4_URL": shop.forge.url,
        "CI_COMMIT_SHA": event.sha,
        "CI_DEFAULT_BRANCH": "main",
    }
    return Pipeline(shop.github.folder / f"pipeline-{number}", shop.remote, given | variables)


def merge_request(shop: Shop, *, project: str = "maple/shop", secrets: bool = True) -> Pipeline:
    """The branch as merge request 7; a fork's pipeline runs in the fork, without the variables."""
    variables = {
        "CI_MERGE_REQUEST_IID": "7",
        "CI_MERGE_REQUEST_PROJECT_PATH": "maple/shop",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": project,
    }
    known = {**SECRETS, "GITLAB_TOKEN": TOKEN} if secrets else {}
    return pipeline(shop, shop.pull_request(), source="merge_request_event", **variables, **known)


def test_from_merge_request_to_applied(shop: Shop) -> None:
    """One note, reports, a job to be started by hand; then nothing more is sent by whatever job runs again."""
    shop.branch("spring")
    shop.project.campaign("spring")
    request = merge_request(shop)
    assert request.jobs == {"merge-request": "on_success"}
    planned = request.run("merge-request")
    assert planned.code == 0, planned.log
    assert "OCTOPLAN_MESSAGES=5\n" in planned.reports["dotenv"]
    assert "<testcase" in planned.reports["junit"]
    assert json.loads(planned.reports["codequality"]) == []
    (note,) = shop.forge.bodies
    assert "**5 messages, cost 0.305**" in note

    merged = shop.merge()
    pushed = pipeline(shop, merged, source="push", CI_COMMIT_BRANCH="main", **SECRETS)
    assert pushed.jobs == {"plan": "on_success", "apply": "manual"}
    assert [pushed.run(name).code for name in pushed.jobs] == [0, 0]
    shop.require_once(len(PEOPLE))
    again = pipeline(shop, merged, source="push", CI_COMMIT_BRANCH="main", **SECRETS)
    assert [again.run(name).code for name in again.jobs] == [0, 0]
    shop.require_once(len(PEOPLE))
    watched = pipeline(shop, merged, source="schedule", CI_COMMIT_BRANCH="main", **SECRETS)
    assert watched.jobs == {"status": "on_success"}
    assert watched.run("status").code == 0


@pytest.mark.parametrize(("project", "job"), [("maple/shop", "merge-request"), ("somebody/shop", "fork")])
def test_a_merge_request_that_fails_is_red(shop: Shop, project: str, job: str) -> None:
    """With octoplan's own exit code, and every report; a fork's has no token, so there is no note."""
    shop.branch("spring")
    shop.project.campaign("spring", typ="sms_premium")
    is_ours = project == "maple/shop"
    request = merge_request(shop, project=project, secrets=is_ours)
    assert request.jobs == {job: "on_success"}
    ended = request.run(job)
    assert ended.code == 3
    assert "campaign/unknown-field" in ended.reports["junit"]
    assert json.loads(ended.reports["codequality"])[0]["location"]["path"] == "campaigns/spring.yaml"
    assert ["no plan (exit code 3)" in note for note in shop.forge.bodies] == [True] * is_ours


def test_a_forks_merge_request_is_planned_offline(shop: Shop) -> None:
    """From the files alone."""
    shop.branch("spring")
    shop.project.campaign("spring")
    ended = merge_request(shop, project="somebody/shop", secrets=False).run("fork")
    assert ended.code == 0
    assert "5 messages to send" in ended.log
    assert shop.sandbox.stats()["simulated_sends"] == 0
