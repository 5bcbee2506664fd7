"""`octoplan comment`: which request, which token, what is said; against a forge on a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from octoplan.cli.main import _run
from tests.forge_server import TOKEN, Forge, serving


@pytest.fixture(scope="module")
def running() -> Iterator[Forge]:
    with serving() as forge:
        yield forge


@pytest.fixture
def forge(running: Forge) -> Forge:
    running.reset()
    return running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository without a project, with a page to put on the request; no sign of any CI system."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "plan.md").write_text("the plan")
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "GITLAB_TOKEN", "OCTOPLAN_ENV", "GITHUB_REF", "CI_JOB_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def github(folder: Path, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A job of GitHub Actions on pull request 7."""
    event = {"pull_request": {"number": 7, "head": {"sha": "ab12cd34" * 5}}}
    (folder / "event.json").write_text(json.dumps(event))
    variables = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": forge.url,
        "GITHUB_REPOSITORY": "maple/shop",
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_RUN_ID": "5",
        "GITHUB_EVENT_PATH": str(folder / "event.json"),
        "GITHUB_TOKEN": TOKEN,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def comment(*arguments: str) -> int:
    code, _ = _run(["comment", *arguments], [])
    return code


def test_the_page_with_commit_and_run(github: pytest.MonkeyPatch, forge: Forge) -> None:
    """The marker names the environment that was given; a commit is that of the branch, not of a trial merge."""
    github.setenv("GITHUB_SHA", "f" * 40)
    assert comment("plan.md", "--env", "live") == 0
    (body,) = forge.bodies
    assert body.startswith("<!-- octoplan comment folder=. environment=live run=5 -->\nthe plan\n")
    assert "Commit `ab12cd34ab12`, [this run](https://github.example/maple/shop/actions/runs/5)" in body


def test_an_older_run_says_that_it_came_late(
    github: pytest.MonkeyPatch, forge: Forge, capsys: pytest.CaptureFixture[str]
) -> None:
    """And leaves what the later one wrote."""
    comment("plan.md")
    before = forge.bodies
    github.setenv("GITHUB_RUN_ID", "4")
    assert comment("--exit-code", "1") == 0
    assert "A later run" in capsys.readouterr().out
    assert forge.bodies == before


@pytest.mark.usefixtures("github")
@pytest.mark.parametrize("arguments", [["nothing.md"], []])
def test_a_failure_without_a_page_is_told_all_the_same(forge: Forge, arguments: list[str]) -> None:
    """A job that was killed left nothing; the link leads to its log."""
    assert comment(*arguments, "--exit-code", "137") == 0
    lines = forge.bodies[0].split("\n")
    assert lines[1] == "## 🔴 octoplan failed (exit code 137)"
    assert lines[3].startswith("It says why in [the log of the run](https://github.example/")


@pytest.mark.usefixtures("github")
def test_a_page_of_an_earlier_step_does_not_hide_a_failure(folder: Path, forge: Forge) -> None:
    """The heading comes first; a page that is red already gets no second one; exit code 2 is no failure."""
    comment("plan.md", "--exit-code", "1")
    assert forge.bodies[0].split("\n")[1] == "## 🔴 octoplan failed (exit code 1)"
    (folder / "plan.md").write_text("## 🔴 octoplan: apply would refuse")
    comment("plan.md", "--exit-code", "5")
    assert forge.bodies[0].count("🔴") == 1
    (folder / "plan.md").write_text("fine")
    comment("plan.md", "--exit-code", "2")
    assert "🔴" not in forge.bodies[0]


@pytest.mark.usefixtures("github")
def test_a_page_that_is_too_long_is_not_cut_anywhere(folder: Path, forge: Forge) -> None:
    """A page made for GitLab does not end within a fold on GitHub: the comment says where it is."""
    (folder / "plan.md").write_text("<details>\n\n" + "x" * 70_000)
    comment("plan.md")
    assert "too long for a comment here. It is in [the log" in forge.bodies[0]
    assert "<details>" not in forge.bodies[0]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"GITHUB_TOKEN": ""}, 4, "GITHUB_TOKEN is not set"),
        ({"GITHUB_TOKEN": "ghs_wrong"}, 4, "refuses the token"),
        ({"GITHUB_EVENT_PATH": ""}, 3, "about no pull request"),
        ({"GITHUB_REPOSITORY": "maple/shop/../../user"}, 3, "GITHUB_REPOSITORY"),
    ],
)
def test_where_no_comment_is_possible(
    github: pytest.MonkeyPatch,
    forge: Forge,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, str],
    code: int,
    words: str,
) -> None:
    """A fork's pull request has no token: `--if-possible` says so and lets the job go on."""
    for name, value in change.items():
        github.setenv(name, value)
    assert comment("plan.md") == code
    assert words in capsys.readouterr().err
    assert comment("plan.md", "--if-possible") == 0
    assert words in capsys.readouterr().err
    assert forge.comments == {}


def test_a_wrong_address_is_no_matter_of_possibility(
    github: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A token never travels in the clear, whatever was asked; the token is in no message."""
    github.setenv("GITHUB_API_URL", "http://github.example")
    assert comment("plan.md", "--if-possible") == 3
    said = capsys.readouterr().err
    assert "not https" in said
    assert TOKEN not in said


def test_the_number_is_in_the_ref_or_given(github: pytest.MonkeyPatch, forge: Forge) -> None:
    """Where the event does not name it; `--number` wins over both."""
    github.setenv("GITHUB_EVENT_PATH", "/nowhere")
    github.setenv("GITHUB_REF", "refs/pull/7/merge")
    assert comment("plan.md") == 0
    github.setenv("GITHUB_REF", "refs/pull/8/merge")
    assert comment("plan.md") == 4
    assert comment("plan.md", "--number", "7") == 0
    assert len(forge.comments) == 1


@pytest.mark.usefixtures("folder")
def test_a_merge_request_on_gitlab(monkeypatch: pytest.MonkeyPatch, forge: Forge) -> None:
    """The project of the request, not of the fork; GitLab's own link."""
    variables = {
        "GITLAB_CI": "true",
        "CI_API_V4_URL": forge.url,
        "CI_MERGE_REQUEST_IID": "7",
        "CI_MERGE_REQUEST_PROJECT_ID": "12",
        "CI_PROJECT_ID": "99",
        "CI_PIPELINE_ID": "3",
        "CI_JOB_URL": "https://gitlab.example/maple/-/jobs/1",
        "GITLAB_TOKEN": TOKEN,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert comment("plan.md") == 0
    assert "environment=default run=3" in forge.bodies[0]
    assert "[this run](https://gitlab.example/maple/-/jobs/1)" in forge.bodies[0]
    assert forge.requests[-1] == "GET /projects/12/merge_requests/7/notes"


@pytest.mark.usefixtures("github")
def test_there_must_be_something_to_say(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a page nor a failure is a mistake of the caller's; so is a page that is not there."""
    for arguments, words in ((["--exit-code", "2"], "nothing to say"), (["no.md"], "no.md cannot be read")):
        assert comment(*arguments) == 3
        assert words in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_the_ci_system_must_be_known(capsys: pytest.CaptureFixture[str]) -> None:
    """On a laptop it has to be named."""
    assert comment("plan.md") == 3
    assert "no CI system" in capsys.readouterr().err
