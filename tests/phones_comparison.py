"""
Whether the fast way of reading phone numbers gives the library's answers: `python -m tests.phones_comparison`.

Inputs are made at random, from a seed, for every region: numbers that match or nearly match the metadata of all
countries, in the many ways in which people write them, and what is no number at all. Each is read by the query and by
`read_line`; a difference in number, country or reason (that its line gets no SMS is one) is printed, and the exit code
is 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Final

import pyarrow as pa
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS, PhoneMetadata
from phonenumbers.re_util import enable_pattern_cache

from octoplan.audience.engine import Engine
from octoplan.audience.phone_language import EMPTY_STRING, NOTHING, Language, read_pattern
from octoplan.audience.phone_rules import PhoneRules
from octoplan.audience.phones import read_line

REGIONS: Final = (None, *sorted(SUPPORTED_REGIONS))
PROCESSES: Final = 2
DIFFERENCES_SHOWN: Final = 20

_TYPES: Final = (
    *("fixed_line", "mobile", "toll_free", "premium_rate", "voip", "shared_cost", "personal_number", "uan"),
    *("pager", "voicemail"),
)
_MARKS: Final = (
    " ",
    " ",
    ".",
    "-",
    "/",
    "(",
    ")",
    " (",
    ") ",
    "\u00a0",
    "  ",
    "-",
    " - ",
    "\u2010",
    "\u2013",
    "~",
    "\t",
)
_OTHER_DIGITS: Final = ("٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗")
_JUNK: Final = (
    "", " ", "\u00a0", "\n", "\u2003", "n/a", "N/A", "-", "--", ".", "?", "null", "None", "0", "00", "+", "++", "+0",
    "12", "1 2", "1-2", "123", "(12)", "12345", "112", "3615", "118218", "inconnu", "numéro à venir", "n° 12",
    "appeler le 2", "œ ß ž", "voir fiche", "#REF!", "=A1", "@camille", "½", "x12", "12 x 3", "12x34", "²³",
    "tel:", "tel:12", ";ext=1",
    ";phone-context=+33", "12;phone-context=+336123400", "tel:0612340056;phone-context=+33", ";isub=12", "①②③",
    "1e5", "6E8", "1,0", "123456.0", "123456,00", "12345.0", " 612340056.0 ", "612340056.0\u00a0", "33612340056.00",
    "3,36123E+10", "+3.3E+9", "1e", "e1", "1" * 17, "0" * 30, "1" * 99, "1" * 101, "3" * 251, "+33" + " 6" * 60,
    "06 12 34 00 5" + " " * 90 + "6", "06 12 34 00 5" + " " * 300 + "6", "+-+33612340056", "+ +33612340056",
)  # fmt: skip


@dataclass(slots=True)
class Tally:
    """What was compared: inputs by kind and by the country found, those left to the library, and differences."""

    kinds: Counter[str] = field(default_factory=Counter)
    countries: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    odd: Counter[str] = field(default_factory=Counter)
    different: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        for name in ("kinds", "countries", "reasons", "odd", "different"):
            getattr(self, name).update(getattr(other, name))
        self.differences += other.differences


# --- inputs ----------------------------------------------------------------------------------------------------------


def make_inputs(region: str | None, count: int, chance: random.Random) -> Iterator[tuple[str, str]]:
    """Kind and text of `count` inputs to be read in `region`; half of the numbers are the region's own."""
    for _ in range(count):
        metadata = _metadata(chance, region)
        kind = chance.choice(list(KINDS))
        yield kind, KINDS[kind](chance, metadata.country_code or 0, _national(chance, metadata), region)


def _metadata(chance: random.Random, region: str | None) -> PhoneMetadata:
    if region is not None and chance.random() < 0.5:
        found = PhoneMetadata.metadata_for_region(region)
    elif region == "FR" and chance.random() < 0.3:
        found = PhoneMetadata.metadata_for_region(chance.choice(("RE", "YT", "GP", "MF", "BL", "GF", "MQ")))
    else:
        code = chance.choice(sorted(COUNTRY_CODE_TO_REGION_CODE))
        found = PhoneMetadata.metadata_for_region_or_calling_code(
            code, chance.choice(COUNTRY_CODE_TO_REGION_CODE[code])
        )
    assert found is not None
    return found


@cache
def _language(pattern: str) -> Language:
    return read_pattern(pattern)(EMPTY_STRING)


def _national(chance: random.Random, metadata: PhoneMetadata) -> str:
    """A national number: mostly of some type, or of the general form only, which is often invalid."""
    descriptions = [getattr(metadata, name) for name in _TYPES] if chance.random() < 0.8 else [metadata.general_desc]
    patterns = [each.national_number_pattern for each in descriptions if each and each.national_number_pattern]
    return _walk(chance, chance.choice(patterns or [r"\d{8}"]))


