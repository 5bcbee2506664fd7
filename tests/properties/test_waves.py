"""A time on the recipients' own clocks, for numbers and times that nobody thought of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import phonenumbers
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st
from phonenumbers.tzdata import TIMEZONE_DATA

from octoplan.campaign.recipient_time import RecipientTime
from octoplan.rulebook.zones import known_zones, number_zones, zones_of_prefix
from octoplan.values.local_time import ClockChange, find_instants, load_zone

_NUMBERS: Final = tuple(
    phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    if (number := phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)) is not None
)
_DIGITS: Final = st.text("0123456789", min_size=9, max_size=9)
# Prefixes that have zones of their own, with any digits after them; examples of every country; and any digits at all.
PHONES: Final = st.one_of(
    st.sampled_from(_NUMBERS),
    st.builds(lambda prefix, rest: f"+{prefix}{rest}", st.sampled_from(sorted(TIMEZONE_DATA)), _DIGITS),
    st.builds(lambda digits: f"+{digits}0000", _DIGITS),
)
NEW_YEAR: Final = datetime(2027, 1, 1, tzinfo=UTC).replace(tzinfo=None)
# Any minute, and those of the nights around the clock changes of 2027 in Europe, America, Chile and New Zealand.
WRITTEN: Final = st.one_of(
    st.integers(0, 500 * 24 * 60),
    *(st.integers(day * 24 * 60, (day + 2) * 24 * 60) for day in (71, 85, 92, 247, 268, 302, 309)),
).map(lambda minutes: NEW_YEAR + timedelta(minutes=minutes))
CHOICES: Final = st.sampled_from(("refuse", "earlier", "later"))


def zones_of(phone: str) -> tuple[str, ...]:
    return zones_of_prefix(phone[1:10])


@settings(max_examples=400, deadline=None)
@given(PHONES, WRITTEN, CHOICES)
@example("+34612345678", NEW_YEAR + timedelta(hours=10), "refuse")
@example("+18005550123", NEW_YEAR + timedelta(days=72, hours=2, minutes=30), "later")
@example("+870773111632", NEW_YEAR, "later")
def test_nobody_gets_it_before_the_written_time_and_somebody_at_it(
    phone: str, written: datetime, choice: ClockChange
) -> None:
    """In every zone that a number may be in clocks have reached the time by then, and in one of them they show it."""
    zones = zones_of(phone)
    instant = RecipientTime(written, choice).instant_for(zones)
    unclear = [zone for zone in zones if len(find_instants(written, load_zone(zone))) != 1]
    if not zones or (unclear and choice == "refuse"):
        assert instant is None
        return
    assert instant is not None
    shown = {zone: instant.astimezone(load_zone(zone)).replace(tzinfo=None) for zone in zones}
    assert all(local >= written for zone, local in shown.items() if zone not in unclear), shown
    # Of a time that is skipped or shown twice the reading is the rule's, which may be an hour away on the clock.
    assert all(local >= written - timedelta(hours=1) for local in shown.values()), shown
    decides = set(RecipientTime(written, choice).last_of(zones))
    assert any(shown[zone] == written or zone in unclear for zone in decides), shown


@settings(max_examples=200, deadline=None)
@given(PHONES, WRITTEN, CHOICES)
def test_what_can_be_known_without_recipients_holds_for_each(
    phone: str, written: datetime, choice: ClockChange
) -> None:
    """Every instant of a recipient is among those that are possible anywhere."""
    time = RecipientTime(written, choice, "Pacific/Chatham")
    instant = time.instant_for(zones_of(phone))
    assert instant is None or instant in time.instants_in(known_zones())


@settings(max_examples=100, deadline=None)
@given(st.lists(PHONES, max_size=40))
def test_a_column_is_numbered_as_its_numbers_are(phones: list[str]) -> None:
    """Prefix by prefix for the whole column: the zones that each number has by itself."""
    known: dict[tuple[str, ...], int] = {}
    numbers = number_zones(pa.array(phones, pa.string()), lambda zones: known.setdefault(zones, len(known)))
    names = list(known)
    assert [names[number] for number in numbers.to_pylist()] == [zones_of(phone) for phone in phones]
