"""The files of `tests/cases`, each with what it expects in comments at its top."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from octoplan.campaign.model import CampaignModel, ProjectModel
from octoplan.campaign.project import load_campaign, load_project
from octoplan.diagnostics import Finding

CASES = Path(__file__).parents[2] / "cases"
PROJECT = "project: cases\ndefaults: {region: FR}\n"


@dataclass(frozen=True, slots=True)
class Case:
    """`expected` are the findings as `code:line:column`; `beyond_schema` says that no JSON Schema can refuse it."""

    path: Path
    text: str
    expected: list[str]
    beyond_schema: bool

    @property
    def is_project(self) -> bool:
        return self.path.name.startswith("project-")

    @property
    def kind(self) -> type[CampaignModel] | type[ProjectModel]:
        return ProjectModel if self.is_project else CampaignModel

    def load(self, folder: Path) -> tuple[object | None, list[Finding]]:
        """Load it as the only campaign, or as the project file, of a project in `folder`."""
        (folder / "campaigns").mkdir()
        (folder / "octoplan.yaml").write_text(self.text if self.is_project else PROJECT, encoding="utf-8")
        (folder / "campaigns" / "case.yaml").write_text(self.text, encoding="utf-8")
        project, found = load_project(folder)
        if self.is_project:
            return project, found
        assert project is not None
        return load_campaign(project, "campaigns/case.yaml")


def read_cases(kind: str) -> list[Case]:
    """The cases in `tests/cases/good` or `tests/cases/bad`, sorted by name."""
    return [read_case(path) for path in sorted((CASES / kind).glob("*.yaml"))]


def read_case(path: Path) -> Case:
    text = path.read_text(encoding="utf-8")
    expected = re.findall(r"^# expect: (\S+)$", text, re.MULTILINE)
    return Case(path, text, expected, "# schema: beyond\n" in text)


def show(findings: list[Finding]) -> list[str]:
    """Findings as the cases write them down, in the order of the file."""
    placed = sorted(
        findings, key=lambda finding: (finding.place.line or 0, finding.place.column or 0) if finding.place else (0, 0)
    )
    return [
        ":".join(str(part or 0) for part in (finding.code, finding.place.line, finding.place.column))
        for finding in placed
        if finding.place
    ]


class EditorLoader(yaml.SafeLoader):
    """YAML 1.2's core schema, as editors read a file: `NO` and `18:30` are text, `007` is seven."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (the base class declares it so)


EditorLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), None)
EditorLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), None
)
EditorLoader.add_implicit_resolver("!int", re.compile(r"^[-+]?[0-9]+$"), None)
EditorLoader.add_implicit_resolver(
    "!float", re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"), None
)
EditorLoader.add_constructor("!int", lambda loader, node: int(node.value))
EditorLoader.add_constructor("!float", lambda loader, node: float(node.value))


def read_as_editor(text: str) -> Any:
    """
    The data that a JSON Schema sees.

    :raises yaml.YAMLError: where an editor shows a syntax error.
    """
    return yaml.load(text, Loader=EditorLoader)
