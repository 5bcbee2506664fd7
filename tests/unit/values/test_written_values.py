"""Senders, names and times as people write them."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from octoplan.values.local_time import find_instants, load_zone, parse_written_time, zone_names
from octoplan.values.names import nearest
from octoplan.values.sender import Sender


@pytest.mark.parametrize("text", ["ACME", "abc", "A12", "4YOU", "Company X", "ABCDEFGHIJK"])
def test_sender(text: str) -> None:
    """3 to 11 letters and digits with a letter among them; spaces inside are known, not refused."""
    assert Sender(text).has_space == (" " in text)


@pytest.mark.parametrize(
    "text", ["", "AB", "ABCDEFGHIJKL", "36111", "Été", "A-B", " ABC", "ABC ", "ABC\n", "1 2 3", "ABC\u00a0D"]
)
def test_sender_that_is_refused(text: str) -> None:
    """Anything else is refused with a sentence about senders."""
    with pytest.raises(ValueError, match=r"^a sender"):
        Sender(text)


@pytest.mark.parametrize(
    ("name", "guess"), [("pth", "path"), ("PATH", "path"), ("phome", "phone"), ("zzz", None), ("p" * 100_000, None)]
)
def test_nearest_name(name: str, guess: str | None) -> None:
    """A misspelt name leads to the known one that is near, ignoring case; a far one to none."""
    assert nearest(name, ["path", "phone"]) == guess


@pytest.mark.parametrize(
    "text", ["2027-03-20T10:00", "2027-03-20T10:00:59", "2027-03-20T10:00Z", "2027-03-20T10:00-05:30"]
)
def test_written_time(text: str) -> None:
    """ISO 8601 to the minute or second, with or without an offset."""
    assert parse_written_time(text) == datetime.fromisoformat(text)


@pytest.mark.parametrize(
    "text",
    [
        "2027-03-20",
        "2027-03-20 10:00",
        "20270320T1000",
        "2027-3-20T10:00",
        "2027-02-30T10:00",
        "2027-03-20T24:00",
        "2027-03-20T10:60",
        "2027-03-20T10:00+0100",
        "2027-03-20T10:00.5",
        "2027-03-20T10:00 ",
        "1999-03-20T10:00",
        "2027-W11-6T10:00",
        "２027-03-20T10:00",
        "now",
    ],
)
def test_written_time_that_is_refused(text: str) -> None:
    """Nothing is guessed: other spellings, days that do not exist and whole days are refused."""
    with pytest.raises(ValueError, match=r"not a time|no such day"):
        parse_written_time(text)


@pytest.mark.parametrize(
    ("zone", "local", "instants"),
    [
        ("Europe/Paris", "2027-03-28T01:59", ["00:59"]),
        ("Europe/Paris", "2027-03-28T02:00", []),
        ("Europe/Paris", "2027-03-28T02:59", []),
        ("Europe/Paris", "2027-03-28T03:00", ["01:00"]),
        ("Europe/Paris", "2027-10-31T02:00", ["00:00", "01:00"]),
        ("Europe/Paris", "2027-10-31T03:00", ["02:00"]),
        ("Asia/Kolkata", "2027-06-01T10:00", ["04:30"]),
        ("Australia/Lord_Howe", "2027-04-04T01:45", ["14:45", "15:15"]),
    ],
)
def test_instants_of_a_local_time(zone: str, local: str, instants: list[str]) -> None:
    """One instant, none in the hour that clocks skip, two in the one that they repeat."""
    found = find_instants(datetime.fromisoformat(local), load_zone(zone))
    assert [instant.astimezone(UTC).strftime("%H:%M") for instant in found] == instants


def test_unknown_zone_names_the_nearest() -> None:
    """Only IANA names are zones; a path into the file system is none."""
    with pytest.raises(ValueError, match=r"did you mean `Europe/Paris`"):
        load_zone("europe/paris")
    for name in ("../../etc/passwd", "/etc/localtime", "", "Europe", "CET+1"):
        with pytest.raises(ValueError, match="IANA"):
            load_zone(name)


def test_every_zone_loads_without_the_machines_own_data() -> None:
    """Zones come from the package, so a machine without zone files knows them all, and an old machine is not asked."""
    code = (
        "import json, zoneinfo; zoneinfo.reset_tzpath([]); from octoplan.values.local_time import *;"
        "print(json.dumps(sorted(load_zone(name).key for name in zone_names())))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert json.loads(shown) == sorted(zone_names())
