"""
From what people write to E.164: libphonenumber's answers, and a few rules of ours where those would guess.

Invariants:
- `phone` is exactly what `phonenumbers` makes of the text (parse with the region, `is_valid_number`, E.164), or null.
- A number gets SMS unless `phonenumbers.number_type` gives one of `WITHOUT_SMS`.
- A row may be written to if and only if `reason` is null. Rows with a reason may still carry the number that was most
  likely meant: too doubtful to send to, good enough to suppress.
"""

from __future__ import annotations

import re
from typing import Final

import phonenumbers
import pyarrow as pa
from phonenumbers import PhoneNumberType

from octoplan.audience import rules

NUMBER: Final = pa.struct([("phone", pa.string()), ("country", pa.string()), ("reason", pa.string())])
"""E.164; ISO 3166 alpha-2 or "001" for numbers of no country; why the number cannot be used."""

_SPREADSHEET: Final = re.compile(r"\+?\d+(?:[.,]\d+)?E\+?\d+|\d{6,}[.,]0+", re.IGNORECASE)
"""`3.36E+10`, `6,12346E+08`, and `612340001.0`, whose last digit a parser would take for one of the number."""
FRANCE: Final = 33
OVERSEAS: Final = (262, 590, 594, 596)
"""Calling codes whose mobiles are dialled like metropolitan ones inside France (0690…, 0692…, 0694…, 0696…)."""
WITHOUT_SMS: Final = {
    "premium_rate": PhoneNumberType.PREMIUM_RATE,
    "toll_free": PhoneNumberType.TOLL_FREE,
    "shared_cost": PhoneNumberType.SHARED_COST,
    "pager": PhoneNumberType.PAGER,
    "uan": PhoneNumberType.UAN,
    "voicemail": PhoneNumberType.VOICEMAIL,
    "fixed_line": PhoneNumberType.FIXED_LINE,
}
"""
Types of lines that get no SMS, by the name of their pattern in the metadata.

Operators deliver SMS to what has a SIM, or an agreement that stands in for one. Fixed lines have none, save for a few;
service numbers are only called; pagers have a network of their own. Not here: mobiles, what may be one (all numbers of
the USA), personal numbers, which lead to one, and VoIP, many of whose operators take SMS.
"""

Reading = tuple[str | None, str | None, str | None]


def normalise_phones(raw: pa.Array, region: str | None) -> pa.StructArray:
    """
    One `NUMBER` for each text of `raw`; null and blank text is an empty number.

    `region` (ISO 3166 alpha-2) is for numbers without a country code; `None` leaves those invalid. Each distinct text
    is read once.
    """
    encoded = raw.dictionary_encode(null_encoding="encode")
    readings = [read_phone(text, region) for text in encoded.dictionary.to_pylist()]
    distinct = pa.array([dict(zip(NUMBER.names, reading, strict=True)) for reading in readings], NUMBER)
    return distinct.take(encoded.indices)


def read_phone(text: str | None, region: str | None) -> Reading:
    """Phone, country and reason of one text; see `NUMBER`."""
    return _read(text, region)[0]


def read_line(text: str | None, region: str | None) -> Reading:
    """As `read_phone`, but a number that could be used has the reason `NOT_MOBILE` if its line gets no SMS."""
    reading, number = _read(text, region)
    phone, country, reason = reading
    if number is None or reason is not None or phonenumbers.number_type(number) not in WITHOUT_SMS.values():
        return reading
    return phone, country, rules.NOT_MOBILE


def is_region(region: str) -> bool:
    """Whether libphonenumber knows the region, such as `FR`."""
    return region in phonenumbers.SUPPORTED_REGIONS


def _read(text: str | None, region: str | None) -> tuple[Reading, phonenumbers.PhoneNumber | None]:
    """What was read, and what the library parsed, if that is it."""
    written = text.strip() if text else ""
    if not written:
        return (None, None, rules.EMPTY_NUMBER), None
    if _SPREADSHEET.fullmatch(written):
        return (None, None, rules.SPREADSHEET_NUMBER), None
    number = _parse(written, region)
    if number is None:
        return (None, None, rules.INVALID_NUMBER), None
    valid = _read_valid(number)
    if valid is not None:
        return (*valid, rules.AMBIGUOUS_NUMBER if _is_ambiguous(written, number) else None), number
    overseas = _read_overseas(number)
    return ((*overseas, rules.OVERSEAS_NUMBER) if overseas else (None, None, rules.INVALID_NUMBER)), None


def _parse(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None


def _read_valid(number: phonenumbers.PhoneNumber) -> tuple[str, str] | None:
    """E.164 and country if `is_valid_number`, which is these two steps."""
    country = phonenumbers.region_code_for_number(number)
    if country is None or not phonenumbers.is_valid_number_for_region(number, country):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), country


def _is_ambiguous(written: str, number: phonenumbers.PhoneNumber) -> bool:
    """The library reads `O612340001` and `06 12 34 00 01 x12` as if the letters were not there."""
    body = written[4:] if written[:4].lower() == "tel:" else written
    return bool(number.extension) or any(character.isalpha() for character in body)


def _read_overseas(number: phonenumbers.PhoneNumber) -> tuple[str, str] | None:
    if number.country_code != FRANCE or not str(number.national_number).startswith("6"):
        return None
    candidates = (
        phonenumbers.PhoneNumber(country_code=code, national_number=number.national_number) for code in OVERSEAS
    )
    return next((found for candidate in candidates if (found := _read_valid(candidate))), None)
