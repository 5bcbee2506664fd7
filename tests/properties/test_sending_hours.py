"""Sending hours, for rules, zones and moments that nobody thought of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from octoplan.rulebook.data import WEEKDAYS, WindowRule, WindowVersion
from octoplan.rulebook.hours import Binding, bindings_of, find_slot, is_open, is_open_throughout

ZONES = ("Europe/Paris", "America/New_York", "America/St_Johns", "Pacific/Honolulu", "Asia/Kolkata", "Pacific/Auckland")
COUNTRIES = ("FR", "ES", "IT", "US", "GB", "PT")
# Around the clock changes of 2027 in Europe, America and New Zealand, and any other time.
NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
MOMENTS = st.one_of(
    st.integers(0, 500 * 24 * 60),
    *(st.integers(day * 24 * 60, (day + 4) * 24 * 60) for day in (70, 84, 300, 308)),
).map(lambda minutes: NEW_YEAR + timedelta(minutes=minutes))


@st.composite
def rules(draw: st.DrawFn) -> WindowRule:
    """Any hours on any weekdays, holidays and eves."""
    permitted = {}
    for day in (*WEEKDAYS, "holiday", "eve"):
        start, end = sorted(draw(st.tuples(st.integers(0, 95), st.integers(0, 95))))
        if draw(st.booleans()) and start < end:
            hours = [f"{quarter // 4:02d}:{quarter % 4 * 15:02d}" for quarter in (start, end)]
            permitted[day] = "-".join(hours)
    known = {"source": "a test's own rule", "checked": "2026-11-23", "confidence": "low", "valid_from": "2020-01-01"}
    version = WindowVersion.model_validate({**known, "permitted": permitted})
    number = draw(st.integers(0, 10**9))
    return WindowRule.model_validate(
        {"id": f"window/test-{number}", "level": "error", "summary": "x", "versions": [version]}
    )


def known_bindings(country: str, zone: str) -> list[Binding]:
    return list(bindings_of(country, (zone,)))


BINDINGS = st.lists(
    st.one_of(
        st.builds(known_bindings, st.sampled_from(COUNTRIES), st.sampled_from(ZONES)),
        st.builds(lambda rule, zone: [Binding(rule, "FR", zone)], rules(), st.sampled_from(ZONES)),
    ),
    min_size=1,
    max_size=3,
).map(lambda groups: [binding for group in groups for binding in group])
LENGTHS = st.integers(0, 300).map(lambda minutes: timedelta(minutes=minutes))


@settings(max_examples=150, deadline=None)
@given(BINDINGS, MOMENTS, LENGTHS)
@example(known_bindings("FR", "Europe/Paris"), datetime(2027, 3, 27, 20, tzinfo=UTC), timedelta(minutes=90))
def test_the_next_slot_is_inside_every_rule(bindings: list[Binding], now: datetime, length: timedelta) -> None:
    """At every quarter of an hour of the run, and at its end, the recipients' own clocks permit it."""
    slot = find_slot(bindings, now, length)
    if slot is None:
        return
    start = slot[0]
    assert start >= now
    steps = [start + timedelta(minutes=minutes) for minutes in range(0, int(length.total_seconds()) // 60, 15)]
    for moment in (*steps, start + length):
        assert all(is_open(binding, moment) for binding in bindings), moment


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(COUNTRIES), min_size=1, max_size=2), st.sampled_from(ZONES), MOMENTS, LENGTHS)
def test_no_earlier_slot_exists(countries: list[str], zone: str, now: datetime, length: timedelta) -> None:
    """Beginning at any quarter of an hour before it, the run meets a moment that a rule forbids."""
    bindings = [binding for country in countries for binding in known_bindings(country, zone)]
    slot = find_slot(bindings, now, length)
    assert slot is not None
    candidate = now
    while candidate < slot[0]:
        open_throughout = all(is_open_throughout(binding, candidate, candidate + length) for binding in bindings)
        assert not open_throughout, candidate
        run = [candidate + timedelta(minutes=minutes) for minutes in range(int(length.total_seconds()) // 60 + 1)]
        assert not all(is_open(binding, moment) for binding in bindings for moment in run), candidate
        candidate += timedelta(minutes=15)


@settings(max_examples=100, deadline=None)
@given(rules(), st.sampled_from(ZONES), MOMENTS)
def test_spans_never_open_what_the_local_clock_forbids(rule: WindowRule, zone: str, moment: datetime) -> None:
    """Also where a boundary falls into the hour of a clock change: shorter then, never longer."""
    binding = Binding(rule, "FR", zone)
    if is_open_throughout(binding, moment, moment):
        assert is_open(binding, moment)
