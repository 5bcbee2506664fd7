"""
Everything that can go wrong for a user, as one tree; each class has its exit code.

    OctoplanError                     1   unclassified
    ├── InvalidInput                  3   usage, configuration, validation; carries findings
    ├── AuthenticationFailed          4   wrong key, or the wrong account
    ├── Blocked                       5   policy, budget or limit; carries findings
    ├── StalePlan                     6   expired, tampered, moved, or for another environment
    ├── StateUnavailable              7   lease held, or state home not reachable
    ├── OutsideWindow                 8   past `not_after`, or outside the sending window
    ├── PartialSend                   9   some sent, the rest certainly not
    ├── UnknownOutcome               10   it may have been sent; a person must decide
    ├── ReportFailed                 11   sent and recorded, but a report could not be written
    └── Interrupted             130/143   stopped by a signal, nothing unknown

A stage collects findings and raises once with all of them. A broken invariant of ours is not in this tree: it is a bug
and keeps its traceback. Rendered in `views/problems.py`, caught in `cli/main.py`, nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

Severity = Literal["error", "warning"]


class ExitCode(IntEnum):
    """What the process tells its caller; the table is in `docs/reference/exit-codes.md`."""

    DONE = 0
    UNCLASSIFIED = 1
    CHANGES = 2
    INVALID = 3
    AUTHENTICATION = 4
    BLOCKED = 5
    STALE = 6
    STATE = 7
    WINDOW = 8
    PARTIAL = 9
    UNKNOWN = 10
    REPORT = 11
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where in a file something is. `line` and `column` count from 1; `None` means the file as a whole.

    `snippet` is the line's text as a person may see it, `width` how many of its characters to underline. A line of a
    contacts file never becomes a snippet: it holds personal data.
    """

    file: str
    line: int | None = None
    column: int | None = None
    snippet: str | None = None
    width: int = 1

    def __str__(self) -> str:
        """`file:line:column`, as editors and CI systems read it."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that is wrong with what a user wrote, made by `Rule.at`.

    `summary` is always the same for the code; `detail` is about this case. `hint` is the next step, if there is one.
    """

    code: str
    summary: str
    severity: Severity
    detail: str
    place: Place | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """
    A kind of finding with a stable code such as `campaign/unknown-field`; each stage lists its own in `rules.py`.

    `source` says who asks for it; the rules of octoplan's own files and formats have none but octoplan.
    """

    code: str
    summary: str
    severity: Severity = "error"
    source: str = "octoplan"

    def at(self, place: Place | None, detail: str, hint: str | None = None) -> Finding:
        """Report this rule as broken at `place`."""
        return Finding(self.code, self.summary, self.severity, detail, place, hint)


class OctoplanError(Exception):
    """
    Something a user can cause or must know. `message` is one sentence; `hint` the next step.

    Never holds a phone number, a name, a merge value or a key: it is printed and logged as it is.
    """

    exit_code: ExitCode = ExitCode.UNCLASSIFIED

    def __init__(self, message: str, *, hint: str | None = None, findings: Iterable[Finding] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.findings = tuple(findings)


class InvalidInput(OctoplanError):
    """A file, a flag or a setting cannot be used as it is."""

    exit_code = ExitCode.INVALID


class AuthenticationFailed(OctoplanError):
    """The API refused the credentials, or they belong to another account than the environment declares."""

    exit_code = ExitCode.AUTHENTICATION


class Blocked(OctoplanError):
    """The plan is sound but a policy, budget or limit forbids to apply it."""

    exit_code = ExitCode.BLOCKED


class StalePlan(OctoplanError):
    """A saved plan no longer describes what apply would do."""

    exit_code = ExitCode.STALE


class StateUnavailable(OctoplanError):
    """The lease is held by somebody else, or the state home cannot be read or written."""

    exit_code = ExitCode.STATE


class OutsideWindow(OctoplanError):
    """The time to send has passed or has not come."""

    exit_code = ExitCode.WINDOW


class PartialSend(OctoplanError):
    """Some batches were sent, the rest certainly not."""

    exit_code = ExitCode.PARTIAL


class UnknownOutcome(OctoplanError):
    """A request may have been accepted and nothing can tell; a person must decide with `octoplan recover`."""

    exit_code = ExitCode.UNKNOWN


class ReportFailed(OctoplanError):
    """Everything was sent and recorded, but an output could not be written."""

    exit_code = ExitCode.REPORT


class Interrupted(OctoplanError):
    """SIGINT or SIGTERM arrived; what was begun was finished and recorded."""

    exit_code = ExitCode.INTERRUPTED

    def __init__(self, message: str, *, terminated: bool, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        if terminated:
            self.exit_code = ExitCode.TERMINATED


def require_no_errors(findings: Iterable[Finding], message: str) -> tuple[Finding, ...]:
    """
    Return the findings if all are warnings.

    :raises InvalidInput: with every finding, warnings included, if one is an error.
    """
    found = tuple(findings)
    if any(finding.severity == "error" for finding in found):
        raise InvalidInput(message, findings=found)
    return found
