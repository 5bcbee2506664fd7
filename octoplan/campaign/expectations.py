"""
What people may write in `tests/*.yaml`: contacts that nobody has, and what a campaign is expected to make of them.

A test file is as untrusted as a campaign file, and read by the same means. Whatever is not written is not looked at.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from octoplan.campaign.model import (
    Amount,
    Count,
    Identifier,
    Line,
    Positive,
    Region,
    Strict,
    VariableText,
    WrittenTime,
)
from octoplan.limits import TEST_CASES_MAX, TEST_CONTACTS_MAX, VAR_CHARACTERS_MAX

LEFT_OUT: Final = (
    "ambiguous-number",
    "duplicate",
    "empty-number",
    "faulty-row",
    "invalid-number",
    "not-allowed",
    "not-mobile",
    "not-sampled",
    "not-selected",
    "over-limit",
    "overseas-number",
    "spreadsheet-number",
    "suppressed",
    "unsafe-value",
)


def _check_cell(text: str) -> str:
    if len(text) > VAR_CHARACTERS_MAX:
        raise ValueError(f"it is longer than {VAR_CHARACTERS_MAX} characters")
    return text


def _check_reason(text: str) -> str:
    if text not in LEFT_OUT:
        raise ValueError(f"it is none of the reasons of a plan: {', '.join(LEFT_OUT)}")
    return text


Cell = Annotated[str, AfterValidator(_check_cell), WithJsonSchema({"type": ["string", "number", "boolean"]})]
"""A field of a contact, as a file of contacts would have it; `""` for an empty one."""
LeftOut = Annotated[str, AfterValidator(_check_reason), WithJsonSchema({"enum": list(LEFT_OUT)})]
"""Why a contact gets nothing, in the words of a plan."""
Price = Annotated[Amount, Field(gt=0)]


class ContactCase(Strict):
    """One row of the list, made up, and what its recipient is expected to get."""

    row: dict[Line, Cell]
    """Column and value, as the campaign's own file has them; columns that are not named are empty."""
    text: VariableText | None = None
    """The whole message as it arrives."""
    parts: Positive | None = None
    """How many parts of it are billed."""
    encoding: Literal["GSM-7", "UCS-2"] | None = None
    country: Region | None = None
    left_out: LeftOut | None = None
    """Why the row gets nothing."""


class Expected(Strict):
    """What the plan as a whole is expected to say."""

    action: Literal["send", "scheduled", "blocked"] | None = None
    """What apply would do, were it the first."""
    recipients: Count | None = None
    parts: Count | None = None
    """Billed parts of all messages together."""
    requests: Count | None = None
    """Requests to the API."""
    cost: Amount | None = None
    """By the `prices` of the test."""
    left_out: dict[LeftOut, Count] | None = None
    """Reason and number of rows, all of them; `{}` for nobody."""
    findings: tuple[Line, ...] | None = None
    """The ids of all rules that validate and plan report, in any order; `[]` for none."""
    blocked_by: tuple[Line, ...] | None = None
    """The codes of all reasons for which apply would not send, in any order; `[]` for none."""


class CaseHead(Strict):
    """What a test is called."""

    name: Line
    """What is expected, in a sentence."""


class Given(Strict):
    """What is so while a campaign is tested."""

    environment: Identifier | None = None
    """Whose limits, hours and allow-list hold; default: the project's `default_environment`."""
    now: WrittenTime | None = None
    """
    When the plan is made, in the campaign's time zone; default: an hour before its `at` or `not_after`, else noon of
    Tuesday, 12 January 2027. The real time plays no part.
    """
    prices: dict[Region, Price] = Field(default_factory=dict)
    """What one part costs, by country."""
    suppressed: tuple[Cell, ...] = Field(default=(), max_length=TEST_CONTACTS_MAX)
    """Numbers on the suppression list; the project's own lists are not read."""


class Case(Given, CaseHead):  # fields of the last base come first
    """One test: a plan of the campaign for a few contacts."""

    contacts: tuple[ContactCase, ...] = Field(min_length=1, max_length=TEST_CONTACTS_MAX)
    expect: Expected = Expected()


class TestHead(Strict):
    """What a file is about."""

    campaign: Identifier
    """The id of the campaign."""


class TestFile(Given, TestHead):
    """One file of `tests/`. What it says about the time, prices and so on holds for tests that do not say."""

    tests: tuple[Case, ...] = Field(min_length=1, max_length=TEST_CASES_MAX)