def _walk(chance: random.Random, pattern: str) -> str:
    """Some string that the pattern matches."""
    node, digits = _language(pattern), ""
    while not (node.ends and chance.random() < 0.5):
        choices = [digit for digit in range(10) if node.after[digit] is not NOTHING]
        if not choices:
            break
        digit = chance.choice(choices)
        node, digits = node.after[digit], digits + str(digit)
    return digits


def _own(region: str | None) -> PhoneMetadata | None:
    return PhoneMetadata.metadata_for_region(region) if region else None


def _trunk(chance: random.Random, region: str | None) -> str:
    """What may stand before a national number: the region's prefix, one of its odd ones, or a wrong one."""
    metadata = _own(region)
    if metadata is None or not metadata.national_prefix_for_parsing or chance.random() < 0.1:
        return chance.choice(("", "0", "1", "8", "00", "06"))
    if chance.random() < 0.5:
        return metadata.national_prefix or ""
    return _walk(chance, metadata.national_prefix_for_parsing)


def _idd(chance: random.Random, region: str | None) -> str:
    metadata = _own(region)
    if metadata is None or not metadata.international_prefix or chance.random() < 0.2:
        return "00"
    return _walk(chance, metadata.international_prefix)


def _international(chance: random.Random, code: int, national: str, region: str | None) -> str:
    return f"+{code}{national}"


def _with_trunk(chance: random.Random, code: int, national: str, region: str | None) -> str:
    return _trunk(chance, region) + national


def _bare(chance: random.Random, code: int, national: str, region: str | None) -> str:
    return national


def _code_without_plus(chance: random.Random, code: int, national: str, region: str | None) -> str:
    return f"{code}{chance.choice(('', '', _trunk(chance, region)))}{national}"


def _idd_and_code(chance: random.Random, code: int, national: str, region: str | None) -> str:
    return f"{_idd(chance, region)}{code}{national}"


def _trunk_after_code(chance: random.Random, code: int, national: str, region: str | None) -> str:
    lead = chance.choice(("+", "+", _idd(chance, region), "+" + _idd(chance, region)))
    return f"{lead}{code}{chance.choice(('0', '00', '000', '(0)', _trunk(chance, region)))}{national}"


def _any_form(chance: random.Random, code: int, national: str, region: str | None) -> str:
    return chance.choice(_FORMS)(chance, code, national, region)


def _separated(chance: random.Random, code: int, national: str, region: str | None) -> str:
    text = _any_form(chance, code, national, region)
    marks = chance.choice((" ", ".", "-", None))
    pieces = [digit + (marks or chance.choice(_MARKS)) * (chance.random() < 0.3) for digit in text]
    return chance.choice(("", "", "", " ", "(", "\t")) + "".join(pieces) + chance.choice(("", "", "", " ", "."))


def _extended(chance: random.Random, code: int, national: str, region: str | None) -> str:
    label = chance.choice((" x", " ext. ", "#", ";ext=", ",,", " poste ", "~", " - 12#", ",", " доб "))
    return f"{_any_form(chance, code, national, region)}{label}{chance.randrange(1, 10**4)}"


def _vanity(chance: random.Random, code: int, national: str, region: str | None) -> str:
    text = _any_form(chance, code, national, region)
    cut = chance.randrange(1, len(text) + 1)
    return text[:cut] + "".join(chance.choice("ABCXYZabcoO") for _ in text[cut:])


def _other_digits(chance: random.Random, code: int, national: str, region: str | None) -> str:
    text = _any_form(chance, code, national, region).replace("+", chance.choice(("+", "＋")))
    other = chance.choice(_OTHER_DIGITS)
    return "".join(other[int(mark)] if mark.isdigit() and chance.random() < 0.7 else mark for mark in text)


def _mutated(chance: random.Random, code: int, national: str, region: str | None) -> str:
    text = list(_any_form(chance, code, national, region))
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(text) + 1)
        text[place : place + chance.randrange(2)] = chance.choice(
            ("", "", "0", "1", "9", str(code), "+", "x", "5", "33")
        )
    return "".join(text)


def _random_digits(chance: random.Random, code: int, national: str, region: str | None) -> str:
    digits = "".join(chance.choices("0123456789", k=chance.randrange(1, 22)))
    return chance.choice(("", "", "+", "00", "0", "+00", "011", "0+")) + digits


def _wrapped(chance: random.Random, code: int, national: str, region: str | None) -> str:
    text = _any_form(chance, code, national, region)
    before = chance.choice(("", "", "tel:", "Tél. ", "\u200e", "'", '"', "*", "mobile ", "+", "(+)"))
    return (
        before + text + chance.choice(("", "", " (bureau)", "\u202c", "'", "?", " ou", "/", "\\", "*", "\n", "\u00a0"))
    )


def _spreadsheet(chance: random.Random, code: int, national: str, region: str | None) -> str:
    text = _any_form(chance, code, national, region)
    return text + chance.choice((".0", ",0", ".00", "E+10", "e10", ".0 ", ",00\t", ".05", ". 0", "-0", ".0.0"))


