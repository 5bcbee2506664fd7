"""What `validate`, `plan` and `comment` leave in a CI system, through the real command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.behaviour.command import Octoplan, Result
from tests.behaviour.project import Project
from tests.forge_server import TOKEN, Forge, serving
from tests.unit.views.test_markdown import FORGE

REPORTS = "junit=junit.xml,sarif=log.sarif,codequality=quality.json"


@pytest.fixture
def runner(project: Project) -> dict[str, str]:
    """A job of GitHub Actions on pull request 7, in a repository whose folder `maple` is the project."""
    top = project.root.parent
    (top / ".git").mkdir()
    event = {"pull_request": {"number": 7, "head": {"sha": "ab12cd34" * 5}}}
    (top / "event.json").write_text(json.dumps(event))
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "maple/shop",
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_RUN_ID": "5",
        "GITHUB_EVENT_PATH": str(top / "event.json"),
        "GITHUB_OUTPUT": str(top / "output"),
        "GITHUB_STEP_SUMMARY": str(top / "summary.md"),
    }


@pytest.fixture
def forge() -> Iterator[Forge]:
    with serving() as running:
        yield running


def outputs(runner: dict[str, str]) -> dict[str, str]:
    """`$GITHUB_OUTPUT`, read as the runner reads it."""
    lines = iter(Path(runner["GITHUB_OUTPUT"]).read_text().splitlines())
    found: dict[str, str] = {}
    for line in lines:
        name, delimiter = line.split("<<")
        found[name] = "\n".join(iter(lambda: next(lines), delimiter))
    return found


def commands(result: Result) -> list[str]:
    """The lines that GitHub obeys: those between `stop-commands` and its token are text."""
    obeyed, token = [], None
    for line in result.stderr.splitlines():
        if token is not None:
            token = None if line == f"::{token}::" else token
        elif line.startswith("::stop-commands::"):
            token = line.removeprefix("::stop-commands::")
        elif line.lstrip().startswith("::") or "##[" in line:
            obeyed.append(line)
    assert token is None
    return obeyed


# --- plan and validate -----------------------------------------------------------------------------------------------


def test_a_plan_in_github_actions(project: Project, octoplan: Octoplan, runner: dict[str, str]) -> None:
    """Outputs for the next steps, a summary, and the exit code as everywhere."""
    octoplan("plan", "--detailed-exitcode", "--out", "plan.json", code=2, variables=runner)
    assert outputs(runner) == {
        "exit_code": "2",
        "has_changes": "true",
        "messages": "5",
        "requests": "3",
        "cost": "0.305",
        "blocked": "0",
        "plan_file": "plan.json",
    }
    summary = Path(runner["GITHUB_STEP_SUMMARY"]).read_text()
    assert "**5 messages, cost 0.305**, 3 requests, 5 parts." in summary
    assert "> `Bonjour {first_name} {last_name}, code {code}. STOP au XXXXX`" in summary


def test_a_finding_is_annotated_with_its_place_in_the_repository(
    project: Project, octoplan: Octoplan, runner: dict[str, str]
) -> None:
    """`validate` and `plan` alike, also where there is nothing to plan."""
    project.campaign("spring", typ="sms_premium")
    for command in ("validate", "plan"):
        (line,) = commands(octoplan(command, code=3, variables=runner))
        assert line.startswith("::error file=maple/campaigns/spring.yaml,line=")
        assert "campaign/unknown-field" in line
    assert outputs(runner)["exit_code"] == "3"
    assert outputs(runner)["messages"] == ""
    assert "no plan (exit code 3)" in Path(runner["GITHUB_STEP_SUMMARY"]).read_text()


def test_no_text_of_a_campaign_is_a_command_to_the_runner(
    project: Project, octoplan: Octoplan, runner: dict[str, str]
) -> None:
    """A pull request cannot mask words, annotate lines or stop commands from within a template."""
    words = "::error::owned ##[add-mask]a ::stop-commands::x STOP au XXXXX"
    project.campaign("spring", message={"template": words}, description="::warning::owned")
    result = octoplan("plan", "-o", "text", variables=runner)
    assert "##[add-mask]" in result.stdout
    assert commands(result) == []
    project.campaign("spring", type="##[error]owned")
    result = octoplan("plan", code=3, variables=runner)
    assert "##[error]owned" in result.stderr
    assert [line.partition(" file=")[0] for line in commands(result)] == ["::error"]


def test_standard_output_stays_what_was_asked_for(octoplan: Octoplan, runner: dict[str, str]) -> None:
    """JSON of a job is JSON."""
    assert octoplan("plan", "-o", "json", variables=runner).json()["project"] == "maple"


def test_nothing_is_left_where_nobody_asked(octoplan: Octoplan, runner: dict[str, str]) -> None:
    """`--ci none` is silent on GitHub, and `--ci github` speaks without any sign of it."""
    result = octoplan("plan", "--ci", "none", variables=runner)
    assert "::" not in result.stderr
    assert not Path(runner["GITHUB_OUTPUT"]).exists()
    assert "::stop-commands::" in octoplan("validate", "--ci", "github").stderr


def test_a_summary_that_cannot_be_written_fails_nothing(octoplan: Octoplan, runner: dict[str, str]) -> None:
    """The plan is more than its pages: it is said, and the exit code stays."""
    result = octoplan("plan", variables=runner | {"GITHUB_STEP_SUMMARY": runner["GITHUB_EVENT_PATH"] + "/x"})
    assert "GITHUB_STEP_SUMMARY could not be written" in result.stderr
    assert outputs(runner)["exit_code"] == "0"


def test_reports_of_a_plan_that_is_refused(project: Project, octoplan: Octoplan) -> None:
    """Why apply would refuse is in each report, and the exit code is the plan's."""
    project.campaign("spring", limits={"max_recipients": 1})
    octoplan("plan", "--report", REPORTS, "--report", "dotenv=plan.env", code=5)
    root = project.root
    (case,) = ET.fromstring((root / "junit.xml").read_text()).iter("testcase")
    assert case.get("name") == "plan/over-max-recipients"
    assert json.loads((root / "log.sarif").read_text())["runs"][0]["results"][0]["ruleId"] == "plan/over-max-recipients"
    assert json.loads((root / "quality.json").read_text())[0]["location"]["path"] == "campaigns/spring.yaml"
    assert "OCTOPLAN_EXIT_CODE=5\nOCTOPLAN_HAS_CHANGES=false\n" in (root / "plan.env").read_text()


