"""Tests of campaigns: each expectation holds or is named with its place, and nothing but the test file is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest
import yaml

from octoplan.audience.rules import EXPLANATIONS
from octoplan.campaign.expectations import LEFT_OUT
from octoplan.campaign.project import load_campaigns, load_project
from octoplan.rehearsal import FileResult, run_file
from octoplan.views.rehearsal import render_tests, render_tests_json, render_tests_junit, word_diff

CAMPAIGN: Final[dict[str, Any]] = {
    "id": "spring",
    "type": "sms_premium",
    "purpose": "wholesale",
    "message": {"template": "Bonjour {{ name }}, {{ shop }} vous attend. STOP au XXXXX"},
    "recipients": {"path": "data/gone.csv", "phone": "mobile", "where": "consent = 'oui'"},
}
PROJECT: Final[dict[str, Any]] = {
    "project": "maple",
    "defaults": {"region": "FR", "timezone": "Europe/Paris", "sender": "MAPLE"},
    "suppression": [{"path": "data/also-gone.csv"}],
}
CAMILLE: Final = {"name": "Camille", "mobile": "06 12 34 00 01", "shop": "Lyon", "consent": "oui"}
TEXT: Final = "Bonjour Camille, Lyon vous attend. STOP au XXXXX"


def run(
    root: Path,
    tests: list[dict[str, Any]],
    *,
    campaign: dict[str, Any] | None = None,
    project: dict[str, Any] | None = None,
    **file: Any,
) -> FileResult:
    """Write a project with one campaign, whose lists do not exist, and run a file of tests."""
    documents = {
        "octoplan.yaml": PROJECT | (project or {}),
        "campaigns/spring.yaml": CAMPAIGN | (campaign or {}),
        "tests/spring.yaml": {"campaign": "spring", **file, "tests": tests},
    }
    for name, document in documents.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    loaded, found = load_project(root)
    assert loaded is not None, found
    campaigns, findings = load_campaigns(loaded)
    return run_file(loaded, campaigns, findings, "tests/spring.yaml")


def mismatches(result: FileResult) -> dict[str, tuple[str, str]]:
    assert result.findings == ()
    assert [case.findings for case in result.cases] == [()] * len(result.cases)
    return {each.what: (each.expected, each.actual) for case in result.cases for each in case.mismatches}


def case(*contacts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "a test", "contacts": list(contacts), **more}


def test_everything_that_is_expected_and_so_passes(tmp_path: Path) -> None:
    """Text, parts, encoding, country, counts, cost, reasons and findings of a plan that nobody else sees."""
    contact = {"row": CAMILLE, "text": TEXT, "parts": 1, "encoding": "GSM-7", "country": "FR"}
    expect = {"action": "send", "recipients": 1, "parts": 1, "requests": 1, "cost": "0.061", "left_out": {}}
    expect |= {"findings": [], "blocked_by": []}
    result = run(tmp_path, [case(contact, expect=expect)], prices={"FR": "0.061"})
    assert result.passed, result
    assert sorted(path.name for path in tmp_path.iterdir()) == ["campaigns", "octoplan.yaml", "tests"]


@pytest.mark.parametrize(
    ("contact", "expect", "wrong"),
    [
        ({"text": TEXT.replace("Lyon", "Nice")}, {}, {"contact 1: text": (TEXT.replace("Lyon", "Nice"), TEXT)}),
        ({"parts": 2}, {}, {"contact 1: parts": ("2", "1")}),
        ({"encoding": "UCS-2"}, {}, {"contact 1: encoding": ("UCS-2", "GSM-7")}),
        ({"country": "DE"}, {}, {"contact 1: country": ("DE", "FR")}),
        ({"left_out": "duplicate"}, {}, {"contact 1: left_out": ("duplicate", f"it gets: {TEXT}")}),
        ({}, {"action": "blocked"}, {"action": ("blocked", "send")}),
        ({}, {"recipients": 2}, {"recipients": ("2", "1")}),
        ({}, {"parts": 3}, {"parts": ("3", "1")}),
        ({}, {"requests": 2}, {"requests": ("2", "1")}),
        ({}, {"cost": "0.10"}, {"cost": ("0.10", "unknown")}),
        ({}, {"left_out": {"duplicate": 1}}, {"left_out": ("duplicate 1", "none")}),
        ({}, {"findings": ["a/b"]}, {"findings": ("a/b", "none")}),
        ({}, {"blocked_by": ["copy"]}, {"blocked_by": ("copy", "none")}),
    ],
)
def test_each_expectation_can_fail(
    contact: dict[str, Any], expect: dict[str, Any], wrong: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    """What differs is named with what was expected and what came; everything else passes."""
    result = run(tmp_path, [case({"row": CAMILLE, **contact}, expect=expect)])
    assert mismatches(result) == wrong
    assert not result.passed


def test_reasons_of_rows_that_get_nothing(tmp_path: Path) -> None:
    """Each row's own reason, also where many have the same one; a message for a row that is left out is a mismatch."""
    many = [
        {"row": CAMILLE | {"consent": "non", "name": str(number)}, "left_out": "not-selected"} for number in range(9)
    ]
    rows = [
        {"row": CAMILLE | {"mobile": "0612340002"}, "left_out": "suppressed"},
        {"row": CAMILLE | {"mobile": "12"}, "left_out": "empty-number"},
        {"row": CAMILLE | {"mobile": ""}, "text": TEXT},
    ]
    result = run(tmp_path, [case(*many, *rows, suppressed=["+33 6 12 34 00 02"])])
    assert mismatches(result) == {
        "contact 11: left_out": ("empty-number", "invalid-number"),
        "contact 12: text": ("a message", "left out: empty-number"),
    }


