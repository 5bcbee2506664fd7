"""
Phone numbers in bulk, with libphonenumber's answers for every input.

Invariants:
- The answers are those of `phones.read_line`; `tests/phones_comparison.py` compares them on millions of inputs.
- Neither the codes that are asked for nor the cache change an answer, only time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.audience import rules
from octoplan.audience.engine import quote_name
from octoplan.audience.phone_language import EMPTY_STRING, starting_with, unite, write_pattern
from octoplan.audience.phone_numbering import calling_codes, metadata_of, trunk_prefix
from octoplan.audience.phone_patterns import PatternStore
from octoplan.audience.phone_sql import Home, Tables, write_query
from octoplan.audience.phones import is_region, read_line
from octoplan.limits import FREQUENT_CODES_MAX, ODD_NUMBERS_REMEMBERED

BULK_ROWS: Final = 10_000
"""From here on the query pays: to plan it takes as long as to read some 5,000 numbers one by one."""
_FREQUENT_SHARE: Final = 0.005

_ANSWER: Final = pa.struct([("n", pa.string()), ("country", pa.string()), ("reason", pa.string())])


class PhoneRules:
    """
    The rules of the installed `phonenumbers` for one region, whose numbers need no country code; `None`: all do.

    `select` writes a query that answers nearly every row; `answer` reads the odd ones in what the query gave.
    """

    def __init__(self, region: str | None) -> None:
        self.region = region
        self._store = PatternStore()
        self._home = None if region is None else _read_home(region, self._store)
        self._read = lru_cache(ODD_NUMBERS_REMEMBERED)(self._read_odd)

    @classmethod
    def load(cls, region: str | None) -> PhoneRules:
        """
        Compile what the region needs, or take it from the cache.

        :raises ValueError: if the library does not know the region.
        """
        if region is not None and not is_region(region):
            raise ValueError("libphonenumber does not know this region")
        return cls(region)

    def select(self, relation: str, column: str, codes: Sequence[int] | None = None, *, world: bool = True) -> str:
        """
        A query: all columns of `relation` (a name, a call or a query in parentheses), then `n` (E.164 without the
        plus sign), `country`, `reason` and `odd`.

        The first three are what `read_line` answers for the text in `column`, but where `odd` is not null: there the
        library has to read that text, see `answer`. The four names and those that start with `~` must be free.

        `codes` are the calling codes to be quick with (see `codes_in`); `None`: the region's own. Without `world` all
        other codes are odd: the query is planned 0.1 s faster, but each such row costs some 30 us.
        """
        own = [self._home.code] if self._home else []
        quick = own if codes is None else codes
        tables = Tables(
            plain={code: self._store.plain(code, self.region) for code in quick},
            international={code: self._store.international(code) for code in (calling_codes() if world else quick)},
            code_pattern=_code_pattern(),
            home=self._home,
        )
        self._store.save()
        return write_query(relation, quote_name(column), tables)

    def select_odd(self, relation: str, column: str) -> str:
        """The columns of `select`, but every text is odd: for so few rows that to plan costs more than it saves."""
        text = quote_name(column)
        return f"""SELECT *, NULL::VARCHAR AS n, NULL::VARCHAR AS country,
            CASE WHEN {text} IS NULL THEN '{rules.EMPTY_NUMBER}' END AS reason, {text} AS odd FROM {relation}"""  # noqa: S608

    def answer(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Fill in `n`, `country` and `reason` where `odd` is not null; then `odd` goes. The rest stays as it is."""
        odd = rows.column("odd")
        if odd.null_count < len(odd):
            readings = self.read_odd(odd.drop_null())
            for name, column in zip(_ANSWER.names, readings.flatten(), strict=True):
                filled = pc.replace_with_mask(rows.column(name), odd.is_valid(), column)
                rows = rows.set_column(rows.schema.get_field_index(name), name, filled)
        return rows.drop_columns(["odd"])

    def read_odd(self, texts: pa.Array) -> pa.StructArray:
        """`n`, `country` and `reason` of each text, by the library. What repeats is remembered."""
        readings = [self._read(text) for text in texts.to_pylist()]
        return pa.array([dict(zip(_ANSWER.names, reading, strict=True)) for reading in readings], _ANSWER)

    def codes_in(self, sample: pa.Array) -> list[int]:
        """The calling codes that are frequent in a sample of the column, most frequent first."""
        return _frequent(Counter(self._code_of(text or "") for text in sample.to_pylist()))

    def _code_of(self, text: str) -> int | None:
        """A guess from the first digits."""
        digits = re.sub(r"[^+0-9]", "", text)
        abroad = re.match(rf"\+|{self._home.abroad}" if self._home and self._home.abroad else r"\+", digits)
        code = re.match(_code_pattern(), digits[abroad.end() :]) if abroad else None
        if code:
            return int(code[0])
        return self._home.code if self._home and digits and not abroad else None

    def _read_odd(self, text: str) -> tuple[str | None, str | None, str | None]:
        phone, country, reason = read_line(text, self.region)
        return phone.removeprefix("+") if phone else None, country, reason


def _read_home(region: str, store: PatternStore) -> Home:
    metadata = metadata_of(region)
    return Home(
        code=metadata.country_code,
        trunk=trunk_prefix(region),
        abroad=metadata.international_prefix or "",
        national=store.national(region),
    )


def _frequent(found: Counter[int | None]) -> list[int]:
    least = _FREQUENT_SHARE * found.total()
    frequent = [code for code, count in found.most_common() if code is not None and count >= least]
    return frequent[:FREQUENT_CODES_MAX]


@cache
def _code_pattern() -> str:
    return write_pattern(unite(starting_with(str(code), EMPTY_STRING) for code in calling_codes()))