def test_reports_of_a_project_that_cannot_be_read(project: Project, octoplan: Octoplan) -> None:
    """Every finding of `validate`, and of a plan that was never made."""
    project.campaign("spring", typ="sms_premium")
    for command in ("validate", "plan"):
        octoplan(command, "--report", REPORTS, code=3)
        (issue,) = json.loads((project.root / "quality.json").read_text())
        assert issue["check_name"] == "campaign/unknown-field"
        assert issue["location"]["lines"]["begin"] > 1


def test_an_error_without_a_place_is_reported_too(project: Project, octoplan: Octoplan) -> None:
    """A job whose credentials are missing does not leave a report of success."""
    project.environment("https://api.octopush.com/v1/public")
    octoplan("plan", "--report", "junit=junit.xml", "-o", "markdown=plan.md", code=4, variables={"MAPLE_KEY": ""})
    (case,) = ET.fromstring((project.root / "junit.xml").read_text()).iter("testcase")
    assert case.get("classname") == "octoplan.yaml"
    assert "MAPLE_KEY is not set" in (project.root / "plan.md").read_text()


@pytest.mark.parametrize("words", ["junit", "pdf=a", "junit=", "junit=nowhere/a", "dotenv=a"])
def test_a_report_that_cannot_be_is_told_at_once(octoplan: Octoplan, words: str) -> None:
    """Before anything is read."""
    assert "Invalid value for '--report'" in octoplan("validate", "--report", words, code=3).stderr


def test_the_page_of_a_real_plan_is_markdown(octoplan: Octoplan) -> None:
    """What a library makes of it: a table, quotes and folded details."""
    html = FORGE.render(octoplan("plan", "-o", "markdown").stdout)
    assert "<td><code>spring</code></td>" in html
    assert "<blockquote>" in html
    assert html.count("<details>") == html.count("</details>") == 2


def test_the_page_tells_what_is_different(project: Project, octoplan: Octoplan) -> None:
    """Beside the plan of the base branch: the whole, then each campaign, its text word by word."""
    octoplan("plan", "--out", "base.json")
    octoplan("plan", "--compare", "base.json", "-o", "markdown=same.md")
    assert "`Nothing is different.`" in (project.root / "same.md").read_text()
    project.campaign(
        "spring", message={"template": "Salut {{ first_name }} <b> `x`. STOP au XXXXX"}, limits={"max_cost": 1}
    )
    page = octoplan("plan", "--compare", "base.json", "-o", "markdown").stdout
    assert page.splitlines()[2].startswith("Beside `base.json: sandbox, ")
    assert "**Changed** `spring`" in page
    assert "<b>" not in FORGE.render(page)


# --- comment ---------------------------------------------------------------------------------------------------------


def comment(octoplan: Octoplan, runner: dict[str, str], forge: Forge, *arguments: str, code: int = 0) -> Result:
    """`octoplan comment` in the job, with the token of a workflow."""
    variables = runner | {"GITHUB_API_URL": forge.url, "GITHUB_TOKEN": TOKEN}
    result = octoplan("comment", *arguments, code=code, variables=variables)
    assert TOKEN not in result.output
    return result


def test_from_plan_to_comment(octoplan: Octoplan, runner: dict[str, str], forge: Forge) -> None:
    """The page, with commit and run below; the second push updates it."""
    octoplan("plan", "-o", "markdown=plan.md", variables=runner)
    assert "Commented on pull request 7." in comment(octoplan, runner, forge, "plan.md").stdout
    assert "is up to date" in comment(octoplan, runner | {"GITHUB_RUN_ID": "6"}, forge, "plan.md").stdout
    (body,) = forge.bodies
    assert body.startswith("<!-- octoplan comment folder=maple environment=default run=6 -->\n## octoplan: ")
    assert "Commit `ab12cd34ab12`, [this run](https://github.example/maple/shop/actions/runs/6)" in body


def test_a_plan_that_failed_is_red(project: Project, octoplan: Octoplan, runner: dict[str, str], forge: Forge) -> None:
    """With its findings where it could say them, and without any page where it could not."""
    project.campaign("spring", typ="sms_premium")
    octoplan("plan", "-o", "markdown=plan.md", code=3)
    comment(octoplan, runner, forge, "plan.md", "--exit-code", "3")
    assert forge.bodies[0].split("\n")[1] == "## 🔴 octoplan: no plan (exit code 3)"
    assert "campaign/unknown-field" in forge.bodies[0]