def test_the_reasons_are_those_of_a_plan() -> None:
    """What a test can expect is what the audience stage can say."""
    assert set(LEFT_OUT) == set(EXPLANATIONS)


def test_the_real_time_plays_no_part(tmp_path: Path) -> None:
    """A campaign whose time passed long ago still passes its tests; `now` moves the clock of one."""
    old = {"schedule": {"at": "2021-03-16T10:00", "not_after": "2021-03-16T12:00"}}
    late = {"now": "2021-03-16T11:00", "expect": {"blocked_by": ["campaign/time-passed"]}}
    tests = [case({"row": CAMILLE}, expect={"action": "send"}), case({"row": CAMILLE}, **late)]
    assert run(tmp_path, tests, campaign=old).passed


def test_a_time_on_each_recipients_clock(tmp_path: Path) -> None:
    """Where every recipient has a time of his own the test is planned before the first of them."""
    times = {"schedule": {"at": "2021-03-16T10:00", "recipient_local": True}}
    abroad = {"row": CAMILLE | {"mobile": "+1 650 555 0123"}}
    result = run(tmp_path, [case({"row": CAMILLE, "text": TEXT}, abroad, expect={"blocked_by": []})], campaign=times)
    assert result.passed, result


def test_limits_hours_and_policies_hold(tmp_path: Path) -> None:
    """What blocks a campaign anywhere blocks it here, in the environment of the test; `prices` are of one part."""
    project = {
        "limits": {"max_cost": "0.05"},
        "policy": {"require": ["owner"], "senders": ["ACME"], "countries": ["DE"]},
        "environments": {
            "live": {
                "endpoint": "https://api.octopush.com/v1/public",
                "credentials": {"login": "env/A", "key": "env/B"},
            }
        },
    }
    blocked = ["over-max-cost", "policy/required-field", "policy/sender", "policy/country"]
    tests = [case({"row": CAMILLE}, expect={"cost": "0.061", "blocked_by": blocked})]
    assert mismatches(run(tmp_path, tests, project=project, prices={"FR": "0.061"})) == {}
    night = case({"row": CAMILLE}, now="2027-01-12T23:30", expect={"blocked_by": ["window/fr-hours"]})
    live = {"environments": project["environments"]}
    assert mismatches(run(tmp_path, [night], project=live, environment="live")) == {}


def test_a_campaign_over_a_query_takes_the_rows_of_the_query(tmp_path: Path) -> None:
    """Whatever the source is, a test's rows stand for what it gives: nothing is asked of a database."""
    source = {"source": "sql", "connection": "crm", "query": "select * from people", "phone": "mobile"}
    tests = [case({"row": CAMILLE, "text": TEXT})]
    assert run(tmp_path, tests, campaign={"recipients": source}).passed


