"""From numbers to time zones: never fewer than libphonenumber names, and every row counted once."""

from __future__ import annotations

from collections import Counter

import phonenumbers
import pyarrow as pa
import pytest
from phonenumbers import timezone
from phonenumbers.tzdata import TIMEZONE_DATA

from octoplan.rulebook.zones import count_zones, zones_of_prefix
from octoplan.values.local_time import zone_names

UNKNOWN = {"Etc/Unknown"}
KINDS = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)


def zones_of(phone: str) -> tuple[str, ...]:
    return zones_of_prefix(phone[1:10])


@pytest.mark.parametrize(
    ("phone", "zones"),
    [
        ("+33612340001", {"Europe/Paris"}),
        ("+262692123456", {"Indian/Mayotte", "Indian/Reunion"}),
        ("+590690001234", {"America/Guadeloupe"}),
        ("+34612345678", {"Europe/Madrid", "Atlantic/Canary"}),
        ("+12025550123", {"America/New_York"}),
        ("+18085550123", {"Pacific/Honolulu"}),
        ("+870773111632", set()),
    ],
)
def test_a_number_is_in_all_the_zones_it_may_be_in(phone: str, zones: set[str]) -> None:
    """Overseas France on its own clocks, Spain on two, satellite phones on none that is known."""
    assert set(zones_of(phone)) == zones


def test_a_number_that_north_america_cannot_place_may_be_anywhere_in_it() -> None:
    """A toll-free number binds every clock from Newfoundland to Guam."""
    zones = zones_of("+18005550123")
    assert len(zones) > 30
    assert {"America/St_Johns", "Pacific/Guam"} <= set(zones)


def named_by_library(number: phonenumbers.PhoneNumber) -> tuple[str, ...]:
    """In North America by area code, for mobiles of the islands too."""
    if number.country_code == 1:
        return timezone.time_zones_for_geographical_number(number)
    return timezone.time_zones_for_number(number)


def test_never_fewer_zones_than_the_library_names() -> None:
    """For an example of each kind of number in each country: where the library is unsure, so are we."""
    compared = 0
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in KINDS:
            number = phonenumbers.example_number_for_type(region, kind)
            if number is None:
                continue
            named = set(named_by_library(number)) - UNKNOWN
            ours = set(zones_of(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)))
            assert named <= ours, region
            if phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE:
                assert named == ours, region
            compared += 1
    assert compared > 400


def test_every_zone_has_rules_of_its_own() -> None:
    """All zones that a number can have are in the zone data that times are computed with."""
    assert {zone for zones in TIMEZONE_DATA.values() for zone in zones} <= zone_names()


def test_a_column_is_counted_as_its_rows_are() -> None:
    """Prefix by prefix or number by number: the same counts, in several batches, an empty one among them."""
    phones = [f"+1{area}{'555'}01{index:02d}" for area in ("202", "907", "808", "270", "605") for index in range(40)]
    phones += [f"+336123400{index:02d}" for index in range(100)] + ["+18005550123", "+870773111632"] * 3
    countries = ["US" if phone.startswith("+1") else "FR" if phone.startswith("+33") else "001" for phone in phones]
    cuts = [(0, 70), (70, 70), (70, len(phones))]
    batches = [
        (pa.array(phones[start:stop], pa.string()), pa.array(countries[start:stop], pa.string()))
        for start, stop in cuts
    ]
    one_by_one = Counter((country, zones_of(phone)) for phone, country in zip(phones, countries, strict=True))
    assert count_zones(batches) == dict(one_by_one)
    assert len(one_by_one) >= 6


def test_a_column_is_read_as_deep_as_the_data_go() -> None:
    """Towns with a zone of their own, seven and eight digits in: texts that are too short to be anybody's number."""
    deep = sorted(key for key in TIMEZONE_DATA if len(key) > 4 and key[0] in "15" and zones_of_prefix(key + "0"))
    phones = [f"+{key}0" for key in deep[::7]]
    found = count_zones([(pa.array(phones), pa.array(["US"] * len(phones)))])
    assert found == dict(Counter(("US", zones_of_prefix(phone[1:10])) for phone in phones))
    shallow = {zones_of_prefix(phone[1:5]) for phone in phones}
    assert {zones for _, zones in found} - shallow, "some are decided by more than four digits"
