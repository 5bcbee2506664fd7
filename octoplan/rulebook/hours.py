"""
Rules on hours as spans of time, and the next slot that suits everybody.

Spans are half-open, in UTC, sorted, and do not touch: a message may leave at the start of one and not at its end. Where
a boundary itself falls into the hour of a clock change the span is the shorter one, never the longer; no rule of the
data has such a boundary.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Final

from octoplan.limits import WINDOW_SEARCH_DAYS
from octoplan.rulebook.data import WindowRule, windows_of
from octoplan.rulebook.zones import Zones
from octoplan.values.local_time import load_zone

Span = tuple[datetime, datetime]
_MIDNIGHT: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Binding:
    """A rule for the recipients of one country in one zone."""

    rule: WindowRule
    country: str
    zone: str


def bindings_of(country: str, zones: Zones) -> tuple[Binding, ...]:
    """Everything that binds numbers of a country that may be in any of `zones`."""
    return tuple(Binding(rule, country, zone) for zone in zones for rule in windows_of(country))


def find_slot(bindings: Iterable[Binding], not_before: datetime, length: timedelta) -> Span | None:
    """
    The earliest span from `not_before` in which a run of `length` satisfies every binding, to the span's own end.

    `None` if there is none within `WINDOW_SEARCH_DAYS`. Without bindings any time will do.
    """
    first = not_before.astimezone(UTC)
    spans: list[Span] = [(first, first + timedelta(days=WINDOW_SEARCH_DAYS))]
    for binding in bindings:
        spans = _intersect(spans, open_spans(binding, first.date()))
    return next(((start, end) for start, end in spans if end - start > length), None)


def is_open(binding: Binding, moment: datetime) -> bool:
    """Whether a message may leave at `moment`, read off the recipient's own clock and calendar."""
    local = moment.astimezone(load_zone(binding.zone))
    hours = _hours_on(binding.rule, binding.country, local.date())
    minute = local.hour * 60 + local.minute
    return hours is not None and hours[0] <= minute < hours[1]


def is_open_throughout(binding: Binding, start: datetime, end: datetime) -> bool:
    """Whether messages may leave at any time from `start` to `end`, the end included."""
    spans = open_spans(binding, start.astimezone(UTC).date())
    return any(opens <= start and end < closes for opens, closes in spans)


@lru_cache(maxsize=20_000)
def open_spans(binding: Binding, first: date) -> tuple[Span, ...]:
    """When a binding permits messages, from the day before `first` (UTC) on."""
    days = [first + timedelta(days=offset) for offset in range(-1, WINDOW_SEARCH_DAYS + 2)]
    return _merge(span for day in days if (span := _span(binding, day)) is not None)


def _span(binding: Binding, day: date) -> Span | None:
    hours = _hours_on(binding.rule, binding.country, day)
    if hours is None:
        return None
    start, end = _instant(binding.zone, day, hours[0]), _instant(binding.zone, day, hours[1], is_end=True)
    return (start, end) if start < end else None


def _hours_on(rule: WindowRule, country: str, day: date) -> tuple[int, int] | None:
    version = rule.version_on(day)
    if version is None:
        return (0, _MIDNIGHT)
    if not version.asks_for_holidays:
        return version.hours_on(day.weekday(), is_holiday=False, is_eve=False)
    is_eve = is_holiday(country, day + timedelta(days=1))
    return version.hours_on(day.weekday(), is_holiday=is_holiday(country, day), is_eve=is_eve)


def _instant(zone: str, day: date, minute: int, *, is_end: bool = False) -> datetime:
    """A local time as an instant; of two that it may stand for, the one that leaves the span shorter."""
    local = datetime.combine(day, time()) + timedelta(minutes=minute)
    rules = load_zone(zone)
    readings = [local.replace(tzinfo=rules, fold=fold).astimezone(UTC) for fold in (0, 1)]
    if minute in (0, _MIDNIGHT):
        # Neighbouring days have to touch: both sides read midnight alike.
        return readings[0]
    return min(readings) if is_end else max(readings)


def _merge(spans: Iterable[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _intersect(left: Sequence[Span], right: Sequence[Span]) -> list[Span]:
    found: list[Span] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            found.append((start, end))
        if left[i][1] <= right[j][1]:
            i += 1
        else:
            j += 1
    return found


# --- public holidays --------------------------------------------------------------------------------------------------


def is_holiday(country: str, day: date) -> bool:
    """Whether `day` is a public holiday of the whole country by the `holidays` package; no where it knows none."""
    return day in _holidays(country, day.year)


@cache
def _holidays(country: str, year: int) -> frozenset[date]:
    # Imported here: it is needed for few rules only, and takes a while.
    import holidays

    try:
        known = holidays.country_holidays(country, years=year)
    except NotImplementedError:
        return frozenset()
    return frozenset(known)
