"""A time on the recipients' own clocks: what may be written, and which instants it is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from octoplan.campaign.project import load_campaigns, load_project
from octoplan.campaign.recipient_time import RecipientTime
from octoplan.campaign.resolve import Campaign
from octoplan.diagnostics import Finding
from octoplan.values.local_time import ClockChange, parse_written_time
from tests.unit.plan.projects import CAMPAIGN, write_project

TEN = RecipientTime(parse_written_time("2027-03-22T10:00"))
SPAIN = ("Atlantic/Canary", "Europe/Madrid")


def load(root: Path, schedule: str) -> tuple[list[Campaign], list[Finding]]:
    write_project(root, [], campaign=f"{CAMPAIGN}schedule: {{{schedule}}}\n")
    project, _ = load_project(root)
    assert project is not None
    return load_campaigns(project)


def test_it_is_written_beside_the_time(tmp_path: Path) -> None:
    """The project's zone has no say in it; no instant of the campaign as a whole could be taken for it."""
    schedule = 'at: "2027-03-22T10:00", recipient_local: true, elsewhere: Europe/Paris, clock_change: later'
    ((campaign,), found) = load(tmp_path, schedule)
    assert found == []
    assert campaign.send_at is None
    assert campaign.recipient_time == RecipientTime(parse_written_time("2027-03-22T10:00"), "later", "Europe/Paris")


def test_not_after_stays_one_instant_for_all(tmp_path: Path) -> None:
    """It is about the run: local time in the project's zone."""
    ((campaign,), _) = load(tmp_path, 'at: "2027-03-22T10:00", recipient_local: true, not_after: "2027-03-24T10:00"')
    assert campaign.not_after == datetime(2027, 3, 24, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "line", "says"),
    [
        ("recipient_local: true", "recipient_local", "needs a time"),
        ('at: "2027-03-22T10:00+01:00", recipient_local: true', '"2027-03-22T10:00+01:00"', "one instant"),
        ('at: "2027-03-22T10:00Z", recipient_local: true', '"2027-03-22T10:00Z"', "one instant"),
        ('at: "2027-03-22T10:00", recipient_local: true, timezone: Europe/Paris', "timezone", "a zone of his own"),
        ('at: "2027-03-22T10:00", elsewhere: Europe/Paris', "elsewhere", "only `recipient_local`"),
    ],
)
def test_what_contradicts_it_is_refused_at_its_place(tmp_path: Path, schedule: str, line: str, says: str) -> None:
    """No campaign, and one finding that says what does not go together."""
    campaigns, (found,) = load(tmp_path, schedule)
    assert campaigns == []
    assert (found.code, found.severity) == ("campaign/recipient-time", "error")
    assert says in found.detail
    assert found.place is not None
    assert found.place.snippet is not None
    assert found.place.column is not None
    assert found.place.snippet[found.place.column - 1 :].startswith(line)


@pytest.mark.parametrize(
    ("zones", "hour"),
    [(("Europe/Paris",), 9), (SPAIN, 10), (("America/New_York", "Pacific/Honolulu"), 20), (("Pacific/Noumea",), -1)],
)
def test_the_zone_that_comes_last_decides(zones: tuple[str, ...], hour: int) -> None:
    """A Spaniard on the mainland gets it at eleven, so that nobody on the islands gets it at nine."""
    instant = TEN.instant_for(zones)
    assert instant is not None
    assert (instant - datetime(2027, 3, 22, tzinfo=UTC)).total_seconds() == hour * 3600
    assert set(TEN.last_of(zones)) < set(zones) or len(zones) == 1


def test_a_number_that_tells_no_zone_has_the_one_that_is_written_for_it(tmp_path: Path) -> None:
    """Without one there is no instant; where the number tells its zones they count."""
    assert TEN.instant_for(()) is None
    there = RecipientTime(TEN.written, elsewhere="America/New_York")
    assert there.instant_for(()) == datetime(2027, 3, 22, 14, tzinfo=UTC)
    assert there.instant_for(SPAIN) == TEN.instant_for(SPAIN)


@pytest.mark.parametrize(
    ("written", "choice", "hour"),
    [
        ("2027-03-28T02:30", "refuse", None),
        ("2027-03-28T02:30", "earlier", "00:30"),
        ("2027-03-28T02:30", "later", "01:30"),
        ("2027-10-31T02:30", "refuse", None),
        ("2027-10-31T02:30", "earlier", "00:30"),
        ("2027-10-31T02:30", "later", "01:30"),
    ],
)
def test_clocks_that_change_are_asked_about_zone_by_zone(written: str, choice: ClockChange, hour: str | None) -> None:
    """Refused in Paris, or read by the rule; in Tokyo, where no clock changes, it is what it is."""
    time = RecipientTime(parse_written_time(written), choice)
    instant = time.instant_for(("Europe/Paris",))
    assert (None if instant is None else f"{instant:%H:%M}") == hour
    assert (time.is_unclear_in("Europe/Paris"), time.is_unclear_in("Asia/Tokyo")) == (True, False)
    assert time.instant_for(("Asia/Tokyo",)) is not None
    # One zone that is refused is enough: nobody may be written to at a time that somebody has to choose first.
    assert (time.instant_for(("Asia/Tokyo", "Europe/Paris")) is None) == (choice == "refuse")
