"""
Text files with separated fields: every column is text, every line is accounted for.

Invariants:
- A record is handed on exactly once, faulty or not: nothing is dropped, and nothing aborts the reading.
- A row of `stream` is the line of the file on which the record begins.
- The engine reads only what is proved to hold one record a line; any other file is read by Python's csv. Both give
  the same records.
- An empty field is null; otherwise a value has exactly the characters of the file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, TextIO

import pyarrow as pa

from octoplan.audience import rules
from octoplan.audience.encoding import SEPARATOR, TextFile
from octoplan.audience.engine import Engine, quote_text
from octoplan.audience.readers.port import Relation, record_schema, unreadable
from octoplan.diagnostics import Place
from octoplan.limits import CONTACT_COLUMNS_MAX, CONTACT_FIELD_BYTES_MAX, CONTACT_LINE_BYTES_MAX

DELIMITERS: Final = (",", ";", "\t", "|")
"""Those that are looked for in the header; on a tie the first wins."""
DELIMITER_NAMES: Final = {"\\t": "\t", "tab": "\t"}
ROWS_PER_BATCH: Final = 16_384
QUOTED_COLUMNS_MAX: Final = 100
"""With more columns the expression that proves quotes right grows too large."""

Record = tuple[int | bool | str | None, ...]


@dataclass(frozen=True, slots=True)
class TextRecords:
    """
    One file, and how it is cut: `width` columns, whose names have no spaces around, and after `lines_before` records.
    """

    text: TextFile
    delimiter: str
    names: tuple[str, ...]
    width: int
    lines_before: int

    @property
    def shown(self) -> str:
        """The path as findings call it."""
        return self.text.shown_path

    def flaw(self, column: int) -> str | None:  # noqa: ARG002 - as `Records` has it
        """Text can always be used."""
        return None

    def files(self) -> Sequence[Path]:
        """The file."""
        return (self.text.path,)

    def relation(self, engine: Engine, columns: Sequence[int]) -> str | None:
        """See `Records`; none for a file that only Python can cut."""
        if not self.text.clean or (self.text.quoted and not 1 < self.width <= QUOTED_COLUMNS_MAX):
            return None
        if self.width == 1:
            return self._numbers_sql(engine)
        if self.text.quoted and not self._are_quotes_plain(engine):
            return None
        quote, last, over = '"' if self.text.quoted else "", f"c{self.width - 1}", f"c{self.width}"
        every = [f"c{index}" for index in range(self.width + 1)]
        # An empty field is a text here, so only a field that is not there is null.
        records = self._read_sql(engine, every, self.delimiter, quote, self.lines_before, padded=True)
        fields = ", ".join(f"nullif(c{index}, '') AS c{index}" for index in columns)
        return f"""(SELECT {fields} FROM {records}
            WHERE CASE WHEN {last} IS NULL OR {over} IS NOT NULL THEN error('faulty') ELSE true END)"""  # noqa: S608

    def relations(self, engine: Engine, columns: Sequence[int]) -> Sequence[Relation] | None:
        """See `Records`; a blank line is no record, so that lines could not be numbered."""
        sql = None if self.width == 1 or self.text.has_blank_lines else self.relation(engine, columns)
        return None if sql is None else [Relation(sql, self.lines_before + 1)]

    def _numbers_sql(self, engine: Engine) -> str:
        """A file of one column, where a blank line is a row to the engine and no record."""
        faulty = f"CASE WHEN contains(c0, {quote_text(self.delimiter)}) THEN error('faulty') ELSE c0 END"
        lines = self._read_sql(engine, ["c0"], SEPARATOR, "", self.lines_before)
        return f"(SELECT {faulty} AS c0 FROM {lines} WHERE trim(c0, ' ') <> '')"  # noqa: S608

    def stream(self, engine: Engine, columns: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """
        See `Records`. Where a broken quote swallowed several lines, each of them is a faulty record: one quote must not
        make a thousand people look like one.
        """
        if self.text.clean and not self.text.quoted:
            return engine.stream(self._cut_sql(engine, columns))
        return _read_by_line(self, columns)

    def place_of(self, row: int) -> int | str:
        """The line itself."""
        return row

    def _read_sql(
        self, engine: Engine, names: Sequence[str], delimiter: str, quote: str, skip: int, *, padded: bool = False
    ) -> str:
        """
        The engine's own reader, told everything, so that it guesses nothing and any odd row is an error.

        `padded`: fields may be missing at the end of a row, and only those are null.
        """
        columns = ", ".join(f"{quote_text(name)}: 'VARCHAR'" for name in names)
        mark, null = quote_text(quote), quote_text(SEPARATOR if padded else "")
        return f"""read_csv({quote_text(engine.links[self.text.path])}, columns = {{{columns}}}, auto_detect = false,
            header = false, skip = {skip}, delim = {quote_text(delimiter)}, quote = {mark},
            escape = {mark}, comment = '', nullstr = {null}, null_padding = {padded}, compression = 'none',
            strict_mode = true, max_line_size = {4 * CONTACT_FIELD_BYTES_MAX})"""

    def _are_quotes_plain(self, engine: Engine) -> bool:
        """Whether each line is a record to the engine as it is to Python: it would take quotes in other places too."""
        plain = f'[^"{_in_brackets(self.delimiter)}]*'
        cell = f'(?:{plain}|"(?:[^"]|"")*")'
        line = f"{cell}(?:[{_in_brackets(self.delimiter)}]{cell}){{{self.width - 1}}}"
        return not engine.value(f"""
            SELECT count(*) FROM {self._read_sql(engine, ["line"], SEPARATOR, "", self.lines_before)}
            WHERE contains(line, '"') AND NOT regexp_full_match(line, {quote_text(line)})""")  # noqa: S608

    def _cut_sql(self, engine: Engine, columns: Sequence[int]) -> str:
        """Lines as the engine finds them, cut at each delimiter: what has another number of fields is faulty."""
        cut = quote_text(self.delimiter)
        fields = "".join(f", CASE WHEN NOT faulty THEN nullif(fields[{i + 1}], '') END AS c{i}" for i in columns)
        lines = self._read_sql(engine, ["text"], SEPARATOR, "", skip=0)
        return f"""
            WITH line AS (SELECT row_number() OVER () AS row, text FROM {lines}),
            record AS (
                SELECT row, string_split(text, {cut}) AS fields FROM line
                WHERE row > {self.lines_before} AND trim(text, ' ') <> ''),
            checked AS (SELECT row, fields, len(fields) <> {self.width} AS faulty FROM record)
            SELECT row, faulty{fields} FROM checked"""  # noqa: S608


def _in_brackets(delimiter: str) -> str:
    """The delimiter inside a character class of a regular expression."""
    return f"\\{delimiter}" if delimiter in "\\]^-" else delimiter


def read_layout(text: TextFile, delimiter: str | None, place: Place | None) -> TextRecords:
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
        raise unreadable(rules.EMPTY_FILE.at(place, f"`{text.shown_path}` is empty"))
    if len(header) > CONTACT_COLUMNS_MAX:
        detail = f"`{text.shown_path}` has {len(header)} columns; at most {CONTACT_COLUMNS_MAX} are read"
        raise unreadable(rules.TOO_MANY_COLUMNS.at(place, detail))
    return TextRecords(text, chosen, tuple(name.strip() for name in header), len(header), before + more)


def _read_by_line(records: TextRecords, columns: Sequence[int]) -> Iterator[pa.RecordBatch]:
    schema = record_schema(columns)
    with _open_lines(records.text) as lines:
        for _ in range(records.lines_before):
            next(lines)
        found = _parse_records(lines, records, columns)
        # Python objects live here for one batch only; files that the engine reads itself never come this way.
        while batch := list(islice(found, ROWS_PER_BATCH)):
            arrays = [
                pa.array(values, kind) for values, kind in zip(zip(*batch, strict=True), schema.types, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _parse_records(lines: _Lines, records: TextRecords, columns: Sequence[int]) -> Iterator[Record]:
    reader = csv.reader(lines, delimiter=records.delimiter, strict=True)
    nothing = (None,) * len(columns)
    while True:
        first = records.lines_before + reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            lines.take_cut()
            last = records.lines_before + reader.line_num
            yield from ((line, True, *nothing) for line in range(first, last + 1))
            continue
        if lines.take_cut() or _is_faulty(fields, records.width):
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
        raise unreadable(finding)
