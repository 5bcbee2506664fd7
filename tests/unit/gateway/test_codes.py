"""The table of the API's codes: complete, useful, and shown as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from octoplan.gateway.codes import CODES, DUPLICATE_CODES, UNLISTED, explain, read_code
from octoplan.gateway.outcomes import ERRORS, REFUSING_STATUSES
from octoplan.gateway.port import NotSent, RefusalClass

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "api-errors.md"
KNOWN = (
    set(range(100, 134))
    | {134, 139, 142, 150, 151, 152, 153, 181, 182, 189}
    | set(range(201, 211))
    | {300, 301, 302, 303, 304, 305, 306, 308, 400, 401, 403, 438, 500, 501, 1340, 1341}
)


def test_every_known_code_has_an_entry() -> None:
    """Each code that any source names is in the table, and no other: an invented one would hide a real surprise."""
    assert set(CODES) == KNOWN


def test_every_entry_says_what_to_do() -> None:
    """A meaning without a full stop fits into a sentence; a hint is a sentence of its own."""
    for code, entry in {**CODES, 0: UNLISTED}.items():
        assert entry.meaning, code
        assert not entry.meaning.endswith("."), code
        assert entry.hint.endswith("."), code


def test_codes_for_a_repetition() -> None:
    """Sources disagree about the code, so four of them mean "seen before"."""
    assert {120, 132, 133, 182} == DUPLICATE_CODES


@pytest.mark.parametrize("code", [-1, 0, 1, 135, 999, 123456])
def test_an_unlisted_code_stops_the_run(code: int) -> None:
    """What nobody has documented is for a person to look at."""
    assert explain(code).kind is RefusalClass.UNCLEAR


@pytest.mark.parametrize(
    ("written", "code"),
    [
        *[(121, 121), ("121", 121), ("000", 0), (0, 0)],
        *[(text, None) for text in ("", "12a", " 121", "-1", "1234567", "1" * 5000, "\u0661\u0662\u0661")],
        *[(value, None) for value in (True, None, 1.0, [121], -1, 1234567)],
    ],
)
def test_a_code_is_read_as_number_or_text(written: object, code: int | None) -> None:
    """Old lists write codes as text with zeros in front; nothing else is guessed at."""
    assert read_code(written) == code


def row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def test_the_page_shows_the_tables() -> None:
    """`docs/reference/api-errors.md` has a row for each code, status and error, in order and in the table's words."""
    codes = [row(code, kind, meaning, hint) for code, (kind, meaning, hint) in sorted(CODES.items())]
    statuses = [row(status, kind, meaning, hint) for status, (kind, meaning, hint) in sorted(REFUSING_STATUSES.items())]
    errors = [
        row(f"`{error.__name__}`", "not sent" if isinstance(outcome, NotSent) else "unknown", outcome.reason)
        for error, outcome in ERRORS.items()
    ]
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if re.match(r"\| [0-9`]", line)] == codes + statuses + errors
