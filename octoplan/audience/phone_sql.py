"""
The query for phone numbers: libphonenumber's answers as SQL, millions of rows a second.

Three tiers, each with the same answers, so that what a tier takes changes nothing but time:
1. Plain writings of numbers that get SMS and have one of the few calling codes that a list mostly holds.
2. Every other string of digits: international prefix, calling code, trunk prefix, the patterns of `phone_numbering`.
3. Everything else (letters, extensions, other digits, two plus signs) is handed on as `odd`, for the library.

Invariants:
- The query is a chain of projections without join, aggregate or `IN`: it streams, and rows keep their order.
- Only patterns and names made of the library's metadata are part of it, never the text of a row.
- A row that is answered here has at most `_LONGEST` characters, or hardly any digits: the library's own bound on length
  never decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from octoplan.audience import rules
from octoplan.audience.engine import quote_text
from octoplan.audience.phone_patterns import Match, Patterns

_LONGEST: Final = 99
_MARKS: Final = r"().\-/ \x{a0}"
"""What people put between digits and the library reads over, as in a class of characters."""
_MARKS_BUT_DOT: Final = _MARKS.replace(".", "")
_PLAIN: Final = rf"[+]?\d{{1,{_LONGEST - 1}}}"
_SPACED: Final = rf"(?:[+]\d|\d{{1,5}}[ .\-])[\d .\-]{{0,{_LONGEST - 6}}}"
_MARKED: Final = (
    rf" {{0,9}}(?:[(]?[+]|[(]|\d{{1,5}}[{_MARKS}]|\d{{6,20}}[{_MARKS_BUT_DOT}])[\d{_MARKS}]{{0,{_LONGEST - 30}}}"
)
"""Neither matches what a spreadsheet makes of a number: six digits or more, one dot, zeros."""

_BLANK: Final = r"[ \t\r\n\x{a0}]*"
_SPREADSHEET: Final = r"(?i)[ \t]*(?:\+?\d+(?:[.,]\d+)?E\+?\d+|\d{6,}[.,]0+)[ \t]*"
_NO_DIGIT: Final = r"[ -/:-~\x{a0}-\x{b1}\x{c0}-\x{24f}]*"
_TOO_SHORT: Final = rf"{_NO_DIGIT}(?:\d{_NO_DIGIT}){{0,2}}"
"""At most two digits among signs and Latin letters. No number is that short, and letters count only after three."""

_ASK: Final = "?"
"""In place of a reason: the library has to read this one."""
_MOBILE: Final = "m"
_LANDLINE: Final = "l"
_OVERSEAS: Final = "o"
"""Marks of a number: nothing is wrong with it, it gets no SMS, or it is of the overseas and leading zeros go too."""


@dataclass(frozen=True, slots=True)
class Home:
    """The region where the numbers were written. `abroad`: its international prefix, a regular expression (`00`)."""

    code: int
    trunk: str
    abroad: str
    national: Patterns


@dataclass(frozen=True, slots=True)
class Tables:
    """What the query is made of: patterns by calling code, `plain` for the first tier, and for the second."""

    plain: dict[int, Patterns]
    international: dict[int, Patterns]
    code_pattern: str
    """Every calling code, also those that have no entry here and are left to the library."""
    home: Home | None


def write_query(relation: str, text: str, tables: Tables) -> str:
    """
    All columns of `relation`, then `n`, `country` and `reason` of the number in the column `text` (a quoted name).

    The last column, `odd`, is null, or the text that the library has to read; then the other three are null.
    """
    steps = _steps(text, tables)
    query = f"SELECT * FROM {relation}"  # noqa: S608 - made here, see the invariants
    for name, expression in steps.items():
        query = f"SELECT *, {expression} AS {name} FROM ({query})"  # noqa: S608
    answer = ", ".join(f"{expression} AS {name}" for name, expression in _answer(text).items())
    return f"SELECT * EXCLUDE ({', '.join(steps)}), {answer} FROM ({query})"  # noqa: S608


def _steps(text: str, tables: Tables) -> dict[str, str]:
    """Column -> its expression, over the columns before it. Each is null where it has nothing to say."""
    return {
        '"~digits"': _clean(text),
        '"~plain"': _make_plain(tables.home),
        '"~found"': _find_plain(tables.plain),
        '"~abroad"': _cut_abroad(tables),
        '"~code"': _when('"~abroad" IS NOT NULL', f"regexp_extract(\"~abroad\", '^(?:{tables.code_pattern})')"),
        '"~rest"': 'coalesce(substr("~abroad", 1 + length("~code")), "~digits")',
        '"~fate"': _judge(text, tables),
    }


def _case(branches: Iterable[tuple[str, str]], otherwise: str | None = None) -> str:
    """The first branch whose condition holds; DuckDB evaluates each only for rows that came so far."""
    whens = "".join(f" WHEN {condition} THEN {value}" for condition, value in branches)
    if not whens:
        return otherwise or "NULL"
    return f"CASE{whens}{f' ELSE {otherwise}' if otherwise else ''} END"


def _when(condition: str, value: str) -> str:
    return _case([(condition, value)])


def _matches(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {quote_text(pattern)})"


def _without(text: str, marks: str) -> str:
    for mark in marks:
        text = f"replace({text}, '{mark}', '')"
    return text


def _clean(text: str) -> str:
    """Digits, with one plus sign before them or none; null if it is anything but these and marks between them."""
    return _case(
        [
            (_matches(text, _PLAIN), text),
            (_matches(text, _SPACED), _without(text, " .-")),
            (_matches(text, _MARKED), _without(text, " .-()/\u00a0")),
        ]
    )


def _make_plain(home: Home | None) -> str:
    """Calling code and what follows, if that can be seen at a glance."""
    branches = [("""starts_with("~digits", '+')""", 'substr("~digits", 2)')]
    if home is None:
        return _case(branches)
    if home.abroad.isdigit():
        branches.append((f"""starts_with("~digits", '{home.abroad}')""", f'substr("~digits", {len(home.abroad) + 1})'))
    national = f"""'{home.code}' || substr("~digits", {len(home.trunk) + 1})"""
    branches.append((f"""starts_with("~digits", '{home.trunk}')""", national))
    return _case(branches)


def _find_plain(plain: dict[int, Patterns]) -> str:
    return _case(
        (
            f"""starts_with("~plain", '{code}')""",
            _case((_matches('"~plain"', f"{code}{match.pattern}"), f"'{match.country}'") for match in patterns.matches),
        )
        for code, patterns in plain.items()
    )


def _cut_abroad(tables: Tables) -> str:
    """
    What follows a plus sign or the international prefix. After a plus sign that no calling code follows, the library
    tries the prefix; a zero after the prefix means that it is none.
    """
    branches = [('"~found" IS NOT NULL', "NULL")]
    branches.append((f"""regexp_matches("~digits", '^[+](?:{tables.code_pattern})')""", 'substr("~digits", 2)'))
    if tables.home is not None and tables.home.abroad:
        digits = """ltrim("~digits", '+')"""
        after = f"""1 + length(regexp_extract({digits}, '^(?:{tables.home.abroad})'))"""
        is_prefix = f"""regexp_matches({digits}, '^(?:{tables.home.abroad})') AND substr({digits}, {after}, 1) <> '0'"""
        branches.append((is_prefix, f"substr({digits}, {after})"))
    return _case(branches)


def _judge(text: str, tables: Tables) -> str:
    """A found number in the form of `_write_number`, a reason, or `_ASK`; null if the first tier found it."""
    invalid = f"'{rules.INVALID_NUMBER}'"
    national = tables.home.national if tables.home else Patterns((), None)
    code = 'CAST("~code" AS USMALLINT)'
    return _case(
        [
            ('"~found" IS NOT NULL', "NULL"),
            ('"~digits" IS NULL', _judge_text(text)),
            (""""~code" = ''""", invalid),
            ('"~code" IS NOT NULL', _choose(code, sorted(tables.international.items()))),
            ("""NOT starts_with("~digits", '+')""", f"coalesce({_judge_digits(national)}, {invalid})"),
        ],
        invalid,
    )


def _judge_text(text: str) -> str:
    """What can be said without reading it as a number."""
    return _case(
        [
            (f"{text} IS NULL OR {_matches(text, _BLANK)}", f"'{rules.EMPTY_NUMBER}'"),
            (_matches(text, _SPREADSHEET), f"'{rules.SPREADSHEET_NUMBER}'"),
            (_matches(text, _TOO_SHORT), f"'{rules.INVALID_NUMBER}'"),
        ],
        f"'{_ASK}'",
    )


def _choose(code: str, patterns: Sequence[tuple[int, Patterns]]) -> str:
    """Halve the list until one is left: eight comparisons instead of two hundred. Other codes are for the library."""
    if not patterns:
        return f"'{_ASK}'"
    if len(patterns) == 1:
        ((only, rules_of_it),) = patterns
        invalid = f"'{rules.INVALID_NUMBER}'"
        return _case([(f"{code} = {only}", f"coalesce({_judge_digits(rules_of_it)}, {invalid})")], f"'{_ASK}'")
    middle = len(patterns) // 2
    smaller = f"{code} < {patterns[middle][0]}"
    return _case([(smaller, _choose(code, patterns[:middle]))], _choose(code, patterns[middle:]))


def _judge_digits(patterns: Patterns) -> str:
    branches = [(_matches('"~rest"', match.pattern), _write_numbers(match)) for match in patterns.matches]
    if patterns.unsure is not None:
        branches.append((_matches('"~rest"', patterns.unsure), f"'{_ASK}'"))
    return _case(branches)


def _write_numbers(match: Match) -> str:
    usual = _cut(match, _OVERSEAS if match.overseas else _MOBILE)
    if match.landlines is None:
        return usual
    return _case([(_matches('"~rest"', match.landlines), _cut(match, _LANDLINE))], usual)


def _cut(match: Match, mark: str) -> str:
    starts = [(f"""starts_with("~rest", '{start}')""", _write_number(match, drop, mark)) for start, drop in match.cuts]
    return _case(starts, _write_number(match, 0, mark))


def _write_number(match: Match, drop: int, mark: str) -> str:
    """`01FR m33`: digits to drop, country, a mark, calling code. Reasons start with a letter."""
    return f"'{drop:02}{match.country:<3}{mark}{match.code}'"


def _answer(text: str) -> dict[str, str]:
    """What is found out, from the columns of `_steps`."""
    found, ask = '"~found" IS NOT NULL', f""""~fate" = '{_ASK}'"""
    number = """"~fate" < 'A' AND NOT """ + ask
    landline, overseas = (f""""~fate"[6] = '{mark}'""" for mark in (_LANDLINE, _OVERSEAS))
    kept = 'substr("~rest", 1 + CAST("~fate"[1:2] AS UTINYINT))'
    national = _case([(overseas, f"ltrim({kept}, '0')")], kept)
    return {
        "n": _case([(found, '"~plain"'), (number, f'"~fate"[7:] || {national}')]),
        "country": _case([(found, '"~found"'), (number, 'rtrim("~fate"[3:5])')]),
        "reason": _case(
            [
                (f"{found} OR {ask}", "NULL"),
                (number, _case([(landline, f"'{rules.NOT_MOBILE}'"), (overseas, f"'{rules.OVERSEAS_NUMBER}'")])),
            ],
            '"~fate"',
        ),
        "odd": _when(ask, text),
    }
