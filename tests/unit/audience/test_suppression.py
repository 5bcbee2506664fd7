from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from octoplan.audience.readers.source import Source, SourceFile
from octoplan.audience.resolve import AudienceSpec, resolve_audience
from octoplan.audience.suppression import SuppressionSpec
from octoplan.meter import Meter

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
    """Without its list nothing is resolved: a missing or undecodable list is an error."""
    assert problems(contacts, suppressions=(stop(tmp_path / "gone.csv"),)) == ["audience/missing-file"]
    broken = write("0612340001\n".encode("utf-16-le"), "broken.csv")
    assert problems(contacts, suppressions=(stop(broken),)) == ["audience/unreadable-text"]
    (finding,) = findings(contacts, suppressions=(stop(write("0612340001\n", "fr.csv"), region="UK"),))
    assert (finding.code, finding.hint) == ("audience/unknown-region", "the United Kingdom is `GB`")


@pytest.mark.parametrize("phone", [None, "mobile"])
@pytest.mark.parametrize("content", ["mobile\n", "mobile", "\ufeffmobile\r\n\r\n"])
def test_nobody_has_said_stop_yet(contacts: Path, write: Write, content: str, phone: str | None) -> None:
    """A list of a header alone takes nobody off, and that is nothing to warn of."""
    seen = see(contacts, suppressions=(stop(write(content, "stop.csv"), phone=phone),))
    assert (seen.reasons, seen.warnings) == ({}, [])


@pytest.mark.parametrize("phone", [None, "mobile"])
@pytest.mark.parametrize(
    ("name", "content"),
    [("stop.csv", b""), ("stop.csv", b"\n\n"), ("stop.csv.gz", gzip.compress(b"", mtime=0)), ("stop.json", b"[]")],
)
def test_empty_list_is_a_warning(contacts: Path, write: Write, name: str, content: bytes, phone: str | None) -> None:
    """It may be right, or an export that went wrong; a list of contacts without a header stays an error."""
    seen = see(contacts, suppressions=(stop(write(content, name), phone=phone),))
    assert (seen.reasons, seen.warnings) == ({}, ["audience/empty-suppression"])
    assert problems(write(content, f"contacts-{name}")) == ["audience/empty-file"]


def test_empty_file_beside_others_hides_none_of_them(contacts: Path, write: Write) -> None:
    """Of several files of one list those that hold numbers count."""
    files = tuple(
        SourceFile(write(content, name), name)
        for name, content in (("a.csv", "mobile\n0612340001\n"), ("b.csv", ""), ("c.csv", "mobile\n0612340002\n"))
    )
    seen = see(contacts, suppressions=(SuppressionSpec(Source("*.csv", files)),))
    assert (seen.reasons, seen.warnings) == ({"suppressed": 2}, ["audience/empty-suppression"])


def test_progress_is_told_as_rows_go_by(contacts: Path, write: Write) -> None:
    """A list of millions shows that it moves: entries are told in pieces, all of them in the end."""
    entries = "numero\n" + "".join(f"06{n:08d}\n" for n in range(200_000))
    heard: list[tuple[str, int]] = []
    meter = Meter(lambda stage, rows, _: heard.append((stage, rows)))
    spec = AudienceSpec(
        Source.of_file(contacts, "contacts.csv"), "mobile", "FR", suppressions=(stop(write(entries, "stop.csv")),)
    )
    with resolve_audience(spec, meter):
        pass
    told = [rows for name, rows in heard if name == "suppression"]
    assert len(set(told)) > 3
    assert max(told) == 200_000
