"""
From phone numbers to time zones, for whole columns: libphonenumber's data, asked once a distinct prefix.

Invariants:
- All zones that a number may be in bind; a number of a country whose mobiles say nothing about the place has every zone
  of its calling code. This is never less than what `phonenumbers.timezone` answers for the number, but for +1: there
  the area code counts for mobiles too, as courts take it, and a Caribbean mobile is not taken to be in Alaska.
- A number without a known zone has the empty set, which nothing satisfies.
- A column of millions is read by Arrow: Python sees each distinct prefix once, never each row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Final

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from phonenumbers.phonenumberutil import is_number_type_geographical
from phonenumbers.tzdata import TIMEZONE_DATA

Zones = tuple[str, ...]
"""IANA names, sorted; empty for a number whose place is not known."""

_LEVELS: Final = (4, 7, 9)
"""Digits looked at, fewest first: most numbers are placed by four, a North American one by seven, none by more."""
_NORTH_AMERICA: Final = 1
"""The one calling code whose mobiles cannot be told from fixed lines and are placed like those."""


def count_zones(batches: Iterable[tuple[pa.Array, pa.Array]]) -> Mapping[tuple[str, Zones], int]:
    """Numbers by country and zones; each item of `batches` is a column of E.164 numbers and one of their countries."""
    found: Counter[tuple[str, Zones]] = Counter()
    known: dict[Zones, int] = {}
    for phones, countries in batches:
        numbers = number_zones(phones, lambda zones: known.setdefault(zones, len(known)))
        rows = pa.table([countries, numbers], names=["country", "zones"])
        counts = rows.group_by(["country", "zones"], use_threads=False).aggregate([([], "count_all")])
        names = list(known)
        for country, number, count in zip(*(column.to_pylist() for column in counts.columns), strict=True):
            found[country, names[number]] += count
    return dict(sorted(found.items()))


def number_zones(phones: pa.Array, number: Callable[[Zones], int]) -> pa.Int32Array:
    """For each E.164 number of a column what `number` says of its zones."""
    return _number_level(phones, _LEVELS, number)


def _number_level(phones: pa.Array, levels: Sequence[int], number: Callable[[Zones], int]) -> pa.Int32Array:
    digits, *deeper = levels
    prefixes = pc.utf8_slice_codeunits(phones, 1, 1 + digits).dictionary_encode()
    found = [
        None if deeper and _goes_deeper(prefix) else number(zones_of_prefix(prefix))
        for prefix in prefixes.dictionary.to_pylist()
    ]
    numbers = pa.array(found, pa.int32()).take(prefixes.indices)
    if not numbers.null_count:
        return numbers
    open_ones = numbers.is_null()
    return pc.replace_with_mask(numbers, open_ones, _number_level(phones.filter(open_ones), deeper, number))


def known_zones() -> frozenset[str]:
    """Every zone that a number can be in."""
    return frozenset(zone for zones in TIMEZONE_DATA.values() for zone in zones)


@cache
def zones_of_prefix(digits: str) -> Zones:
    """The zones of numbers that begin so; `digits` without `+`, nine of them or as many as decide."""
    code = _calling_code(digits)
    if code is None:
        return ()
    if not _is_placed(code):
        return tuple(sorted(TIMEZONE_DATA.get(str(code), ())))
    lengths = range(len(digits), 0, -1)
    return next((tuple(sorted(TIMEZONE_DATA[digits[:n]])) for n in lengths if digits[:n] in TIMEZONE_DATA), ())


@cache
def _goes_deeper(prefix: str) -> bool:
    """Whether more digits could change the answer."""
    code = _calling_code(prefix)
    if code is None or not _is_placed(code):
        return False
    return prefix in _beginnings()


@cache
def _beginnings() -> frozenset[str]:
    """What longer prefixes of the data begin with, at each level."""
    return frozenset(key[:digits] for digits in _LEVELS for key in TIMEZONE_DATA if len(key) > digits)


@cache
def _is_placed(code: int) -> bool:
    """Whether a mobile number of this calling code says where its owner is."""
    return code == _NORTH_AMERICA or is_number_type_geographical(phonenumbers.PhoneNumberType.MOBILE, code)


@cache
def _calling_code(digits: str) -> int | None:
    codes = (int(digits[:length]) for length in (1, 2, 3) if digits[:length])
    return next((code for code in codes if code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE), None)
