"""
What became of the tests of campaigns: for people, for programs, and as JUnit XML for CI systems.

Texts are those of made-up contacts, so they are shown in full; a text that differs is shown as a word diff.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final
from xml.etree import ElementTree as ET

from octoplan.rehearsal import CaseResult, FileResult, Mismatch
from octoplan.views.problems import clean, render_findings
from octoplan.views.text import count, paint

_WORDS: Final = re.compile(r"\s+|[^\s]+")
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_tests(results: Sequence[FileResult], *, colour: bool) -> str:
    """Every test on a line, those that failed with what differs; the totals last."""
    blocks = ["\n".join(_render_file(result, colour=colour)) + "\n" for result in results]
    return "\n".join([*blocks, summary(results) + "\n"])


def summary(results: Sequence[FileResult]) -> str:
    """`12 tests passed, 1 failed`, and how many files could not be used."""
    cases = [case for result in results for case in result.cases]
    failed = sum(not case.passed for case in cases)
    unusable = sum(not result.passed and not result.cases for result in results)
    said = f"{count(len(cases) - failed, 'test')} passed, {failed} failed"
    return said + (f", {count(unusable, 'file')} cannot be used" if unusable else "")


def _render_file(result: FileResult, *, colour: bool) -> Iterator[str]:
    yield paint(result.file, "strong", colour=colour)
    yield from _indented(render_findings(result.findings, colour=colour))
    for case in result.cases:
        mark = paint("ok  ", "good", colour=colour) if case.passed else paint("FAIL", "bad", colour=colour)
        yield f"  {mark}  {clean(case.name)}"
        yield from _indented(render_findings(case.findings, colour=colour))
        for mismatch in case.mismatches:
            yield from _render_mismatch(mismatch, colour=colour)


def _indented(text: str) -> Iterator[str]:
    return (f"        {line}".rstrip() for line in text.splitlines())


def _render_mismatch(mismatch: Mismatch, *, colour: bool) -> Iterator[str]:
    yield f"        {mismatch.place}  {mismatch.what}"
    yield from (f"          {line}" for line in _explain(mismatch, colour=colour))


def _explain(mismatch: Mismatch, *, colour: bool) -> Iterator[str]:
    expected, actual = visible(mismatch.expected), visible(mismatch.actual)
    yield f"expected  {expected}"
    yield f"actual    {actual}"
    if mismatch.what.endswith(": text") and len(expected.split()) > 1:
        yield f"differs   {word_diff(expected, actual, colour=colour)}"


def visible(text: str) -> str:
    """A text on one line, with what cannot be seen by its number."""
    return "".join(character if clean(character) == character else f"<U+{ord(character):04X}>" for character in text)


def word_diff(expected: str, actual: str, *, colour: bool) -> str:
    """`Bonjour [-Camille,-]{+Noa,+} bienvenue`: what is missing and what came instead, as git shows it."""
    before, after = _WORDS.findall(expected), _WORDS.findall(actual)
    shown = []
    for kind, first, last, start, end in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        gone, come = "".join(before[first:last]), "".join(after[start:end])
        if kind == "equal":
            shown.append(gone)
            continue
        shown += [paint(f"[-{gone}-]", "bad", colour=colour)] if gone else []
        shown += [paint(f"{{+{come}+}}", "good", colour=colour)] if come else []
    return "".join(shown)


# --- for programs -----------------------------------------------------------------------------------------------------


def render_tests_json(results: Sequence[FileResult]) -> str:
    """One object a file, in the order in which they ran."""
    document = {"version": 1, "passed": all(each.passed for each in results), "files": list(map(_file_data, results))}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _file_data(result: FileResult) -> dict[str, Any]:
    return {
        "file": result.file,
        "passed": result.passed,
        "findings": [{"code": each.code, "place": str(each.place), "detail": each.detail} for each in result.findings],
        "tests": [_case_data(case) for case in result.cases],
    }


def _case_data(case: CaseResult) -> dict[str, Any]:
    return {
        "name": case.name,
        "line": case.place.line,
        "passed": case.passed,
        "findings": [{"code": each.code, "place": str(each.place), "detail": each.detail} for each in case.findings],
        "mismatches": [
            {"what": each.what, "line": each.place.line, "expected": each.expected, "actual": each.actual}
            for each in case.mismatches
        ],
    }


def render_tests_junit(results: Sequence[FileResult]) -> str:
    """JUnit XML as GitHub's and GitLab's test reports read it: a suite a file, a case a test."""
    root = ET.Element("testsuites", name="octoplan test")
    for result in results:
        unusable = bool(result.findings) and not result.cases
        failures = sum(not case.passed for case in result.cases)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=result.file,
            tests=str(len(result.cases) or int(unusable)),
            failures=str(failures),
            errors=str(int(unusable)),
        )
        for case in result.cases:
            _add_case(suite, result, case)
        if unusable:
            element = ET.SubElement(suite, "testcase", name="the file", classname=result.file, file=result.file)
            _add_text(element, "error", "the file cannot be used", render_findings(result.findings, colour=False))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _add_case(suite: ET.Element, result: FileResult, case: CaseResult) -> None:
    element = ET.SubElement(
        suite, "testcase", name=_xml(case.name), classname=result.file, file=result.file, time=f"{case.seconds:.3f}"
    )
    if case.place.line is not None:
        element.set("line", str(case.place.line))
    if case.findings:
        _add_text(element, "failure", "it cannot be planned", render_findings(case.findings, colour=False))
    if case.mismatches:
        lines = [line for each in case.mismatches for line in _render_mismatch(each, colour=False)]
        _add_text(element, "failure", ", ".join(each.what for each in case.mismatches), "\n".join(lines))


def _add_text(element: ET.Element, tag: str, message: str, text: str) -> None:
    ET.SubElement(element, tag, message=_xml(message)).text = _xml(text)


def _xml(text: str) -> str:
    """Without characters that XML cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
