"""
What libphonenumber does with digits, as languages: which strings are numbers of which country, and what to cut off.

`phonenumbers.parse` and `is_valid_number` take steps: find the calling code, cut off the trunk prefix unless that
spoils the number, check lengths and patterns. Here the same steps are taken once for all strings together. The result
is exact for every string of digits but those named `unsure`: trunk prefixes that rewrite the number instead of being
cut off (in Argentina and Brazil, and local numbers of small islands), which are left to the library.

Invariants:
- Every fact about numbers comes from the metadata of the installed `phonenumbers`; only the steps are ours.
- A string of digits is in at most one piece of an answer, and in none if it is unsure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import Any, Final

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from octoplan.audience.phone_language import (
    ANY,
    EMPTY_STRING,
    NOTHING,
    Language,
    after,
    alternatives,
    any_digits,
    followed_by,
    read_pattern,
    starting_with,
    unite,
    words,
)
from octoplan.audience.phones import FRANCE, OVERSEAS, WITHOUT_SMS

NATIONAL_DIGITS_MAX: Final = 17
"""libphonenumber refuses longer national numbers before it looks at any pattern."""
_TYPES: Final = (
    "premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan", "voicemail", "fixed_line",
)  # fmt: skip
"""
Whose patterns make a number valid; `mobile` too, unless it is declared to be the same as `fixed_line`. A number that
several match is of the first of these types, but a fixed line that matches `mobile` too may be one.
"""
_AMBIGUOUS_WORDS_MAX: Final = 10_000
"""Trunk prefixes that start with another one, tried one by one; the metadata has about a dozen in a country."""


@dataclass(frozen=True, slots=True)
class Piece:
    """
    The strings of `language` are numbers of `country`: `code` and what is left after `drop` digits.

    `overseas`: leading zeros go too, and the number is not written to but named (see `phones.read_phone`). Those of
    `landlines` get no SMS (see `phones.WITHOUT_SMS`).
    """

    drop: int
    code: int
    country: str
    overseas: bool
    language: Language
    landlines: Language


@dataclass(frozen=True, slots=True)
class Answers:
    """What is a number, and what has to be asked of the library. All other strings of digits are invalid."""

    pieces: tuple[Piece, ...]
    unsure: Language


@dataclass(frozen=True, slots=True)
class _Target:
    """National numbers, without anything to cut off, that are the answer for a country."""

    code: int
    country: str
    overseas: bool
    language: Language
    landlines: Language = NOTHING

    def piece(self, drop: int, language: Language) -> Piece:
        """The strings of `language`, which are numbers of this country after `drop` digits."""
        landlines = language & any_digits(drop, self.landlines)
        return Piece(drop, self.code, self.country, self.overseas, language, landlines)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The metadata of one region or calling code. `prefixes` maps a length to the strings that lose so many digits."""

    general: Language
    fitting: Language
    """Strings of a possible length, or too long: the library keeps what it cut off only if the rest is one."""
    too_long: Language
    prefixes: dict[int, Language]
    unsure: Language


def calling_codes() -> Sequence[int]:
    """All of them, in order."""
    return sorted(COUNTRY_CODE_TO_REGION_CODE)


def read_international(code: int) -> Answers:
    """What follows a plus sign (or its like) and this calling code."""
    plan = _read_plan(code, COUNTRY_CODE_TO_REGION_CODE[code][0])
    pieces = [
        target.piece(drop, language - plan.unsure)
        for target in _read_targets(code)
        for drop, language in _keep(plan, target.language)
    ]
    return Answers(_without_empty(pieces), plan.unsure)


def read_national(region: str) -> Answers:
    """
    Digits without a plus sign or international prefix, read in a region.

    They may start with the region's own calling code all the same: the library believes it if the digits are no number
    before it is cut off, and one after, or are too long.
    """
    code = metadata_of(region).country_code
    main = _read_plan(code, COUNTRY_CODE_TO_REGION_CODE[code][0])
    plan = _read_plan(code, region)
    with_code = dict(_with_code(str(code), plan))
    unsure = plan.unsure | starting_with(str(code), plan.unsure | _after(plan, main.unsure))
    without_code = ANY - unite(with_code.values()) - unsure
    pieces = []
    for target in _read_targets(code):
        found = [(drop, language & without_code) for drop, language in _keep(plan, target.language)]
        for cut, languages in with_code.items():
            found += [
                (cut + drop, any_digits(cut, language) & languages - unsure)
                for drop, language in _keep(main, target.language)
            ]
        pieces += [target.piece(drop, language) for drop, language in found]
    return Answers(_without_empty(pieces), unsure)


