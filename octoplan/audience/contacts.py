"""
Contact files as columns: every column is text, every line is accounted for.

Invariants:
- A record is in the batches exactly once, faulty or not: nothing is dropped, and nothing aborts the reading.
- `row` is the line of the file on which the record begins.
- A clean file (one line, one record) is read by the engine; any other by Python's csv, line by line. Both give the
  same records for a clean file.
- An empty field is null; otherwise a value has exactly the characters of the file.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Final, TextIO

import pyarrow as pa

from octoplan.audience import rules
from octoplan.audience.encoding import TextFile
from octoplan.audience.engine import Engine, quote_text
from octoplan.diagnostics import Finding, InvalidInput, Place
from octoplan.limits import CONTACT_COLUMNS_MAX, CONTACT_FIELD_BYTES_MAX, CONTACT_LINE_BYTES_MAX

DELIMITERS: Final = (",", ";", "\t", "|")
"""Those that are looked for in the header; on a tie the first wins."""
DELIMITER_NAMES: Final = {"\\t": "\t", "tab": "\t"}
ROWS_PER_BATCH: Final = 16_384
NAMES_SHOWN_MAX: Final = 30
DIGITS_OF_DATA: Final = 6
"""A header name with this many digits is rather somebody's number: then no name of the header is shown."""

_UNUSED: Final = "\x1f"
"""Separates nothing: clean files hold no control characters, so the engine takes a line as one field."""

