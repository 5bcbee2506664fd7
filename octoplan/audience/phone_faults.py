"""
What is wrong with a text that should be a phone number, said of this very text.

No word of it holds anything of the text: it is shown beside its shape, where others may look.
"""

from __future__ import annotations

import re
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, ValidationResult

from octoplan.audience import rules
from octoplan.audience.phones import WITHOUT_SMS, read_phone

DIGITS_OF_ONE_NUMBER_MAX: Final = 15
"""ITU-T E.164."""
_SEEN: Final = (
    (r"#+", "the spreadsheet's column was too narrow: widen it and export again"),
    (r"#[A-Z/0-9]+[!?]?", "an error of the spreadsheet"),
    (r"[^@]+@[^@]+", "an e-mail address"),
    (r"[\W_]*", "no digits"),
    (r"\D+", "no digits"),
)
"""Patterns of whole texts -> what they are."""
_PARSE: Final = {
    NumberParseException.INVALID_COUNTRY_CODE: "no country has this calling code",
    NumberParseException.NOT_A_NUMBER: "no phone number",
    NumberParseException.TOO_SHORT_AFTER_IDD: "too short",
    NumberParseException.TOO_SHORT_NSN: "too short",
    NumberParseException.TOO_LONG: "too long",
}
_LENGTH: Final = {
    ValidationResult.TOO_SHORT: "too short for {country}",
    ValidationResult.TOO_LONG: "too long for {country}",
    ValidationResult.INVALID_LENGTH: "no number of {country} has this length",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "the area code is missing",
    ValidationResult.IS_POSSIBLE: "no number of {country} begins like this",
}
_TYPES: Final = {number_type: name.replace("_", " ") for name, number_type in WITHOUT_SMS.items()}


def explain_number(reason: str, text: str, region: str | None) -> str:
    """Why the row has this reason, in a few words; empty where the reason says it all."""
    explain = _EXPLAIN.get(reason)
    return explain(text.strip(), region) if explain else ""


def _spreadsheet(text: str, _region: str | None) -> str:
    mantissa, mark, _ = text.upper().partition("E")
    if not mark:
        return "a decimal figure"
    digits = sum(character.isdigit() for character in mantissa)
    return f"a scientific figure: of all digits {digits} {'is' if digits == 1 else 'are'} left"


def _invalid(text: str, region: str | None) -> str:
    seen = next((words for pattern, words in _SEEN if re.fullmatch(pattern, text)), None)
    if seen is not None:
        return seen
    if sum(character.isdigit() for character in text) > DIGITS_OF_ONE_NUMBER_MAX:
        return "too many digits: several numbers in one field?"
    return _lost(text, region) or _refused(text, region)


def _lost(text: str, region: str | None) -> str | None:
    """What a spreadsheet takes for a figure loses what stands before it."""
    if not re.fullmatch(r"[1-9][\d .-]*", text):
        return None
    for mark, words in (("0", "with a `0` before it"), ("+", "with a `+` before it")):
        phone, country, reason = read_phone(mark + text, region)
        if phone is not None and reason is None:
            return f"{words} it would be a number of {country}: a spreadsheet may have eaten it"
    return None


def _refused(text: str, region: str | None) -> str:
    """The library's own reason."""
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE and region is None and "+" not in text:
            return "no country code, and no `region` to read it with"
        return _PARSE[error.error_type]
    country = phonenumbers.region_code_for_country_code(number.country_code or 0)
    return _LENGTH.get(phonenumbers.is_possible_number_with_reason(number), "").format(country=country)


def _ambiguous(text: str, region: str | None) -> str:
    return "with an extension" if phonenumbers.parse(text, region).extension else "with letters"


def _overseas(text: str, region: str | None) -> str:
    return f"perhaps a number of {read_phone(text, region)[1]}"


def _not_mobile(text: str, region: str | None) -> str:
    return _TYPES[phonenumbers.number_type(phonenumbers.parse(text, region))]


_EXPLAIN: Final = {
    rules.SPREADSHEET_NUMBER: _spreadsheet,
    rules.INVALID_NUMBER: _invalid,
    rules.AMBIGUOUS_NUMBER: _ambiguous,
    rules.OVERSEAS_NUMBER: _overseas,
    rules.NOT_MOBILE: _not_mobile,
}
