"""What is wrong with a number is said of that very number, without a word of it."""

from __future__ import annotations

import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoplan.audience.phone_faults import explain_number
from octoplan.audience.phones import read_line


@pytest.mark.parametrize(
    ("text", "region", "words"),
    [
        ("6.12346E+08", "FR", "a scientific figure: of all digits 6 are left"),
        ("6E+08", "FR", "a scientific figure: of all digits 1 is left"),
        ("612340001.0", "FR", "a decimal figure"),
        ("#######", "FR", "the spreadsheet's column was too narrow: widen it and export again"),
        ("#N/A", "FR", "an error of the spreadsheet"),
        ("#REF!", "FR", "an error of the spreadsheet"),
        ("4917139200", "FR", "too long for FR"),
        ("491713920000", "FR", "with a `+` before it it would be a number of DE: a spreadsheet may have eaten it"),
        ("712345678", "CI", "with a `0` before it it would be a number of CI: a spreadsheet may have eaten it"),
        ("06 12 34", "FR", "too short for FR"),
        ("06 12 34 00 01 23", "FR", "too long for FR"),
        ("0012", "FR", "too short"),
        ("0612340001 / 0612340002", "FR", "too many digits: several numbers in one field?"),
        ("+999 12 34 56", "FR", "no country has this calling code"),
        ("0612340001", None, "no country code, and no `region` to read it with"),
        ("06 39 98 00 01", "FR", "no number of FR begins like this"),
        ("555-0123", "US", "the area code is missing"),
        ("zoe@acme.example", "FR", "an e-mail address"),
        ("unknown", "FR", "no digits"),
        ("--", "FR", "no digits"),
        ("O612340001", "FR", "with letters"),
        ("06 12 34 00 01 ext. 12", "FR", "with an extension"),
        ("0692123456", "FR", "perhaps a number of RE"),
        ("01 42 27 34 56", "FR", "fixed line"),
        ("0899 12 34 56", "FR", "premium rate"),
        ("", "FR", ""),
    ],
)
def test_what_is_wrong(text: str, region: str | None, words: str) -> None:
    """In a few words that say where to look."""
    reason = read_line(text, region)[2]
    assert reason is not None
    assert explain_number(reason, text, region) == words


@pytest.mark.parametrize("text", ["'+33612340001", "612340001", "33612340001", "'0612340001"])
def test_what_a_spreadsheet_did_that_can_be_read(text: str) -> None:
    """A lost zero, a lost plus and the apostrophe that was to prevent both leave a number that is certain."""
    assert read_line(text, "FR") == ("+33612340001", "FR", None)


@given(st.text(alphabet="0123456789+ .-/E#x'", max_size=24) | st.text(max_size=24), st.sampled_from(["FR", "US", None]))
def test_nothing_of_the_text_is_said(text: str, region: str | None) -> None:
    """Whatever the text: there are words, and no digits of it in them but a count."""
    reason = read_line(text, region)[2]
    if reason is not None:
        words = explain_number(reason, text, region)
        assert re.sub(r"of all digits \d+ (?:is|are) left|`0`", "", words).isprintable()
        assert not re.search(r"\d", re.sub(r"of all digits \d+|`0`|of 001", "", words))


def test_every_error_of_the_library_has_words() -> None:
    """A new version of the library could bring new ones."""
    errors = phonenumbers.NumberParseException
    kinds = [value for name, value in vars(errors).items() if name.isupper()]
    assert len(kinds) == 5
    lengths = [value for name, value in vars(phonenumbers.ValidationResult).items() if name.isupper()]
    assert len(lengths) == 6