def read_plain(code: int, region: str | None) -> Answers:
    """
    National numbers of a code that get SMS and are kept whole after `+` and the code, and, if it is the code of
    `region`, after the region's trunk prefix too (see `trunk_prefix`). What is in no piece may be a number too.
    """
    whole = (piece for piece in read_international(code).pieces if piece.drop == 0 and not piece.overseas)
    pieces = [replace(piece, language=piece.language - piece.landlines, landlines=NOTHING) for piece in whole]
    if region is not None and metadata_of(region).country_code == code:
        pieces = [replace(piece, language=piece.language & _dialled(region, piece.country)) for piece in pieces]
    return Answers(_without_empty(pieces), NOTHING)


def _dialled(region: str, country: str) -> Language:
    """The numbers of a country that are written after the region's trunk prefix, and cannot be anything else there."""
    trunk = trunk_prefix(region)
    international = metadata_of(region).international_prefix
    national = unite(
        piece.language
        for piece in read_national(region).pieces
        if (piece.drop, piece.country, piece.overseas) == (len(trunk), country, False)
    )
    return after(trunk, national - read_pattern(international)(ANY) if international else national)


def trunk_prefix(region: str) -> str:
    """What people write before a national number inside the region: `0` in France, nothing in Spain or the USA."""
    metadata = metadata_of(region)
    trunk: str = metadata.national_prefix or ""
    main = metadata_of(COUNTRY_CODE_TO_REGION_CODE[metadata.country_code][0])
    return trunk if any(trunk in (form.national_prefix_formatting_rule or "") for form in main.number_format) else ""


def metadata_of(region: str, code: int = 0) -> Any:
    """What the library knows of a region, such as `FR`, or of a calling code of no country (region `001`)."""
    return PhoneMetadata.metadata_for_region_or_calling_code(code, region)