def _overseas(chance: random.Random, code: int, national: str, region: str | None) -> str:
    """A mobile of the French overseas as it is dialled inside France."""
    number = chance.choice(("690", "691", "692", "693", "694", "696", "639")) + f"{chance.randrange(10**6):06}"
    return chance.choice(("", "0", "00", "33", "330", "+33", "+330", "+3300", "0033", "+33 0 ")) + number


def _junk(chance: random.Random, code: int, national: str, region: str | None) -> str:
    return (
        chance.choice(_JUNK)
        if chance.random() < 0.8
        else "".join(chance.choices("0129+- ./xe#é,;", k=chance.randrange(9)))
    )


_FORMS: Final = (_international, _with_trunk, _bare, _code_without_plus, _idd_and_code, _trunk_after_code)
KINDS: Final[dict[str, Callable[[random.Random, int, str, str | None], str]]] = {
    "international": _international,
    "national": _with_trunk,
    "national, bare": _bare,
    "code without plus": _code_without_plus,
    "international prefix": _idd_and_code,
    "trunk after code": _trunk_after_code,
    "separators": _separated,
    "extension": _extended,
    "vanity letters": _vanity,
    "other digits": _other_digits,
    "mutation": _mutated,
    "random digits": _random_digits,
    "wrapped": _wrapped,
    "overseas": _overseas,
    "spreadsheet": _spreadsheet,
    "junk": _junk,
}


# --- comparison ------------------------------------------------------------------------------------------------------


def compare(region: str | None, count: int, seed: int) -> Tally:
    """Read `count` inputs both ways in one region, with calling codes for the fast path that chance chose."""
    chance = random.Random(f"{seed} {region}")
    inputs = list(make_inputs(region, count, chance))
    rules = PhoneRules.load(region)
    codes = chance.choice(
        (None, [], chance.sample(sorted(COUNTRY_CODE_TO_REGION_CODE), 5), rules.codes_in(_texts(inputs)))
    )
    world = chance.random() < 0.9 or region is None
    with Engine([], threads=1) as engine:
        answers = engine.transform(
            pa.table({"text": _texts(inputs)}), rules.select("incoming", "text", codes, world=world)
        )
    tally = Tally()
    for (kind, text), row in zip(inputs, answers.to_pylist(), strict=True):
        _compare_one(tally, kind, text, region, row)
    return tally


def _texts(inputs: Sequence[tuple[str, str]]) -> pa.Array:
    return pa.array([text for _, text in inputs], pa.string())


def _compare_one(tally: Tally, kind: str, text: str, region: str | None, row: dict[str, object]) -> None:
    phone, country, reason = read_line(text, region)
    tally.kinds[kind] += 1
    tally.countries[country or "none"] += 1
    tally.reasons[reason or "usable"] += 1
    if row["odd"] is not None:
        tally.odd[kind] += 1
        return
    found = (None if row["n"] is None else f"+{row['n']}", row["country"], row["reason"])
    if found != (phone, country, reason):
        tally.different[kind] += 1
        tally.differences.append(f"{region} {text!r}: {found} instead of {(phone, country, reason)}")


def compare_all(inputs: int, seed: int, regions: Sequence[str | None] = REGIONS, processes: int = PROCESSES) -> Tally:
    """The same number of inputs for each region."""
    enable_pattern_cache()
    each = -(-inputs // len(regions))
    tally = Tally()
    work = partial(compare, count=each, seed=seed)
    if processes == 1:
        for region in regions:
            tally.add(work(region))
        return tally
    with ProcessPoolExecutor(processes, initializer=enable_pattern_cache) as pool:
        for result in pool.map(work, regions):
            tally.add(result)
    return tally


def main() -> int:
    """Print what was compared and how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start = time.monotonic()
    tally = compare_all(options.inputs, options.seed)
    _print(tally, time.monotonic() - start)
    return 1 if tally.different else 0


def _print(tally: Tally, seconds: float) -> None:
    total, odd = tally.kinds.total(), tally.odd.total()
    lines = [f"{'kind of input':22}{'inputs':>10}{'library':>9}{'different':>11}"]
    for kind, count in sorted(tally.kinds.items()):
        lines.append(f"{kind:22}{count:10,}{tally.odd[kind] / count:9.1%}{tally.different[kind]:11,}")
    lines.append(f"{'all':22}{total:10,}{odd / total:9.1%}{tally.different.total():11,}")
    lines.append("\n" + ", ".join(f"{reason} {count:,}" for reason, count in tally.reasons.most_common()))
    lines.append(f"\n{len(tally.countries) - 1} countries (001: of no country)")
    cells = [f"{country:>5}{count:8,}" for country, count in sorted(tally.countries.items())]
    lines += ["".join(cells[at : at + 8]) for at in range(0, len(cells), 8)]
    lines += ["", *tally.differences[:DIFFERENCES_SHOWN]]
    lines.append(
        f"{total:,} inputs in {len(REGIONS)} default regions, {tally.different.total()} differences, {seconds:.0f} s"
    )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
