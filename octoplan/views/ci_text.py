"""
What CI systems take from a command besides its exit code: annotations, outputs of a step, variables of later jobs.

Invariant: no value can end what it stands in, so none can become an annotation, a key or a variable of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from octoplan.diagnostics import ExitCode, Finding
from octoplan.plan.model import Plan, Reason
from octoplan.views.finding_reports import Checked

ANNOTATIONS_MAX: Final = 10
"""GitHub shows so many errors of a step, and so many warnings."""
_DATA: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def figures(plan: Plan | None, exit_code: int, plan_file: str = "") -> dict[str, str]:
    """
    What later steps decide by. The text is empty where nothing is known: unknown is never 0.

    `blocked` counts the campaigns that apply would refuse.
    """
    blocked = [action for action in plan.actions if any(map(_is_refusal, action.reasons))] if plan else []
    return {
        "exit_code": str(int(exit_code)),
        "has_changes": "true" if plan and plan.sending else "false",
        "messages": str(plan.recipients) if plan else "",
        "requests": str(plan.requests) if plan else "",
        "cost": str(plan.cost) if plan and plan.cost is not None else "",
        "blocked": str(len(blocked)) if plan else "",
        "plan_file": plan_file,
    }


def _is_refusal(reason: Reason) -> bool:
    return reason.exit_code is not ExitCode.DONE


def annotation_lines(checked: Checked) -> Iterator[str]:
    """The worst ten as lines that GitHub shows beside the code."""
    worst = sorted(checked.findings, key=lambda found: found.severity)
    for found in worst[:ANNOTATIONS_MAX]:
        yield f"::{found.severity} {_properties(found, checked)}::{_message(found)}"


def _properties(found: Finding, checked: Checked) -> str:
    place = found.place
    values = {
        "file": checked.path(place),
        "line": place.line if place else None,
        "col": place.column if place else None,
        "title": f"{found.summary} [{found.code}]",
    }
    return ",".join(f"{name}={str(value).translate(_PROPERTY)}" for name, value in values.items() if value is not None)


def _message(found: Finding) -> str:
    return (f"{found.detail}\nhint: {found.hint}" if found.hint else found.detail).translate(_DATA)


def github_output(values: Mapping[str, str], delimiter: str) -> str:
    """Lines for `$GITHUB_OUTPUT`; `delimiter` is random, so no value can hold it and go on with a key of its own."""
    return "".join(f"{name}<<{delimiter}\n{value}\n{delimiter}\n" for name, value in values.items())


def render_dotenv(values: Mapping[str, str]) -> str:
    """GitLab's dotenv report: one variable a line, without quotes; the names say whose they are."""
    return "".join(f"OCTOPLAN_{name.upper()}={_one_line(value)}\n" for name, value in values.items())


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "·" for character in text)
