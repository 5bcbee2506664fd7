from __future__ import annotations

import re
from itertools import product

import pytest

from octoplan.audience.phone_language import (
    ANY,
    EMPTY_STRING,
    NOTHING,
    alternatives,
    any_digits,
    first_digits,
    followed_by,
    read_pattern,
    starting_with,
    told_apart,
    words,
    write_pattern,
)

PATTERNS = (
    r"1", r"\d", r"[2-46]", r"12|13", r"(?:1|2)3?", r"1{2}", r"1{1,3}2", r"(?:[12]|3\d)?", r"(1)(2)?", r"1$|2",
    r"[1-9]\d{2}", r"0|00", r"(?:11|12|21|22)[3-9]", r"|1", r"1(?:2(?:3|4)|5)\d",
)  # fmt: skip
STRINGS = tuple("".join(digits) for length in range(5) for digits in product("0123459", repeat=length))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_pattern_means_what_it_means_to_python(pattern: str) -> None:
    """The strings of a pattern are those that Python's `fullmatch` takes; before `ANY` those that its `match` takes."""
    whole, start = read_pattern(pattern)(EMPTY_STRING), read_pattern(pattern)(ANY)
    for string in STRINGS:
        assert (starting_with(string, EMPTY_STRING) & whole is not NOTHING) == bool(re.fullmatch(pattern, string))
        assert (starting_with(string, EMPTY_STRING) & start is not NOTHING) == bool(re.match(pattern, string))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_written_pattern_is_the_same_language(pattern: str) -> None:
    """What is written and read again is the same object, also when it goes on for ever."""
    language = read_pattern(pattern)(EMPTY_STRING)
    assert read_pattern(write_pattern(language))(EMPTY_STRING) is language
    endless = write_pattern(read_pattern(pattern)(ANY))
    assert [bool(re.fullmatch(endless, text)) for text in STRINGS] == [
        bool(re.match(pattern, text)) for text in STRINGS
    ]


def test_operations_are_those_of_sets() -> None:
    """Union, intersection and difference, with the constants too."""
    one, other = read_pattern("1[2-5]|7")(EMPTY_STRING), read_pattern("1[4-8]|")(EMPTY_STRING)
    assert set(words(one | other)) == set(words(one)) | set(words(other))
    assert set(words(one & other)) == set(words(one)) & set(words(other)) == {"14", "15"}
    assert set(words(one - other)) == set(words(one)) - set(words(other))
    assert one & ANY is one
    assert one - ANY is NOTHING
    assert (ANY - one) & one is NOTHING
    assert (ANY - one) | one is ANY


def test_concatenation_and_beginnings() -> None:
    """Each string before each other one; any digits before; what strings begin with."""
    language = followed_by(read_pattern("1|22")(EMPTY_STRING), read_pattern("3|4")(EMPTY_STRING))
    assert set(words(language)) == {"13", "14", "223", "224"}
    assert set(words(first_digits(2, language))) == {"13", "14", "22"}
    assert len(list(words(any_digits(2, EMPTY_STRING)))) == 100
    with pytest.raises(ValueError, match="endless"):
        list(words(ANY))


def test_told_apart_by_little() -> None:
    """All strings of the one and none of the other, with no more digits than that takes."""
    chosen, others = (
        read_pattern("1[2-5]\\d{4}|7\\d{5}|80")(EMPTY_STRING),
        read_pattern("1[6-9]\\d{4}|9|8")(EMPTY_STRING),
    )
    language = told_apart(chosen, others)
    assert language & chosen is chosen
    assert language & others is NOTHING
    assert re.fullmatch(write_pattern(language), "12")
    assert len(write_pattern(language)) < len(write_pattern(chosen))
    assert told_apart(chosen, NOTHING) is ANY
    assert told_apart(NOTHING, others) is NOTHING


def test_alternatives_outside_groups() -> None:
    """Only the `|` that are in no group part an expression."""
    assert alternatives("(1|2)3|4|(?:5|6)") == ["(1|2)3", "4", "(?:5|6)"]


@pytest.mark.parametrize("pattern", ["1*", "1+", "a", "(1", "1)", "(?=1)", "?1", "[^1]", "\\w", "1^"])
def test_unknown_syntax_is_refused(pattern: str) -> None:
    """What the metadata never had is not guessed."""
    with pytest.raises(ValueError, match=r"pattern|group|repeat"):
        read_pattern(pattern)(EMPTY_STRING)
