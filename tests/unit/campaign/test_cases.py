"""Whole campaign and project files, good and bad: findings, models and JSON Schemas agree on every one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from octoplan.campaign.schema import schema_of
from tests.unit.campaign.cases import Case, read_as_editor, read_cases, show

GOOD = read_cases("good")
BAD = read_cases("bad")


def _named(cases: list[Case]) -> list[object]:
    return [pytest.param(case, id=case.path.stem) for case in cases]


def _is_accepted_by_schema(case: Case) -> bool:
    try:
        data = read_as_editor(case.text)
    except yaml.YAMLError:
        return False
    return bool(Draft7Validator(schema_of(case.kind)).is_valid(data))


def test_there_are_enough_cases() -> None:
    """At least fifty good and fifty bad files hold the rules in place."""
    assert len(GOOD) >= 50
    assert len(BAD) >= 50


@pytest.mark.parametrize("case", _named(GOOD))
def test_good_file_is_accepted(case: Case, tmp_path: Path) -> None:
    """A good file gives a campaign or project, and exactly the warnings that it announces."""
    loaded, found = case.load(tmp_path)
    assert loaded is not None
    assert show(found) == case.expected
    assert all(finding.severity == "warning" for finding in found)


@pytest.mark.parametrize("case", _named(GOOD))
def test_good_file_fits_the_schema(case: Case) -> None:
    """What octoplan accepts, an editor with the schema accepts too."""
    errors = list(Draft7Validator(schema_of(case.kind)).iter_errors(read_as_editor(case.text)))
    assert errors == []


@pytest.mark.parametrize("case", _named(BAD))
def test_bad_file_gets_all_its_findings(case: Case, tmp_path: Path) -> None:
    """A bad file gets exactly the findings that it announces, each at its line and column, and makes no campaign."""
    loaded, found = case.load(tmp_path)
    assert case.expected
    assert show(found) == case.expected
    assert any(finding.severity == "error" for finding in found)
    assert case.is_project or loaded is None


@pytest.mark.parametrize("case", _named([case for case in BAD if not case.beyond_schema]))
def test_bad_file_is_refused_by_the_schema(case: Case) -> None:
    """What a JSON Schema can tell, the editor tells before octoplan does."""
    assert not _is_accepted_by_schema(case)


@pytest.mark.parametrize("case", _named([case for case in BAD if case.beyond_schema]))
def test_only_what_no_schema_can_tell_is_marked_so(case: Case) -> None:
    """A file is marked `beyond` only if an editor cannot read it, or the schema accepts it."""
    try:
        read_as_editor(case.text)
    except yaml.YAMLError:
        return
    assert _is_accepted_by_schema(case)


def test_schemas_are_draft_07() -> None:
    """The schemas themselves are valid draft-07."""
    for kind in {case.kind for case in GOOD}:
        Draft7Validator.check_schema(schema_of(kind))
