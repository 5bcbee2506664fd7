from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from phonenumbers import SUPPORTED_REGIONS

from octoplan.audience import rules
from octoplan.audience.engine import Engine
from octoplan.audience.phone_language import (
    ANY,
    EMPTY_STRING,
    NOTHING,
    any_digits,
    read_pattern,
    starting_with,
    unite,
)
from octoplan.audience.phone_numbering import (
    calling_codes,
    metadata_of,
    read_international,
    read_national,
    read_plain,
    trunk_prefix,
)
from octoplan.audience.phone_rules import PhoneRules
from octoplan.audience.phones import read_line, read_phone
from octoplan.cache import cache_folder
from octoplan.limits import FREQUENT_CODES_MAX

PLAIN = (
    "0612340056", "+33612340056", "0033612340056", "06 12 34 00 56", "06.12.34.00.56", "(06) 12 34 00 56",
    "33612340056", "+33 (0)6 12 34 00 56", "612340056", "+1 202-555-0123", "+44 7700 900123", "+49 171 3920000",
    "+800 1234 5678", "+86 139 1234 5678", "+86 17951 139 1234 5678", "+33 836 0123", "+39 06 1234 5678",
    "01 99 00 12 34", "+33199001234", "+33 (0)2 61 91 12 34", "0892000000", "+442079460123", "+448081570123",
    "+18005550199", "+611900654321", "+5511 2345-6789", "+390612345678", "+4971112345", "+491641234567",
    "06 92 12 34 56", "+33692123456", "612340001.0", "3.36E+10", "", " ", None, "n/a", "12345", "-", "inconnu", "n° 2",
    "+9981234567", "+9901234567", "+0033612340056", "+", "00", "0", "36180", "+33612340056789", "06\u00a012 34 00 56",
)  # fmt: skip
ODD = (
    "01 99 00 12 34 x5",
    "０１９９００１２３４",
    "0612340056x12",
    "O612340056",
    "０６１２３４００５６",
    "++33612340056",
    "tel:+33612340056",
    "+33 6 12 34 00 56 (home)",
)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for all tests of a worker, away from the user's own."""
    monkeypatch.setenv("OCTOPLAN_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine([], threads=2) as engine:
        yield engine


def read(
    engine: Engine,
    region: str | None,
    texts: Sequence[str | None],
    codes: list[int] | None = None,
    *,
    world: bool = True,
) -> pa.Table:
    phones = PhoneRules.load(region)
    incoming = pa.table({"row": range(len(texts)), "text": pa.array(texts, pa.string())})
    table = engine.transform(incoming, phones.select("incoming", "text", codes, world=world))
    answered = pa.Table.from_batches([phones.answer(batch) for batch in table.to_batches()])
    assert answered["text"].to_pylist() == list(texts)
    return answered.drop_columns(["text"])


def expected(region: str | None, texts: Sequence[str | None]) -> list[dict[str, object]]:
    readings = [read_line(text, region) for text in texts]
    return [
        {"row": row, "n": phone.removeprefix("+") if phone else None, "country": country, "reason": reason}
        for row, (phone, country, reason) in enumerate(readings)
    ]


@pytest.mark.parametrize("region", ["FR", "RE", "US", "IT", "BR", "AR", "AU", "JP", "AG", "GG", "KZ", None])
def test_answers_of_the_library(engine: Engine, region: str | None) -> None:
    """Number, country and reason are those of `read_line`; rows keep their order, other columns stay."""
    assert read(engine, region, PLAIN + ODD).to_pylist() == expected(region, PLAIN + ODD)


@pytest.mark.parametrize("codes", [None, [], [33], [1, 44], [800, 262]])
def test_codes_change_time_only(engine: Engine, codes: list[int] | None) -> None:
    """Which calling codes have a fast path, or are left to the library, is not seen in any answer."""
    assert read(engine, "FR", PLAIN + ODD, codes, world=False).to_pylist() == expected("FR", PLAIN + ODD)
    assert read(engine, "FR", PLAIN + ODD, codes).to_pylist() == expected("FR", PLAIN + ODD)


def test_what_lists_are_full_of_needs_no_library(engine: Engine) -> None:
    """Plain numbers of any country and everyday junk are answered by the query; only odd writings are handed on."""
    phones = PhoneRules.load("FR")
    incoming = pa.table({"text": pa.array(PLAIN + ODD, pa.string())})
    odd = engine.transform(incoming, phones.select("incoming", "text"))["odd"].to_pylist()
    assert [text for text in odd if text] == ["+86 17951 139 1234 5678", *ODD]


def test_read_while_a_file_is_scanned(tmp_path: Path) -> None:
    """Over a file with two threads the rows come in its order, and the quoted name of the column is only a name."""
    file = tmp_path / "contacts.csv"
    rows = 300_000
    lines = (f"{row};06123{row % 10**5:05}" for row in range(rows))
    file.write_text('row;"my ""phone"""\n' + "\n".join(lines))
    with Engine([file], threads=2) as engine:
        scan = f"read_csv('{engine.links[file]}', delim=';', header=true, all_varchar=true)"
        query = PhoneRules.load("FR").select(scan, 'my "phone"')
        numbers = pa.Table.from_batches(engine.stream(query))
    assert numbers["row"].to_pylist() == [str(row) for row in range(rows)]
    assert numbers["n"].to_pylist() == [str(33612300000 + row % 10**5) for row in range(rows)]


def test_few_numbers_are_all_odd(engine: Engine) -> None:
    """Where no plan pays, the library reads every text, and the answers are the same."""
    phones = PhoneRules.load("FR")
    incoming = pa.table({"row": range(len(PLAIN)), "text": pa.array(PLAIN, pa.string())})
    (batch,) = engine.transform(incoming, phones.select_odd("incoming", "text")).to_batches()
    assert phones.answer(batch).drop_columns(["text"]).to_pylist() == expected("FR", PLAIN)
    assert batch["odd"].to_pylist() == list(PLAIN)


def test_frequent_codes_of_a_sample() -> None:
    """Most frequent first, the rare ones not at all, and never more than the bound."""
    phones = PhoneRules.load("FR")
    sample = pa.array(["0612340001"] * 600 + ["+1 202 555 0100"] * 300 + ["004917139200"] * 90 + ["+44", "x", None])
    assert phones.codes_in(sample) == [33, 1, 49]
    everywhere = pa.array([f"+{code}1234567" for code in calling_codes()[:100]])
    assert len(phones.codes_in(everywhere)) == FREQUENT_CODES_MAX
    assert PhoneRules.load(None).codes_in(pa.array(["0612340001", "+33612340001"])) == [33]


def test_unknown_region() -> None:
    """A region that the library does not know is an error, not a region without rules."""
    with pytest.raises(ValueError, match="region"):
        PhoneRules.load("UK")


def test_rules_from_the_cache(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a cache, a damaged one, one with other content, or none that can be written, the query is the same."""
    monkeypatch.setenv("OCTOPLAN_CACHE_DIR", str(tmp_path / "cache"))
    query = PhoneRules.load("FR").select("incoming", "text", [33, 1])
    (entry,) = (path for path in cache_folder().rglob("*") if path.is_file())
    assert PhoneRules.load("FR").select("incoming", "text", [33, 1]) == query
    entry.write_bytes(entry.read_bytes()[:-100])
    assert PhoneRules.load("FR").select("incoming", "text", [33, 1]) == query
    monkeypatch.setenv("OCTOPLAN_CACHE_DIR", str(entry / "no folder"))
    assert PhoneRules.load("FR").select("incoming", "text", [33, 1]) == query


def test_no_number_has_two_digits() -> None:
    """The query takes for granted that two digits are never a number, wherever they are written."""
    for region in ("FR", "DE", "AC", "SH", "NU", "AR", "US", "AG", "IT", "SM", "NF", "GG"):
        assert {read_phone(f"{digits:02}", region)[2] for digits in range(100)} == {rules.INVALID_NUMBER}


def test_numbers_fit_their_column() -> None:
    """E.164 of every number of the metadata, code and all, is below 2^64: at most 19 digits."""
    for code in calling_codes():
        for piece in read_international(code).pieces:
            too_long = any_digits(20 - len(str(piece.code)) + piece.drop, ANY)
            assert piece.overseas or piece.language & too_long is NOTHING


def test_a_string_has_one_answer() -> None:
    """The pieces of an answer share no string, with each other or with what is left to the library."""
    answers = [*map(read_international, (1, 33, 44, 55, 7, 81)), *map(read_national, ("FR", "GB", "AR", "AG", "JP"))]
    for answer in answers:
        for at, piece in enumerate(answer.pieces):
            assert piece.language & answer.unsure is piece.language - piece.language
            assert all(
                piece.language & other.language is piece.language - piece.language for other in answer.pieces[:at]
            )


def test_first_tier_leaves_what_may_be_dialled_abroad() -> None:
    """What starts with a region's international prefix, in whatever form it has one, is no plain national number."""
    for region in sorted(SUPPORTED_REGIONS):
        metadata = metadata_of(region)
        abroad = read_pattern(metadata.international_prefix)(ANY)
        for piece in read_plain(metadata.country_code, region).pieces:
            assert starting_with(trunk_prefix(region), piece.language) & abroad is NOTHING


def test_no_mobile_is_left_out() -> None:
    """No country of the metadata has a number that its pattern of mobiles matches and that is said to get no SMS."""
    for code in calling_codes():
        for piece in read_international(code).pieces:
            mobile = metadata_of(piece.country, piece.code).mobile
            pattern = mobile.national_number_pattern if mobile else None
            mobiles = read_pattern(pattern)(EMPTY_STRING) if pattern else NOTHING
            assert piece.landlines & any_digits(piece.drop, mobiles) is NOTHING, piece.country


def test_first_tier_takes_only_numbers_that_get_sms() -> None:
    """What is found at a glance has no reason, so it cannot be a landline; those are in no plain piece."""
    for code in (33, 44, 49, 1, 39, 54, 61):
        landlines = unite(piece.landlines for piece in read_international(code).pieces if piece.drop == 0)
        plain = read_plain(code, None).pieces
        assert plain
        assert landlines is not NOTHING
        assert all(piece.language & landlines is NOTHING is piece.landlines for piece in plain)
