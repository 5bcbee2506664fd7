"""
Findings in the formats that CI systems read: JUnit XML, SARIF 2.1.0, GitLab's code quality JSON.

`folder` is where the project lies in its repository: files are named as the repository knows them, with `/`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote
from xml.etree import ElementTree as ET

from octoplan import __version__
from octoplan.diagnostics import ExitCode, Finding, Place
from octoplan.plan.model import Plan

_SARIF_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_TOP: Final = PurePosixPath()
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML file can hold, not even escaped."""
_SEVERITIES: Final = {"error": "major", "warning": "minor"}
"""As GitLab's code quality calls them."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What one command found, the `files` it looked at (as `Place` names them), and the project's `folder`."""

    command: str
    findings: Sequence[Finding]
    files: Sequence[str] = ()
    folder: PurePosixPath = _TOP

    def path(self, place: Place | None) -> str:
        """The file of a finding from the top of the repository; a finding of no file belongs to octoplan.yaml."""
        return str(self.folder / (place.file if place else "octoplan.yaml"))


def refusals(plan: Plan) -> tuple[Finding, ...]:
    """Why apply would refuse campaigns, as findings of their files."""
    return tuple(
        Finding(f"plan/{reason.code}", "Apply would refuse", "error", reason.detail, Place(action.file), reason.hint)
        for action in plan.actions
        for reason in action.reasons
        if reason.exit_code is not ExitCode.DONE
    )


def render_junit(checked: Checked) -> str:
    """A case for each error, and a passed one for each file without; warnings are what such a case says."""
    errors = [found for found in checked.findings if found.severity == "error"]
    wrong = {checked.path(found.place) for found in errors}
    right = [path for path in _files(checked) if path not in wrong]
    counts = {"tests": str(len(errors) + len(right)), "failures": str(len(errors)), "errors": "0"}
    suites = ET.Element("testsuites", counts)
    suite = ET.SubElement(suites, "testsuite", {"name": f"octoplan {checked.command}", **counts, "skipped": "0"})
    for found in errors:
        _failed_case(suite, found, checked)
    for path in right:
        _passed_case(suite, path, [found for found in checked.findings if checked.path(found.place) == path])
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _files(checked: Checked) -> list[str]:
    """Every file that was looked at, or is found in; one case stands for a project without any."""
    named = [checked.path(Place(name)) for name in checked.files]
    return sorted({*named, *(checked.path(found.place) for found in checked.findings)}) or [checked.path(None)]


def _failed_case(suite: ET.Element, found: Finding, checked: Checked) -> None:
    path = checked.path(found.place)
    line = f" line {found.place.line}" if found.place and found.place.line else ""
    case = ET.SubElement(suite, "testcase", {"classname": _xml(path), "name": found.code + line, "file": _xml(path)})
    failure = ET.SubElement(case, "failure", {"type": found.code, "message": _xml(found.detail)})
    failure.text = _xml(_text(found))


def _passed_case(suite: ET.Element, path: str, warnings: Sequence[Finding]) -> None:
    case = ET.SubElement(suite, "testcase", {"classname": _xml(path), "name": "no errors", "file": _xml(path)})
    if warnings:
        ET.SubElement(case, "system-out").text = _xml("\n\n".join(map(_text, warnings)))


def _text(found: Finding) -> str:
    lines = [f"{found.severity.capitalize()}: {found.summary} [{found.code}]", str(found.place or ""), found.detail]
    return "\n".join([*filter(None, lines), *([f"hint: {found.hint}"] if found.hint else [])])


def _xml(text: str) -> str:
    return _NOT_XML.sub("·", text)


def render_sarif(checked: Checked) -> str:
    """One run, with the rules that were broken and a result for each finding."""
    rules = {found.code: found for found in checked.findings}
    driver = {
        "name": "octoplan",
        "version": __version__,
        "rules": [_sarif_rule(found) for _, found in sorted(rules.items())],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(found, checked) for found in checked.findings],
    }
    return _json({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]})


def _sarif_rule(found: Finding) -> dict[str, Any]:
    return {
        "id": found.code,
        "shortDescription": {"text": found.summary},
        "defaultConfiguration": {"level": found.severity},
    }


def _sarif_result(found: Finding, checked: Checked) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(checked.path(found.place), errors="replace")}}
    if found.place and found.place.line:
        column = {"startColumn": found.place.column} if found.place.column else {}
        place["region"] = {"startLine": found.place.line, **column}
    text = f"{found.detail} Hint: {found.hint}" if found.hint else found.detail
    return {
        "ruleId": found.code,
        "level": found.severity,
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
    }


def render_code_quality(checked: Checked) -> str:
    """GitLab's list: a finding keeps its fingerprint while lines around it move."""
    seen: Counter[str] = Counter()
    return _json([_issue(found, checked, seen) for found in checked.findings])


def _issue(found: Finding, checked: Checked, seen: Counter[str]) -> dict[str, Any]:
    path = checked.path(found.place)
    name = f"{found.code}\0{path}\0{found.detail}"
    seen[name] += 1
    line = found.place.line if found.place and found.place.line else 1
    return {
        "description": found.detail,
        "check_name": found.code,
        "fingerprint": hashlib.sha256(f"{name}\0{seen[name]}".encode("utf-8", "replace")).hexdigest(),
        "severity": _SEVERITIES[found.severity],
        "location": {"path": path, "lines": {"begin": line}},
    }


def _json(document: Any) -> str:
    return json.dumps(document, indent=2) + "\n"


REPORTS: Final[Mapping[str, Callable[[Checked], str]]] = {
    "junit": render_junit,
    "sarif": render_sarif,
    "codequality": render_code_quality,
}
"""What renders each kind."""