def test_what_cannot_be_planned_fails_unless_it_is_expected(tmp_path: Path) -> None:
    """A value that is missing is an error of the plan: it fails the test, or is what `findings` expect."""
    contact = {"row": CAMILLE | {"name": ""}}
    plain = run(tmp_path, [case(contact)])
    codes = [found.code for found in plain.cases[0].findings]
    assert not plain.passed
    assert codes
    assert run(tmp_path, [case(contact, expect={"findings": codes})]).passed
    assert not run(tmp_path, [case(contact, expect={"findings": ["a/b"]})]).passed


@pytest.mark.parametrize(
    ("tests", "more", "code"),
    [
        ([], {}, "campaign/bad-value"),
        ([case()], {}, "campaign/bad-value"),
        ([case({"row": CAMILLE})] * 201, {}, "campaign/bad-value"),
        ([case(*[{"row": CAMILLE}] * 201)], {}, "campaign/bad-value"),
        ([case({"row": {"name": "x" * 2000}})], {}, "campaign/bad-value"),
        ([case({"row": CAMILLE, "left_out": "whatever"})], {}, "campaign/bad-value"),
        ([case({"row": CAMILLE, "txt": "x"})], {}, "campaign/unknown-field"),
        ([case({"row": CAMILLE})], {"campaign": {"id": "summer"}}, "test/unknown-campaign"),
        ([case({"row": CAMILLE})], {"prices": {"FR": "0"}}, "campaign/bad-value"),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(
    tests: list[dict[str, Any]], more: dict[str, Any], code: str, tmp_path: Path
) -> None:
    """Nothing is run, and the findings say where and why; numbers of tests, contacts and characters are bounded."""
    result = run(tmp_path, tests, **more)
    assert code in [found.code for found in result.findings]
    assert result.cases == ()
    assert not result.passed


def test_an_unknown_environment_is_named(tmp_path: Path) -> None:
    """A test for an environment that the project does not have fails and says which there are."""
    result = run(tmp_path, [case({"row": CAMILLE})], environment="stagging")
    (found,) = result.cases[0].findings
    assert "stagging" in found.detail


# --- how it is shown --------------------------------------------------------------------------------------------------


def test_a_failure_shows_place_both_texts_and_the_words_that_differ(tmp_path: Path) -> None:
    """Who reads it finds line, expectation and reality, and need not compare letters."""
    result = run(tmp_path, [case({"row": CAMILLE, "text": TEXT.replace("Lyon", "Nice")})])
    text = render_tests([result], colour=False)
    line = (tmp_path / "tests/spring.yaml").read_text().splitlines().index("    text: " + TEXT.replace("Lyon", "Nice"))
    assert f"tests/spring.yaml:{line + 1}:" in text
    assert "differs   Bonjour Camille, [-Nice-]{+Lyon+} vous attend. STOP au XXXXX" in text
    assert text.endswith("0 tests passed, 1 failed\n")
    assert '"passed": false' in render_tests_json([result])


def test_word_diffs_keep_spaces() -> None:
    """What is common is shown as it is; spaces belong to it."""
    assert word_diff("a  b c", "a  x c d", colour=False) == "a  [-b-]{+x+} c{+ d+}"


def test_junit_is_xml_whatever_a_text_holds(tmp_path: Path) -> None:
    """Suites, cases, failures and errors are counted, and characters that XML has not are replaced."""
    wrong = {"row": CAMILLE, "text": "<b> & \ufffe ]]> \U0001f600"}
    result = run(tmp_path, [case(wrong), case({"row": CAMILLE})])
    unusable = FileResult("tests/broken.yaml", findings=run(tmp_path, []).findings)
    root = ET.fromstring(render_tests_junit([result, unusable]))
    suites = root.findall("testsuite")
    assert [(each.get("tests"), each.get("failures"), each.get("errors")) for each in suites] == [
        ("2", "1", "0"),
        ("1", "0", "1"),
    ]
    failure = root.find(".//failure")
    assert failure is not None
    assert "contact 1: text" in str(failure.get("message"))
