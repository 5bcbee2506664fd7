"""The rules that are data: each with its source, in one form, and refused where they are written wrongly."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from octoplan.rulebook.data import (
    EVERYWHERE,
    Sourced,
    WindowRule,
    WindowVersion,
    load_characters,
    load_links,
    load_senders,
    load_texts,
    load_windows,
    windows_of,
)

SOURCED: list[tuple[str, Sourced]] = [
    *((rule.id, version) for file in load_windows() for rule in file.rules for version in rule.versions),
    *((rule.id, rule) for rule in load_senders().rules),
    *((rule.id, rule) for rule in load_texts().rules),
    *((form.form, form) for form in load_texts().stop),
    *((f"replacement {each.level}", each) for each in load_characters().replacements),
    ("escapes", load_characters().escapes),
    *((each.hosts[0], each) for each in load_links().shorteners),
]


def version(permitted: dict[str, str], **changes: Any) -> WindowVersion:
    known = {"source": "somebody's page", "checked": "2026-11-23", "confidence": "low", "valid_from": "2026-01-01"}
    return WindowVersion.model_validate({**known, "permitted": permitted, **changes})


@pytest.mark.parametrize(("name", "rule"), SOURCED, ids=[name for name, _ in SOURCED])
def test_every_rule_says_who_says_so_and_when_that_was_checked(name: str, rule: Sourced) -> None:
    """No rule without a source, a day and a confidence, and none that claims to be from the future of its own check."""
    assert len(rule.source) >= 8
    assert date(2026, 1, 1) <= rule.checked <= date.today()  # noqa: DTZ011 - a day, not a moment
    assert rule.confidence in ("high", "medium", "low")


def test_ids_are_unique_and_say_what_they_are_about() -> None:
    """One id is one rule for ever; ids of hours begin with `window/`."""
    hours = [rule.id for file in load_windows() for rule in file.rules]
    others = [rule.id for rule in load_senders().rules] + [rule.id for rule in load_texts().rules]
    assert len({*hours, *others}) == len(hours) + len(others)
    assert all(name.startswith("window/") for name in hours)
    assert not any(name.startswith("window/") for name in others)


def test_a_country_is_in_one_file() -> None:
    """Two files for one country would contradict each other; one file is for all the others."""
    countries = [country for file in load_windows() for country in file.countries]
    assert len(set(countries)) == len(countries)
    assert countries.count(EVERYWHERE) == 1


def test_a_country_without_rules_has_those_of_the_others() -> None:
    """Nobody is written to at night because a country was forgotten."""
    assert [rule.id for rule in windows_of("PT")] == ["window/default-hours"]
    assert "window/fr-hours" in [rule.id for rule in windows_of("FR")]
    assert "window/fr-overseas-hours" in [rule.id for rule in windows_of("RE")]


def test_the_french_charter_of_2026_replaces_that_of_2024() -> None:
    """The day decides which version counts; the older one was stricter about Sundays and looser about evenings."""
    rule = next(rule for rule in windows_of("FR") if rule.id == "window/fr-hours")
    new, old = rule.version_on(date(2026, 3, 1)), rule.version_on(date(2026, 2, 28))
    assert new is not None
    assert old is not None
    assert new.hours_on(6, is_holiday=False, is_eve=False) == (480, 1290)
    assert old.hours_on(6, is_holiday=False, is_eve=False) is None
    assert old.hours_on(5, is_holiday=False, is_eve=False) == (480, 1320)
    assert old.hours_on(5, is_holiday=True, is_eve=False) is None
    assert rule.version_on(date(2024, 8, 31)) is None


def test_eves_and_holidays_narrow_the_hours_of_their_weekday() -> None:
    """The eve of a holiday that is a Sunday stays closed, one that is a Friday closes earlier."""
    hours = version({"mon-fri": "09:00-20:00", "sat": "08:00-12:00", "eve": "10:00-19:00", "holiday": "none"})
    assert hours.hours_on(4, is_holiday=False, is_eve=True) == (600, 1140)
    assert hours.hours_on(5, is_holiday=False, is_eve=True) == (600, 720)
    assert hours.hours_on(6, is_holiday=False, is_eve=True) is None
    assert hours.hours_on(4, is_holiday=True, is_eve=True) is None
    assert version({"mon": "08:00-09:00", "eve": "10:00-11:00"}).hours_on(0, is_holiday=False, is_eve=True) is None


@pytest.mark.parametrize(
    "permitted",
    [
        {"mon": "8:00-20:00"},
        {"mon": "20:00-08:00"},
        {"mon": "08:00-24:30"},
        {"monday": "08:00-20:00"},
        {"fri-mon": "08:00-20:00"},
        {"mon-": "later"},
    ],
)
def test_hours_that_cannot_be_read_are_refused(permitted: dict[str, str]) -> None:
    """A mistake in a data file is found when it is read, not when a message is sent at night."""
    with pytest.raises(ValidationError):
        version(permitted)


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ({"valid_from": "2026-03-01"}, {"valid_from": "2024-09-01"}),
        ({"valid_from": "2026-03-01"}, {"valid_from": "2024-09-01", "valid_to": "2026-03-01"}),
    ],
)
def test_versions_do_not_overlap(newer: dict[str, str], older: dict[str, str]) -> None:
    """On every day at most one version counts."""
    versions = [version({"mon": "08:00-20:00"}, **each) for each in (newer, older)]
    with pytest.raises(ValidationError, match="overlap"):
        WindowRule(id="window/x-hours", level="error", summary="x", versions=tuple(versions))


def test_a_version_without_a_source_is_refused() -> None:
    """The schema asks for it, so that no file can forget it."""
    with pytest.raises(ValidationError):
        version({"mon": "08:00-20:00"}, source="")
