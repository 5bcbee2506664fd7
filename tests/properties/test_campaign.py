"""Whatever is written in a file, loading it ends with findings, never with an exception."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from octoplan.campaign.document import parse_document
from octoplan.campaign.fields import build_model
from octoplan.campaign.model import CampaignModel, ProjectModel
from octoplan.campaign.project import Project, load_campaign, load_project
from octoplan.campaign.source import SourceFile, decode_source, resolve_inside
from octoplan.views.problems import render_findings

FIELDS = [*CampaignModel.model_fields, "template", "vars", "path", "phone", "at", "timezone", "not_after", "columns"]
MARKS = [": ", "- ", "\n", "\n  ", "\t", "{", "}", "[", "]", "'", '"', "|", ">", "&a", "*a", "!t", "<<", "? ", "---\n"]
WORDS = [
    "{{ x }}",
    "STOP au XXXXX",
    "stop au XXXX",
    "{% if x %}",
    "#",
    "\\",
    "é",
    "😀",
    "null",
    "2027-03-28T02:30",
    "%YAML",
]
PIECES = st.sampled_from([*FIELDS, *MARKS, *WORDS])
YAML_LIKE = st.lists(PIECES | st.text(max_size=3), max_size=60).map("".join)
VALUES = st.recursive(
    st.sampled_from(
        ["sms_premium", "alert", "wholesale", "FR", "Europe/Paris", "2027-10-31T02:30", "a.csv", "true", "5"]
    )
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)


def _load(project: Project, text: str) -> None:
    (project.root / "campaigns" / "case.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    campaign, found = load_campaign(project, "campaigns/case.yaml")
    assert campaign is not None or any(finding.severity == "error" for finding in found)
    assert campaign is None or all(finding.severity == "warning" for finding in found)
    for finding in found:
        assert finding.place is not None
        assert finding.place.line is None or finding.place.line >= 1
    render_findings(found, colour=False)


def _project(folder: Path) -> Project:
    (folder / "campaigns").mkdir(exist_ok=True)
    (folder / "octoplan.yaml").write_text("project: acme\n", encoding="utf-8")
    project, _ = load_project(folder)
    assert project is not None
    return project


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=YAML_LIKE)
def test_any_yaml_ends_in_findings(tmp_path: Path, text: str) -> None:
    """Text made of YAML's own pieces never raises; no campaign comes with an error, and none is lost without one."""
    _load(_project(tmp_path), text)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=8))
def test_any_structure_ends_in_findings(tmp_path: Path, data: dict[str, object]) -> None:
    """Known fields with values of every kind never raise."""
    _load(_project(tmp_path), json.dumps(data, ensure_ascii=False))


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    """Bytes of any kind give a source or an error with a place."""
    source, found = decode_source("c.yaml", data)
    assert (source is None) == any(finding.severity == "error" for finding in found)
    assert all(finding.place is not None for finding in found)


@settings(max_examples=200, deadline=None)
@given(data=st.dictionaries(st.sampled_from(list(ProjectModel.model_fields)), VALUES, max_size=6))
def test_any_project_ends_in_findings(data: dict[str, object]) -> None:
    """The project file never raises either."""
    document, _ = parse_document(SourceFile.of("octoplan.yaml", json.dumps(data, ensure_ascii=False)))
    if document is not None:
        built = build_model(ProjectModel, document)
        assert (built.model is None) == bool(built.findings)


@settings(max_examples=300, deadline=None)
@given(data=st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=30), min_size=1, max_size=5))
def test_what_yaml_writes_is_read_back(data: dict[str, str]) -> None:
    """Text that a YAML library writes is read as the same text, whatever it looks like."""
    text = yaml.safe_dump(data, allow_unicode=False)
    document, found = parse_document(SourceFile.of("c.yaml", text))
    assert found == []
    assert document is not None
    assert document.data == data


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(relative=st.text(alphabet="./\\a~: \x00é", max_size=12) | st.text(max_size=12))
def test_no_path_leaves_the_project(tmp_path: Path, relative: str) -> None:
    """Any text is refused, or is a path inside the folder."""
    try:
        path = resolve_inside(tmp_path, relative)
    except ValueError:
        return
    assert path.is_relative_to(tmp_path.resolve())
