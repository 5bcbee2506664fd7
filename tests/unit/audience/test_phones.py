from __future__ import annotations

import pyarrow as pa
import pytest

from octoplan.audience import rules
from octoplan.audience.phones import NUMBER, is_region, normalise_phones, read_phone


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
