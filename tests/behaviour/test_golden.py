"""
What programs read stays as it is: plans and comparisons as JSON, byte for byte but for times.

A change here is a change of a format: is it described, and does a change of meaning raise `version`? A file that is
missing is written and has to be read; so is one that was deleted to be made anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest

from octoplan.cli.schema import all_schemas
from octoplan.cli.wiring import KEY_VARIABLE
from tests.behaviour.command import Octoplan
from tests.behaviour.project import PEOPLE, Project
from tests.git_repositories import git

GOLDEN: Final = Path(__file__).parents[1] / "data" / "golden"
MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z")
COMMIT: Final = re.compile(r'("commit": )"[0-9a-f]{40}"')


def normalise(document: dict[str, Any]) -> str:
    """Without times, and without what is made of them."""
    document = {**document, "digest": "", "octoplan": ""}
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return COMMIT.sub(r'\1"…"', MOMENT.sub("2027-03-20T09:00:00.000000Z", text))


def require_golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{name} was missing and is written: read it")
    assert text == path.read_text(encoding="utf-8")


def test_a_plan_and_a_comparison_are_as_they_were(project: Project, octoplan: Octoplan) -> None:
    """The same project, list and key give the same digests, ids and figures; both documents fit their schemas."""
    octoplan.variables[KEY_VARIABLE] = "07" * 32
    text = "Bonjour {{ first_name }} {{ last_name }}, code {{ code }}."
    project.campaign("spring", purpose="alert", message={"template": text})
    git(project.root, "init", "-q")
    git(project.root, "add", "campaigns", "octoplan.yaml", "data")
    git(project.root, "commit", "-q", "-m", "one")
    octoplan("plan", "--out", "before.json")
    project.contacts([*PEOPLE[1:], ("Nobody", "", "12", "")])
    project.campaign("spring", purpose="alert", message={"template": text.replace("Bonjour", "Bonsoir")})
    project.campaign("winter", purpose="alert", message={"template": "Il neige."})
    document = octoplan("plan", "--compare", "before.json", "-o", "json").json()
    comparison = document.pop("comparison")
    for name, made in (("plan", document), ("comparison", comparison)):
        jsonschema.validate(made, json.loads(all_schemas()[f"{name}.schema.json"]))
        require_golden(f"{name}.json", normalise(made))