def _without_empty(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    return tuple(piece for piece in pieces if piece.language is not NOTHING)


def _keep(plan: _Plan, language: Language) -> Iterator[tuple[int, Language]]:
    """The last step: how many digits go, and the strings of which that leaves a string of `language`."""
    cut = NOTHING
    for drop, prefixed in _cut_prefix(plan):
        leaving = prefixed & any_digits(drop, plan.fitting)
        cut |= leaving
        yield drop, leaving & any_digits(drop, language)
    yield 0, language - cut


def _cut_prefix(plan: _Plan) -> Iterator[tuple[int, Language]]:
    """How many digits the trunk prefix has, and the strings that lose it: not those that it would spoil."""
    for drop, prefixed in plan.prefixes.items():
        yield drop, prefixed - (plan.general - any_digits(drop, plan.general))


def _with_code(code: str, plan: _Plan) -> Iterator[tuple[int, Language]]:
    """How many digits go with the region's own calling code, and the strings that are taken to start with it."""
    cut = NOTHING
    for drop, prefixed in _cut_prefix(plan):
        cut |= prefixed
        yield len(code) + drop, _believed(code, drop, prefixed, plan)
    yield len(code), _believed(code, 0, ANY - cut, plan)


def _believed(code: str, drop: int, after_code: Language, plan: _Plan) -> Language:
    better = any_digits(len(code) + drop, plan.general) - plan.general
    return starting_with(code, after_code) & (better | plan.too_long)


def _after(plan: _Plan, language: Language) -> Language:
    """The strings of which the trunk prefix leaves a string of `language`, or which are in it themselves."""
    return unite(any_digits(drop, language) for drop in (0, *plan.prefixes))


@cache
def _read_targets(code: int) -> tuple[_Target, ...]:
    """The answers for a calling code, each string in one. After the valid ones those that France dials nationally."""
    targets = list(_read_valid(code))
    if code == FRANCE:
        taken = unite(target.language for target in targets)
        for target in _read_overseas():
            targets.append(replace(target, language=target.language - taken))
            taken |= target.language
    return tuple(targets)


def _read_valid(code: int) -> Iterator[_Target]:
    """
    Of the countries that share a code, the first that claims a number has it, valid or not: by its leading digits if
    it has some, by its patterns if not. A country alone with its code needs no claim.
    """
    regions = COUNTRY_CODE_TO_REGION_CODE[code]
    unclaimed = ANY
    for region in regions:
        metadata = metadata_of(region, code)
        valid = _read_numbers(metadata)
        leading = metadata.leading_digits if len(regions) > 1 else None
        claim = read_pattern(leading)(ANY) if leading is not None else valid
        language = valid & claim & unclaimed
        yield _Target(code, region, overseas=False, language=language, landlines=language & _read_landlines(metadata))
        unclaimed -= claim


def _read_overseas() -> Iterator[_Target]:
    for code in OVERSEAS:
        for target in _read_valid(code):
            mobiles = target.language & starting_with("6", ANY)
            dialled = _with_zeros(mobiles) & _lengths(range(NATIONAL_DIGITS_MAX + 1))
            yield _Target(code, target.country, overseas=True, language=dialled)


def _with_zeros(language: Language) -> Language:
    """The library drops leading zeros from the number before it is tried with another calling code."""
    for _ in range(NATIONAL_DIGITS_MAX):
        language |= starting_with("0", language)
    return language


def _read_numbers(metadata: Any) -> Language:
    """The valid numbers of a region: of the general form, and of some type."""
    types = _TYPES if metadata.same_mobile_and_fixed_line_pattern else (*_TYPES, "mobile")
    of_some_type = unite(_read_description(getattr(metadata, name)) for name in types)
    general = _read_description(metadata.general_desc)
    return general & of_some_type & _lengths(range(NATIONAL_DIGITS_MAX + 1))


def _read_landlines(metadata: Any) -> Language:
    """What is of a type that gets no SMS, in the library's order of types; of no other use than for valid numbers."""
    if metadata.same_mobile_and_fixed_line_pattern:
        mobile = _read_description(metadata.fixed_line)
    else:
        mobile = _read_description(metadata.mobile)
    landlines, others = NOTHING, NOTHING
    for name in _TYPES:
        of_type = _read_description(getattr(metadata, name)) - landlines - others
        if name in WITHOUT_SMS:
            landlines |= of_type - mobile if name == "fixed_line" else of_type
        else:
            others |= of_type
    return landlines


def _read_description(description: Any) -> Language:
    if description is None or not description.national_number_pattern:
        return NOTHING
    language = read_pattern(description.national_number_pattern)(EMPTY_STRING)
    return language & _lengths(description.possible_length) if description.possible_length else language


@cache
def _read_plan(code: int, region: str) -> _Plan:
    metadata = metadata_of(region, code)
    general = metadata.general_desc
    local = _lengths(general.possible_length_local_only)
    too_long = any_digits(max(general.possible_length) + 1, ANY) - local
    prefixes, unsure = _read_prefixes(metadata)
    pattern = general.national_number_pattern
    return _Plan(
        general=read_pattern(pattern)(EMPTY_STRING) if pattern else NOTHING,
        fitting=(_lengths(general.possible_length) - local) | too_long,
        too_long=too_long,
        prefixes=prefixes,
        unsure=unsure,
    )


def _read_prefixes(metadata: Any) -> tuple[dict[int, Language], Language]:
    """
    Strings by the length of their trunk prefix, and those where it is not certain.

    With a transform rule an alternative with a group rewrites the number. Python takes the first alternative that
    matches; that this is the longest is tried for every prefix that starts with another one.
    """
    pattern = metadata.national_prefix_for_parsing or ""
    parts = alternatives(pattern) if pattern else []
    rewriting = [part for part in parts if metadata.national_prefix_transform_rule and re.search(r"\((?!\?)", part)]
    unsure = unite(_starts(part) for part in rewriting)
    plain = unite(read_pattern(part)(EMPTY_STRING) for part in parts if part not in rewriting)
    if not _takes_longest(pattern, plain, unsure):
        return {}, unsure | followed_by(plain - EMPTY_STRING, ANY)
    return dict(_by_length(plain, unsure)), unsure


def _starts(part: str) -> Language:
    """Strings of which `part` matches a start that is not empty."""
    matched = read_pattern(part)(EMPTY_STRING)
    return followed_by(matched - EMPTY_STRING, ANY) if matched.ends else read_pattern(part)(ANY)


def _takes_longest(pattern: str, plain: Language, unsure: Language) -> bool:
    longer = plain & followed_by(plain - EMPTY_STRING, any_digits(1, ANY)) - unsure
    tried = list(islice(words(longer), _AMBIGUOUS_WORDS_MAX + 1))
    matches = (re.match(pattern, word) for word in tried)
    return len(tried) <= _AMBIGUOUS_WORDS_MAX and all(match and match[0] == match.string for match in matches)


def _by_length(plain: Language, unsure: Language) -> Iterator[tuple[int, Language]]:
    """Longest first: what starts with a longer prefix does not count for a shorter one."""
    taken = unsure
    for length in range(NATIONAL_DIGITS_MAX, 0, -1):
        prefixes = plain & _lengths([length])
        if prefixes is not NOTHING:
            prefixed = followed_by(prefixes, ANY)
            yield length, prefixed - taken
            taken |= prefixed


def _lengths(lengths: Iterable[int]) -> Language:
    return unite(any_digits(length, EMPTY_STRING) for length in lengths if length >= 0)
