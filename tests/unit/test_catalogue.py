"""Every rule has one id, is listed, and can be overridden only if it is no matter of what can be sent at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from octoplan.campaign.project import load_campaigns, load_project
from octoplan.catalogue import catalogue, check_overrides
from octoplan.rulebook.data import RULE_ID_PATTERN
from octoplan.views.rules_text import render_rule, render_rules
from tests.unit.plan.projects import CAMPAIGN, numbers, write_project

CODE = Path(__file__).parents[2] / "octoplan"
MADE = re.compile(r'\bRule\(\s*"([a-z/-]+)"')


def overridden(root: Path, rule: str) -> list[str]:
    write_project(root, numbers(1), campaign=CAMPAIGN + f'overrides: [{{rule: {rule}, reason: "because"}}]\n')
    project, _ = load_project(root)
    assert project is not None
    campaigns, found = load_campaigns(project)
    return [finding.code for finding in [*found, *check_overrides(campaigns)]]


def test_every_rule_of_the_code_is_listed() -> None:
    """A rule that somebody adds is in the list, whichever module it is in; the sandbox has rules of its own."""
    made = {
        code
        for path in CODE.rglob("*.py")
        if "sandbox" not in path.parts
        for code in MADE.findall(path.read_text(encoding="utf-8"))
    }
    assert len(made) > 80
    assert made - catalogue().keys() == set()


def test_ids_have_one_form_and_every_rule_explains_itself() -> None:
    """A summary, a level and a source for each; a rule of the data also says what it is about."""
    for name, entry in catalogue().items():
        assert re.fullmatch(RULE_ID_PATTERN, name)
        assert entry.summary
        assert entry.level in ("error", "warning")
        assert entry.source
        assert all(version.says and version.source for version in entry.versions)
        assert name in render_rule([entry], width=100, colour=False)
    listed = render_rules(catalogue().values(), width=100, colour=False)
    assert [name for name in catalogue() if f"{name}  " not in listed] == []


@pytest.mark.parametrize(
    "rule", ["window/fr-hours", "window/zone-unknown", "sender/generic-word", "campaign/no-sender"]
)
def test_hours_and_warnings_can_be_overridden(tmp_path: Path, rule: str) -> None:
    """Nothing is found wrong with such an override."""
    assert overridden(tmp_path, rule) == []


@pytest.mark.parametrize("rule", ["campaign/stop-missing", "message/text-too-long", "schedule/too-little-time"])
def test_what_can_be_sent_at_all_is_no_matter_of_opinion(tmp_path: Path, rule: str) -> None:
    """Errors of validity stay errors."""
    assert overridden(tmp_path, rule) == ["campaign/no-override"]


def test_a_misspelt_rule_is_found(tmp_path: Path) -> None:
    """It would silently override nothing."""
    assert overridden(tmp_path, "window/fr-huors") == ["campaign/unknown-rule"]
