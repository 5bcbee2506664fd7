"""Rules on hours on real calendars: slots, holidays, clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from octoplan.rulebook.data import WindowRule, WindowVersion
from octoplan.rulebook.hours import Binding, bindings_of, find_slot, is_holiday, is_open, is_open_throughout

PARIS = ("Europe/Paris",)
RUN = timedelta(minutes=10)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def rule(permitted: dict[str, str], *, level: str = "error") -> WindowRule:
    known = {"source": "a test's own rule", "checked": "2026-11-23", "confidence": "low", "valid_from": "2020-01-01"}
    version = WindowVersion.model_validate({**known, "permitted": permitted})
    return WindowRule.model_validate({"id": "window/test", "level": level, "summary": "x", "versions": [version]})


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2027-03-22T22:10+01:00", "2027-03-23T08:00+01:00"),
        ("2027-03-23T07:59:59+01:00", "2027-03-23T08:00+01:00"),
        ("2027-03-23T08:00+01:00", "2027-03-23T08:00+01:00"),
        ("2027-03-23T19:49:59+01:00", "2027-03-23T19:49:59+01:00"),
        ("2027-03-23T19:50+01:00", "2027-03-24T08:00+01:00"),
        ("2027-03-27T21:40+01:00", "2027-03-30T08:00+02:00"),
    ],
    ids=["night", "second-before", "opening", "just-enough", "run-too-long", "sunday-and-easter-monday"],
)
def test_the_next_slot_in_france(now: str, expected: str) -> None:
    """All rules together: 08:00 to 20:00 without Sundays and holidays; the run has to end before it closes."""
    slot = find_slot(bindings_of("FR", PARIS), at(now), RUN)
    assert slot is not None
    assert slot[0] == at(expected)


def test_a_slot_suits_every_zone_of_a_number() -> None:
    """Spain opens when the Canary Islands do and closes when Madrid does."""
    slot = find_slot(bindings_of("ES", ("Atlantic/Canary", "Europe/Madrid")), at("2027-03-23T08:00+01:00"), RUN)
    assert slot == (at("2027-03-23T10:00+01:00"), at("2027-03-23T20:00+01:00"))


def test_no_slot_where_no_time_suits_everybody() -> None:
    """Paris, Honolulu and Guam are never all awake."""
    bindings = [
        *bindings_of("FR", PARIS),
        *bindings_of("US", ("Pacific/Honolulu",)),
        *bindings_of("GU", ("Pacific/Guam",)),
    ]
    assert find_slot(bindings, at("2027-03-23T08:00+01:00"), timedelta()) is None


def test_without_rules_any_time_will_do() -> None:
    """Now, and as long as we look ahead."""
    now = at("2027-03-23T03:00+01:00")
    slot = find_slot((), now, RUN)
    assert slot is not None
    assert slot[0] == now


def test_the_wall_clock_counts_through_clock_changes() -> None:
    """On the day clocks go forward 08:00 in Paris is an hour earlier for the rest of the world."""
    hours = Binding(rule({"mon-sun": "08:00-21:30"}), "FR", "Europe/Paris")
    before = find_slot([hours], at("2027-03-27T23:00+01:00"), RUN)
    assert before is not None
    assert before == (at("2027-03-28T06:00+00:00"), at("2027-03-28T19:30+00:00"))
    autumn = find_slot([hours], at("2027-10-31T00:00+02:00"), RUN)
    assert autumn == (at("2027-10-31T07:00+00:00"), at("2027-10-31T20:30+00:00"))


def test_days_that_touch_are_one_span() -> None:
    """A run over midnight is inside where both days are open, also in the nights of clock changes."""
    always = Binding(rule({"mon-sun": "00:00-24:00"}), "FR", "Europe/Paris")
    assert is_open_throughout(always, at("2027-03-27T12:00+01:00"), at("2027-03-29T12:00+02:00"))
    assert is_open_throughout(always, at("2027-10-30T12:00+02:00"), at("2027-11-01T12:00+01:00"))
    weekdays = Binding(rule({"mon-fri": "00:00-24:00"}), "FR", "Europe/Paris")
    assert is_open_throughout(weekdays, at("2027-03-25T12:00+01:00"), at("2027-03-26T23:59+01:00"))
    assert not is_open_throughout(weekdays, at("2027-03-26T12:00+01:00"), at("2027-03-27T00:00+01:00"))


def test_hours_end_sharply() -> None:
    """At 21:30:00 a day that ends at 21:30 is over."""
    hours = Binding(rule({"mon-sun": "08:00-21:30"}), "FR", "Europe/Paris")
    assert is_open(hours, at("2027-03-23T21:29:59+01:00"))
    assert not is_open(hours, at("2027-03-23T21:30+01:00"))
    assert not is_open_throughout(hours, at("2027-03-23T21:00+01:00"), at("2027-03-23T21:30+01:00"))


@pytest.mark.parametrize("day", ["2027-03-27T18:00+01:00", "2027-10-30T18:00+02:00"], ids=["spring", "autumn"])
@pytest.mark.parametrize("hours", ["02:30-05:00", "00:30-02:30", "02:15-02:45", "03:00-04:00", "00:00-01:30"])
def test_a_boundary_inside_a_clock_change_never_opens_too_much(hours: str, day: str) -> None:
    """Minute by minute through the night: what the spans permit, the clock on the wall permits."""
    binding = Binding(rule({"mon-sun": hours}), "FR", "Europe/Paris")
    night = [at(day) + timedelta(minutes=minute) for minute in range(16 * 60)]
    permitted = [moment for moment in night if is_open_throughout(binding, moment, moment)]
    assert [moment for moment in permitted if not is_open(binding, moment)] == []
    if hours in ("03:00-04:00", "00:00-01:30"):
        assert permitted == [moment for moment in night if is_open(binding, moment)]


@pytest.mark.parametrize(
    ("country", "day", "expected"),
    [
        ("FR", date(2027, 3, 29), True),
        ("FR", date(2027, 3, 26), False),
        ("FR", date(2026, 11, 11), True),
        ("MQ", date(2027, 5, 22), True),
        ("GP", date(2027, 5, 27), True),
        ("GF", date(2027, 6, 10), True),
        ("YT", date(2027, 4, 27), True),
        ("RE", date(2027, 12, 20), True),
        ("FR", date(2027, 12, 20), False),
        ("DE", date(2027, 10, 3), True),
        ("001", date(2027, 1, 1), False),
    ],
)
def test_holidays_are_those_of_the_country(country: str, day: date, *, expected: bool) -> None:
    """Overseas departments have days of their own; Good Friday is none in France, though it is in Alsace."""
    assert is_holiday(country, day) is expected
