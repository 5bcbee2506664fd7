"""Findings in the formats of CI systems, read back by what reads them elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from sarif_pydantic import Sarif

from octoplan.diagnostics import Finding, Place
from octoplan.plan.model import ActionKind
from octoplan.views.ci_text import annotation_lines, figures, github_output, render_dotenv
from octoplan.views.finding_reports import Checked, refusals, render_code_quality, render_junit, render_sarif
from tests.unit.views.plans import action_of, plan_of

HOSTILE = "a\x00b]]>&<x>\n::error::x\r%0A, line=9:\u2028 \udc80"


def finding(
    severity: Any = "error", detail: str = "no `pth`", line: int | None = 6, hint: str | None = None
) -> Finding:
    return Finding("campaign/unknown-field", "Unknown field", severity, detail, Place("c/a.yaml", line, 5), hint)


def checked(*findings: Finding, files: tuple[str, ...] = ()) -> Checked:
    return Checked("validate", findings, files, PurePosixPath("sms"))


# --- JUnit -----------------------------------------------------------------------------------------------------------


def cases(text: str) -> list[ET.Element]:
    return list(ET.fromstring(text).iter("testcase"))


def test_a_failed_case_for_each_error_and_a_passed_one_for_each_file_without() -> None:
    """With the file as the repository knows it; the counts add up."""
    text = render_junit(checked(finding(), finding(line=9), files=("c/a.yaml", "c/b.yaml")))
    names = [(case.get("classname"), case.get("name"), case.find("failure") is not None) for case in cases(text)]
    assert names == [
        ("sms/c/a.yaml", "campaign/unknown-field line 6", True),
        ("sms/c/a.yaml", "campaign/unknown-field line 9", True),
        ("sms/c/b.yaml", "no errors", False),
    ]
    assert ET.fromstring(text).attrib == {"tests": "3", "failures": "2", "errors": "0"}


def test_warnings_do_not_fail_a_case() -> None:
    """They are what the passed case of their file says."""
    (case,) = cases(render_junit(checked(finding("warning", hint="path?"))))
    assert case.find("failure") is None
    assert "hint: path?" in (case.findtext("system-out") or "")


def test_a_project_without_files_has_a_case_too() -> None:
    """A report without any case is a mistake to some readers."""
    assert [case.get("classname") for case in cases(render_junit(checked()))] == ["sms/octoplan.yaml"]


def test_no_text_breaks_the_xml() -> None:
    """Characters that XML cannot hold are dots, markup is text."""
    (case,) = cases(render_junit(checked(finding(detail=HOSTILE))))
    assert case.find("failure") is not None
    assert [child.tag for child in case] == ["failure"]


# --- SARIF -----------------------------------------------------------------------------------------------------------


def test_sarif_is_read_by_a_library() -> None:
    """Each finding with rule, level, file and line; files are escaped as addresses are."""
    odd = Finding("a/b", "Odd", "warning", "x", Place("c/ü b.yaml"))
    log = Sarif.model_validate_json(render_sarif(checked(finding(hint="path?"), odd)))
    assert log.version == "2.1.0"
    first = (log.runs[0].results or [])[0]
    assert (first.rule_id, first.message.text) == ("campaign/unknown-field", "no `pth` Hint: path?")
    raw = json.loads(render_sarif(checked(finding(), odd)))["runs"][0]
    places = [result["locations"][0]["physicalLocation"] for result in raw["results"]]
    assert places == [
        {"artifactLocation": {"uri": "sms/c/a.yaml"}, "region": {"startLine": 6, "startColumn": 5}},
        {"artifactLocation": {"uri": "sms/c/%C3%BC%20b.yaml"}},
    ]
    assert [rule["id"] for rule in raw["tool"]["driver"]["rules"]] == ["a/b", "campaign/unknown-field"]


@pytest.mark.parametrize("render", [render_sarif, render_code_quality])
def test_no_name_of_a_file_breaks_the_json(render: Callable[[Checked], str]) -> None:
    """Also not one whose bytes are no text at all."""
    json.loads(render(checked(Finding("a/b", "c", "error", HOSTILE, Place(HOSTILE, 1), HOSTILE))).encode())


# --- GitLab's code quality -------------------------------------------------------------------------------------------


def test_code_quality_has_what_gitlab_needs() -> None:
    """The five fields of its documentation, with a severity that it knows."""
    (issue,) = json.loads(render_code_quality(checked(finding())))
    assert {name: issue[name] for name in ("description", "check_name", "severity", "location")} == {
        "description": "no `pth`",
        "check_name": "campaign/unknown-field",
        "severity": "major",
        "location": {"path": "sms/c/a.yaml", "lines": {"begin": 6}},
    }


def test_a_fingerprint_stays_when_lines_move_and_is_never_used_twice() -> None:
    """GitLab compares by it, and drops what has the same."""

    def prints(*findings: Finding) -> list[str]:
        return [issue["fingerprint"] for issue in json.loads(render_code_quality(checked(*findings)))]

    assert prints(finding(line=6)) == prints(finding(line=60))
    twice = prints(finding(line=6), finding(line=8), finding(detail="other"))
    assert len(set(twice)) == 3


# --- annotations, outputs, variables ---------------------------------------------------------------------------------


def test_the_worst_ten_are_annotated() -> None:
    """Errors before warnings, with file, line and column."""
    lines = list(annotation_lines(checked(*[finding("warning")] * 8, *[finding()] * 4)))
    assert [line.split(" ")[0] for line in lines] == ["::error"] * 4 + ["::warning"] * 6
    title = "Unknown field [campaign/unknown-field]"
    assert lines[0] == f"::error file=sms/c/a.yaml,line=6,col=5,title={title}::no `pth`"


def test_no_text_makes_an_annotation_of_its_own() -> None:
    """Line breaks, percent signs, colons and commas are escaped, in the file's name too."""
    odd = Finding("a/b", "c", "error", HOSTILE, Place("c/a,line=1::x\n.yaml", 1), HOSTILE)
    (line,) = annotation_lines(checked(odd))
    assert len(line.split("\n")) == 1
    assert "\r" not in line
    assert line.startswith("::error file=sms/c/a%2Cline=1%3A%3Ax%0A.yaml,line=1,title=")