Record = tuple[int | bool | str | None, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is cut: the names of its columns without spaces around, and the lines before the first record."""

    text: TextFile
    delimiter: str
    names: tuple[str, ...]
    width: int
    lines_before: int


def read_layout(text: TextFile, delimiter: str | None, place: Place | None) -> Layout:
    """
    Read the header, which is the first line that is not blank; a line `sep=;` before it declares the delimiter.

    :raises InvalidInput: if there is none, or the declared delimiter is not one character.
    """
    if delimiter is not None:
        _require_delimiter(delimiter, place)
    with _open_lines(text) as lines:
        first, before = _first_line(lines)
        if first.lower().startswith("sep=") and len(first.rstrip("\r\n")) == 5:
            delimiter, (first, skipped) = delimiter or first[4], _first_line(lines)
            before += skipped
        declared = DELIMITER_NAMES.get(delimiter, delimiter) if delimiter else None
        chosen = declared or max(DELIMITERS, key=lambda mark: len(_split(first, mark)))
        header, more = _read_header(first, lines, chosen)
    if not header:
        findings = [rules.EMPTY_FILE.at(place, f"`{text.shown_path}` is empty")]
        raise InvalidInput("The audience cannot be read", findings=findings)
    if len(header) > CONTACT_COLUMNS_MAX:
        detail = f"`{text.shown_path}` has {len(header)} columns; at most {CONTACT_COLUMNS_MAX} are read"
        findings = [rules.TOO_MANY_COLUMNS.at(place, detail)]
        raise InvalidInput("The audience cannot be read", findings=findings)
    return Layout(text, chosen, tuple(name.strip() for name in header), len(header), before + more)


def find_column(layout: Layout, wanted: str, place: Place | None) -> tuple[int | None, tuple[Finding, ...]]:
    """
    The index of the column called `wanted`: exactly so, else ignoring case, spaces and accents, with a warning.

    An error finding instead of an index if no column or several could be meant.
    """
    exact = [index for index, name in enumerate(layout.names) if name == wanted.strip()]
    close = [index for index, name in enumerate(layout.names) if _fold(name) == _fold(wanted)]
    found = exact or close
    if len(found) == 1:
        return found[0], () if exact else (_inexact(layout, wanted, found[0], place),)
    if not found:
        return None, (_missing(layout, wanted, place),)
    detail = f"`{layout.text.shown_path}` has {len(found)} columns that could be `{wanted}`"
    hint = "name each column of the header differently"
    return None, (rules.AMBIGUOUS_COLUMN.at(place, detail, hint),)


def read_records(engine: Engine, layout: Layout, columns: Sequence[int]) -> Iterator[pa.RecordBatch]:
    """
    Every record of the file, in file order: `row` (int64), `faulty` (bool), and `c<index>` for each of `columns`.

    A faulty record has null in every column. Where a broken quote swallowed several lines, each of them is a faulty
    record: one quote must not make a thousand people look like one.
    """
    if layout.text.clean:
        return engine.stream(_clean_sql(engine, layout, columns))
    return _read_by_line(layout, columns)


def _clean_sql(engine: Engine, layout: Layout, columns: Sequence[int]) -> str:
    path, cut = quote_text(engine.links[layout.text.path]), quote_text(layout.delimiter)
    fields = "".join(
        f", CASE WHEN NOT faulty THEN nullif(fields[{index + 1}], '') END AS c{index}" for index in columns
    )
    return f"""
        WITH line AS (
            SELECT row_number() OVER () AS row, text FROM read_csv(
                {path}, columns = {{'text': 'VARCHAR'}}, auto_detect = false, header = false, quote = '',
                escape = '', delim = {quote_text(_UNUSED)}, compression = 'none',
                max_line_size = {4 * CONTACT_LINE_BYTES_MAX})),
        record AS (
            SELECT row, strlen(text) AS bytes, string_split(text, {cut}) AS fields FROM line
            WHERE row > {layout.lines_before} AND trim(text, ' ') <> ''),
        checked AS (
            SELECT row, fields, len(fields) <> {layout.width} OR bytes > {CONTACT_LINE_BYTES_MAX} OR (
                bytes > {CONTACT_FIELD_BYTES_MAX}
                AND len(list_filter(fields, lambda field: strlen(field) > {CONTACT_FIELD_BYTES_MAX})) > 0
            ) AS faulty FROM record)
        SELECT row, faulty{fields} FROM checked"""  # noqa: S608


def _read_by_line(layout: Layout, columns: Sequence[int]) -> Iterator[pa.RecordBatch]:
    schema = pa.schema(
        [("row", pa.int64()), ("faulty", pa.bool_()), *((f"c{index}", pa.string()) for index in columns)]
    )
    with _open_lines(layout.text) as lines:
        for _ in range(layout.lines_before):
            next(lines)
        records = _parse_records(lines, layout, columns)
        # Python objects live here for one batch only; files that the engine reads itself never come this way.
        while batch := list(islice(records, ROWS_PER_BATCH)):
            arrays = [
                pa.array(values, kind) for values, kind in zip(zip(*batch, strict=True), schema.types, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _parse_records(lines: _Lines, layout: Layout, columns: Sequence[int]) -> Iterator[Record]:
    reader = csv.reader(lines, delimiter=layout.delimiter, strict=True)
    nothing = (None,) * len(columns)
    while True:
        first = layout.lines_before + reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            lines.take_cut()
            last = layout.lines_before + reader.line_num
            yield from ((line, True, *nothing) for line in range(first, last + 1))
            continue
        if lines.take_cut() or _is_faulty(fields, layout.width):
            yield first, True, *nothing
        elif not _is_blank(fields):
            yield first, False, *(fields[index] or None for index in columns)


def _is_faulty(fields: list[str], width: int) -> bool:
    if _is_blank(fields):
        return False
    return len(fields) != width or any(
        len(field) > CONTACT_FIELD_BYTES_MAX // 4 and len(field.encode()) > CONTACT_FIELD_BYTES_MAX for field in fields
    )


def _is_blank(fields: list[str]) -> bool:
    return not fields or (len(fields) == 1 and not fields[0].strip(" "))


class _Lines:
    """The lines of a file, each of bounded length: the rest of a longer one is skipped, and `take_cut` tells once."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._cut = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(CONTACT_LINE_BYTES_MAX)
        if not line:
            raise StopIteration
        rest = line
        while len(rest) == CONTACT_LINE_BYTES_MAX and not rest.endswith("\n"):
            self._cut = True
            rest = self._file.readline(CONTACT_LINE_BYTES_MAX)
        return line.rstrip("\r\n") + "\n" if self._cut else line

    def take_cut(self) -> bool:
        """Whether a line was cut since the last time this was asked."""
        cut, self._cut = self._cut, False
        return cut


@contextmanager
def _open_lines(text: TextFile) -> Iterator[_Lines]:
    with text.path.open(encoding=text.codec, newline="") as file:
        yield _Lines(file)


def _first_line(lines: _Lines) -> tuple[str, int]:
    """The next line that is not blank ("" at the end of the file), and how many lines were read for it."""
    count = 0
    for line in lines:
        count += 1
        if line.strip():
            return line, count
    return "", count


def _read_header(first: str, lines: _Lines, delimiter: str) -> tuple[list[str], int]:
    """The fields of the header, and how many lines it has besides the first."""
    reader = csv.reader(_chain(first, lines), delimiter=delimiter)
    try:
        return next(reader, []), max(reader.line_num - 1, 0)
    except csv.Error:
        return [], 0


def _chain(first: str, lines: _Lines) -> Iterator[str]:
    if first:
        yield first
    yield from lines


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _require_delimiter(delimiter: str, place: Place | None) -> None:
    mark = DELIMITER_NAMES.get(delimiter, delimiter)
    if len(mark) != 1 or mark in '"\r\n ' or (mark < " " and mark != "\t") or mark.isalnum():
        finding = rules.BAD_DELIMITER.at(
            place, f"`{delimiter}` cannot separate fields", 'one character, such as ";" or "|", or "tab"'
        )
        raise InvalidInput("The audience cannot be read", findings=[finding])


def _fold(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(mark for mark in decomposed if not (unicodedata.combining(mark) or mark.isspace()))


def _inexact(layout: Layout, wanted: str, index: int, place: Place | None) -> Finding:
    name = layout.names[index]
    return rules.INEXACT_COLUMN.at(place, f"`{wanted}` was taken as the column `{name}`", f"write `{name}`")


def _missing(layout: Layout, wanted: str, place: Place | None) -> Finding:
    if any(sum(mark.isdigit() for mark in name) >= DIGITS_OF_DATA for name in layout.names):
        detail = f"no column `{wanted}` in `{layout.text.shown_path}`, whose first line looks like data"
        return rules.MISSING_COLUMN.at(place, detail, "the file needs a line with the names of its columns")
    near = get_close_matches(_fold(wanted), [_fold(name) for name in layout.names], n=1)
    hint = next((f"did you mean `{name}`?" for name in layout.names if near and _fold(name) == near[0]), None)
    names = ", ".join(f"`{name}`" for name in layout.names[:NAMES_SHOWN_MAX])
    more = ", …" if len(layout.names) > NAMES_SHOWN_MAX else ""
    return rules.MISSING_COLUMN.at(
        place, f"no column `{wanted}` in `{layout.text.shown_path}`, which has {names}{more}", hint
    )
