from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Write
from .support import findings, problems, see, stop

NUMBERS = "mobile\n" + "".join(f"06123400{number:02d}\n" for number in range(1, 7))


@pytest.fixture
def contacts(write: Write) -> Path:
    return write(NUMBERS)


@pytest.mark.parametrize(
    "content",
    [
        "0612340001\n+33 6 12 34 00 02\n",
        "numero\n0033612340001\n06.12.34.00.02",
        'numero\r\n"06 12 34 00 01"\r\n\r\n"(06) 12 34 00 02"\r\n',
        "\ufeff0612340001\n0612340002\n",
        "\n\n612340001\n0612340002\n0612340002\n",
    ],
)
def test_one_number_a_line(contacts: Path, write: Write, content: str) -> None:
    """With or without header, quotes, blank lines or a byte-order mark, in any spelling: the numbers get nothing."""
    seen = see(contacts, suppressions=(stop(write(content, "stop.csv")),))
    assert seen.reasons == {"suppressed": 2}
    assert seen.examples == {"suppressed": (2, 3)}
    assert seen.warnings == []


def test_column_of_a_table(contacts: Path, write: Write) -> None:
    """A list with several columns names the one with the numbers."""
    path = write("date;Téléphone\n2026-01-01;06 12 34 00 03\n", "stop.csv")
    assert see(contacts, suppressions=(stop(path, phone="Téléphone"),)).reasons == {"suppressed": 1}
    assert problems(contacts, suppressions=(stop(path),)) == ["audience/suppression-column"]
    assert problems(contacts, suppressions=(stop(path, phone="mobile"),)) == ["audience/missing-column"]


def test_several_lists_with_regions_of_their_own(contacts: Path, write: Write) -> None:
    """All lists count, each read with its own region or the campaign's."""
    french = stop(write("0612340001\n", "fr.csv"))
    american = stop(write("(202) 555-0123\n", "us.csv"), region="US")
    more = write("mobile\n0612340001\n+12025550123\n+12025550124\n", "more.csv")
    assert see(more, suppressions=(french, american)).phones == {"+12025550124"}


def test_doubtful_entry_still_suppresses(contacts: Path, write: Write) -> None:
    """An entry that would be too doubtful to write to takes its likely number off all the same."""
    path = write("O612340001\n0612340002 x12\n", "stop.csv")
    seen = see(contacts, suppressions=(stop(path),))
    assert seen.reasons == {"suppressed": 2}


def test_unreadable_entries_are_counted_not_shown(contacts: Path, write: Write) -> None:
    """What is no number is a warning with a count, and without what was written."""
    path = write("numero\n0612340001\nMarcel\n\n12\n3,36E+10\n06,12\n", "stop.csv")
    seen = see(contacts, suppressions=(stop(path),))
    (finding,) = seen.audience.findings
    assert finding.code == "audience/unreadable-suppression"
    assert finding.detail == "4 of 5 entries of `stop.csv` could not be read as phone numbers"
    assert "Marcel" not in str(finding)


def test_list_that_cannot_be_read_stops_the_plan(contacts: Path, write: Write, tmp_path: Path) -> None:
    """Without its list nothing is resolved: a missing, empty or undecodable list is an error."""
    assert problems(contacts, suppressions=(stop(tmp_path / "gone.csv"),)) == ["audience/missing-file"]
    assert problems(contacts, suppressions=(stop(write("", "empty.csv")),)) == ["audience/empty-file"]
    broken = write("0612340001\n".encode("utf-16-le"), "broken.csv")
    assert problems(contacts, suppressions=(stop(broken),)) == ["audience/unreadable-text"]
    (finding,) = findings(contacts, suppressions=(stop(write("0612340001\n", "fr.csv"), region="UK"),))
    assert (finding.code, finding.hint) == ("audience/unknown-region", "the United Kingdom is `GB`")