def test_outputs_of_a_step() -> None:
    """Each value stands between a delimiter that nobody knows beforehand."""
    text = github_output({"exit_code": "5", "plan_file": "a\nb=c"}, "octoplan-1")
    assert text == "exit_code<<octoplan-1\n5\noctoplan-1\nplan_file<<octoplan-1\na\nb=c\noctoplan-1\n"


def test_variables_of_later_jobs() -> None:
    """One line each, whatever a file is called."""
    text = render_dotenv({"exit_code": "5", "plan_file": "a\nOCTOPLAN_EXIT_CODE=0"})
    assert text == "OCTOPLAN_EXIT_CODE=5\nOCTOPLAN_PLAN_FILE=a·OCTOPLAN_EXIT_CODE=0\n"


def test_unknown_is_never_zero() -> None:
    """A plan that could not be made has no figures; a cost that is not known is empty."""
    assert set(figures(None, 3).values()) == {"3", "false", ""}
    plan = plan_of(action_of(), action_of(ActionKind.BLOCKED, "b"))
    shown = figures(plan, 5, "plan.json")
    assert (shown["messages"], shown["cost"], shown["blocked"]) == ("50", "2.6105882", "1")
    assert list(shown) == ["exit_code", "has_changes", "messages", "requests", "cost", "blocked", "plan_file"]


@pytest.mark.parametrize("kind", [ActionKind.BLOCKED, ActionKind.CONFLICT])
def test_why_apply_would_refuse_is_reported_with_its_file(kind: ActionKind) -> None:
    """A limit is no finding, but whoever reads the report has to know."""
    (found,) = refusals(plan_of(action_of(kind), action_of(campaign="other")))
    assert re.fullmatch(r"plan/because-\w+", found.code)
    assert (found.severity, str(found.place)) == ("error", "campaigns/spring.yaml")
