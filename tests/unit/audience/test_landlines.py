from __future__ import annotations

from pathlib import Path

import pytest

from octoplan.audience.phone_rules import BULK_ROWS
from octoplan.diagnostics import Place

from .conftest import Write
from .support import problems, see, stop

FEW = (
    "0612340001",
    "01 99 00 12 34",
    "0199001235 x1",
    "+442079460123",
    "0892000000",
    "+1 202 555 0123",
    "0199001234",
    "",
)


@pytest.fixture(params=["few", "many"])
def contacts(request: pytest.FixtureRequest, write: Write) -> Path:
    """The same people read by the library, and by the query: enough rows that it pays."""
    filling = BULK_ROWS if request.param == "many" else 0
    return write("mobile;name\n" + "".join(f"{phone};x\n" for phone in (*FEW, *["12345"] * filling)))


def test_left_out_and_counted(contacts: Path) -> None:
    """Unless the campaign says so nobody with a landline is written to; each such row is counted, with its line."""
    seen = see(contacts)
    assert seen.phones == {"+33612340001", "+12025550123"}
    assert seen.reasons["not-mobile"] == 4
    assert seen.examples["not-mobile"] == (3, 5, 6, 8)
    assert (seen.reasons["ambiguous-number"], seen.reasons["empty-number"]) == (1, 1)
    assert seen.audience.rows == seen.audience.recipients + sum(seen.reasons.values())
    assert seen.warnings == []


def test_kept_with_a_warning(contacts: Path) -> None:
    """A campaign can write to landlines all the same: one recipient a number, and a warning counts the rows."""
    seen = see(contacts, landlines=True, places=Place)
    assert seen.phones == {"+33612340001", "+33199001234", "+442079460123", "+33892000000", "+12025550123"}
    assert "not-mobile" not in seen.reasons
    assert (seen.reasons["ambiguous-number"], seen.reasons["empty-number"], seen.reasons["duplicate"]) == (1, 1, 1)
    (finding,) = seen.audience.findings
    assert (finding.code, finding.severity) == ("audience/kept-landlines", "warning")
    assert finding.detail.startswith(f"4 of {seen.audience.rows} rows")
    assert str(finding.place) == "recipients.on_landline"


def test_no_warning_for_nothing(write: Write) -> None:
    """Keeping landlines of a list that has none is worth no word."""
    assert see(write("mobile\n0612340001\n"), landlines=True).warnings == []


def test_counted_once_when_a_list_is_read_again(write: Write) -> None:
    """A faulty row far down makes octoplan read the list anew; the count of the first attempt is forgotten."""
    rows = "0199001234;x\n" * (3 * BULK_ROWS)
    seen = see(write(f"mobile;name\n{rows}0612340001\n"), landlines=True)
    assert seen.reasons == {"duplicate": 3 * BULK_ROWS - 1, "faulty-row": 1}
    assert seen.audience.findings[0].detail.startswith(f"{3 * BULK_ROWS} of {3 * BULK_ROWS + 1} rows")


def test_landline_on_a_list_suppresses(contacts: Path, write: Write) -> None:
    """Suppression lists do not ask what kind of line a number is, nor warn of it."""
    lists = (stop(write("0199001234\n+44 20 7946 0123\n", "stop.csv")),)
    seen = see(contacts, landlines=True, suppressions=lists)
    assert seen.reasons["suppressed"] == 2
    assert not seen.phones & {"+33199001234", "+442079460123"}
    assert see(contacts, suppressions=lists).warnings == []


def test_landline_of_the_allow_list(contacts: Path) -> None:
    """An allow-list may name a landline; whether it is written to is the campaign's word."""
    allowed = {"allow_numbers": ("+33199001234",)}
    assert problems(contacts, **allowed) == []
    assert see(contacts, **allowed).phones == set()
    assert see(contacts, landlines=True, **allowed).phones == {"+33199001234"}
