from __future__ import annotations

import phonenumbers
import pyarrow as pa
import pytest
from phonenumbers import PhoneNumberType

from octoplan.audience import rules
from octoplan.audience.phones import NUMBER, WITHOUT_SMS, is_region, normalise_phones, read_line, read_phone


@pytest.mark.parametrize(
    "text",
    [
        "0612340056",
        "06 12 34 00 56",
        "06.12.34.00.56",
        "06-12-34-00-56",
        "(06) 12 34 00 56",
        "+33 (0)6 12 34 00 56",
        "0033612340056",
        "33612340056",
        "612340056",
        "tel:+33612340056",
        "06\u00a012\u00a034\u00a000\u00a056",
        "\u200e+33612340056\u202c",
        "０６１２３４００５６",
        "  0612340056\t",
    ],
)
def test_one_number_in_every_spelling(text: str) -> None:
    """However a French mobile is written, it is the same number."""
    assert read_phone(text, "FR") == ("+33612340056", "FR", None)


@pytest.mark.parametrize("text", [None, "", " ", "\u00a0"])
def test_no_number(text: str | None) -> None:
    """Nothing and blanks are an empty number, not an invalid one."""
    assert read_phone(text, "FR") == (None, None, rules.EMPTY_NUMBER)


@pytest.mark.parametrize("text", ["3.36E+10", "6,12346E+08", "3.36123E+10", "6e8", "612340056.0", "33612340056,00"])
def test_number_eaten_by_a_spreadsheet(text: str) -> None:
    """A figure in scientific or decimal notation is told apart from an invalid number: it has its own remedy."""
    assert read_phone(text, "FR") == (None, None, rules.SPREADSHEET_NUMBER)


@pytest.mark.parametrize("text", ["O612340056", "0612340056x12", "0612340056#12"])
def test_letters_and_extensions_are_doubtful(text: str) -> None:
    """What the library would read over is not written to, but keeps its likely meaning for suppression."""
    assert read_phone(text, "FR") == ("+33612340056", "FR", rules.AMBIGUOUS_NUMBER)


def test_overseas_mobile_dialled_nationally() -> None:
    """A French overseas mobile without its own code is named as such, never rewritten silently."""
    phone, country, reason = read_phone("06 92 12 34 56", "FR")
    assert (phone, country, reason) == ("+262692123456", "RE", rules.OVERSEAS_NUMBER)


@pytest.mark.parametrize(
    "text",
    [
        "+33 6 12 34 00 5",
        "+1 692 123 456",
        "+336123400567",
        "118218",
        "36180",
        "0612340056 poste 3",
        "+111222233334444",
        "+2222333334444555",
        "n/a",
        "-",
    ],
)
def test_invalid_numbers(text: str) -> None:
    """Wrong lengths, short codes and words are invalid."""
    assert read_phone(text, "FR") == (None, None, rules.INVALID_NUMBER)


def test_number_needs_a_region_or_a_country_code() -> None:
    """Without a region only numbers with a country code can be read."""
    assert read_phone("0612340056", None)[2] == rules.INVALID_NUMBER
    assert read_phone("+33612340056", None) == ("+33612340056", "FR", None)


def test_country_is_that_of_the_number() -> None:
    """The country comes from the number, not from the region; a number of no country is `001`."""
    assert read_phone("+1 202 555 0123", "FR") == ("+12025550123", "US", None)
    assert read_phone("+800 1234 5678", "FR")[1] == "001"


LANDLINES = {
    "01 99 00 12 34": "fixed_line",
    "+44 20 7946 0123": "fixed_line",
    "+1 900 555 0199": "premium_rate",
    "+44 808 157 0123": "toll_free",
    "0810 00 00 00": "shared_cost",
    "+44 306 999 0123": "uan",
    "+44 76 4000 0000": "pager",
    "+49 177 99 000000": None,
    "+1 202 555 0123": None,
    "+44 70 0000 0000": None,
    "09 39 98 12 34": None,
}
"""Numbers that nobody has: of films, of the authorities' examples, or of zeros."""


@pytest.mark.parametrize(("text", "kind"), LANDLINES.items())
def test_lines_that_get_no_sms(text: str, kind: str | None) -> None:
    """A fixed line or a service number is read as ever, and told apart; mobiles, VoIP and what may be one are not."""
    phone, country, reason = read_phone(text, "FR")
    assert reason is None
    assert read_line(text, "FR") == (phone, country, rules.NOT_MOBILE if kind else None)
    found = phonenumbers.number_type(phonenumbers.parse(phone or ""))
    assert found == WITHOUT_SMS[kind] if kind else found not in WITHOUT_SMS.values()


def test_doubt_comes_before_the_line() -> None:
    """A number that may not be meant at all keeps that reason: only a usable one is looked at."""
    for text in ("O199001234", "06 92 12 34 56", "12345", "", "612340001.0"):
        assert read_line(text, "FR") == read_phone(text, "FR")
        assert read_line(text, "FR")[2] not in (None, rules.NOT_MOBILE)


def test_types_are_the_library_s() -> None:
    """Each type has its pattern in the metadata, and the types that get SMS are the four others, and unknown."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region("FR")
    assert all(hasattr(metadata, name) for name in WITHOUT_SMS)
    with_sms = set(PhoneNumberType.values()) - set(WITHOUT_SMS.values())
    assert {PhoneNumberType.to_string(kind) for kind in with_sms} == {
        *("MOBILE", "FIXED_LINE_OR_MOBILE", "PERSONAL_NUMBER", "VOIP", "UNKNOWN")
    }


def test_columns_in_columns_out() -> None:
    """One struct for each input, in order, nulls and repetitions included; no input gives none."""
    raw = pa.array(["0612340001", None, "x", "0612340001"])
    numbers = normalise_phones(raw, "FR")
    assert numbers.type == NUMBER
    assert numbers.field("phone").to_pylist() == ["+33612340001", None, None, "+33612340001"]
    assert numbers.field("reason").to_pylist() == [None, rules.EMPTY_NUMBER, rules.INVALID_NUMBER, None]
    assert len(normalise_phones(pa.array([], pa.string()), "FR")) == 0


def test_regions_are_the_library_s() -> None:
    """`FR` is a region; `UK`, lower case and words are not."""
    assert [is_region(name) for name in ("FR", "GB", "UK", "fr", "France")] == [True, True, False, False, False]
